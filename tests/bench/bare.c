/*
 * The bare responder: the floor against which the product is measured. Answers every request on
 * 127.0.0.1:PORT with one constant: nghttp2, OpenSSL, libev, plain malloc, and no features.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <ev.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#pragma GCC diagnostic ignored "-Wunused-parameter" /* callbacks are told more than they need */
#define CHECK(ok) ((ok) ? (void)0 : err(1, "%s", #ok))
#define FIELD(name, value) \
    (uint8_t *)(name), (uint8_t *)(value), sizeof name - 1, sizeof value - 1, \
        NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE

struct conn {
    struct ev_io io; /* first: libev hands back its address */
    SSL *ssl;
    nghttp2_session *session;
    const uint8_t *frame; /* what is left of the frame that did not fit; nghttp2 owns it */
    size_t frame_len, out_len;
    bool stuck;         /* an unfinished SSL_write wants the very same bytes again */
    uint8_t out[16384]; /* one full TLS record */
};

static const char body[] = "Hello world\n";
static SSL_CTX *tls;
static nghttp2_session_callbacks *callbacks;

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len,
    uint32_t *flags, nghttp2_data_source *source, void *user)
{
    memcpy(buf, body, sizeof body - 1); /* nghttp2 offers far more than these 12 bytes */
    *flags = NGHTTP2_DATA_FLAG_EOF;
    return sizeof body - 1;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    static const nghttp2_nv fields[] = {{FIELD(":status", "200")},
        {FIELD("content-type", "text/plain")}, {FIELD("content-length", "12")}};
    static const nghttp2_data_provider data = {.read_callback = read_body};
    bool request = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    bool complete = request && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    return complete ? nghttp2_submit_response(session, frame->hd.stream_id, fields, 3, &data) : 0;
}

static void conn_free(struct ev_loop *loop, struct conn *conn)
{
    ev_io_stop(loop, &conn->io);
    SSL_free(conn->ssl);
    nghttp2_session_del(conn->session);
    close(conn->io.fd);
    free(conn);
}

/* After a TLS call that moved no byte: waits for what it wants; false when the peer is gone. */
static bool blocked(struct conn *conn, int result, int *interest)
{
    int error = SSL_get_error(conn->ssl, result);
    *interest |= error == SSL_ERROR_WANT_WRITE ? EV_WRITE : 0;
    return error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ;
}

static bool receive(struct conn *conn, int *interest)
{
    static uint8_t in[16384];
    int got;
    while ((got = SSL_read(conn->ssl, in, sizeof in)) > 0) {
        if (nghttp2_session_mem_recv(conn->session, in, got) < 0) {
            return false;
        }
    }
    return blocked(conn, got, interest);
}

/* Moves frames into the buffer until it is full or there are no more; true when it holds some. */
static bool gather(struct conn *conn)
{
    size_t space;
    while ((space = sizeof conn->out - conn->out_len) > 0) {
        if (conn->frame_len == 0) {
            ssize_t len = nghttp2_session_mem_send(conn->session, &conn->frame);
            CHECK(len >= 0); /* it fails only for lack of memory */
            if (len == 0) {
                break;
            }
            conn->frame_len = len;
        }
        size_t part = conn->frame_len < space ? conn->frame_len : space;
        memcpy(conn->out + conn->out_len, conn->frame, part);
        conn->out_len += part;
        conn->frame += part;
        conn->frame_len -= part;
    }
    return conn->out_len > 0;
}

static bool transmit(struct conn *conn, int *interest)
{
    while (conn->stuck || gather(conn)) {
        int put = SSL_write(conn->ssl, conn->out, (int)conn->out_len);
        if ((conn->stuck = put <= 0)) {
            return blocked(conn, put, interest);
        }
        conn->out_len = 0;
    }
    return true;
}

static void on_ready(struct ev_loop *loop, struct ev_io *io, int events)
{
    struct conn *conn = (struct conn *)io;
    int interest = EV_READ;
    ERR_clear_error();
    bool alive = receive(conn, &interest) && transmit(conn, &interest) &&
                 (conn->out_len > 0 || nghttp2_session_want_read(conn->session));
    if (!alive) {
        conn_free(loop, conn);
    } else if (interest != (io->events & (EV_READ | EV_WRITE))) {
        ev_io_stop(loop, io);
        ev_io_set(io, io->fd, interest);
        ev_io_start(loop, io);
    }
}

static void on_accept(struct ev_loop *loop, struct ev_io *io, int events)
{
    static const nghttp2_settings_entry limit = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 128};
    int fd;
    while ((fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct conn *conn = calloc(1, sizeof *conn);
        CHECK(conn && (conn->ssl = SSL_new(tls)) && SSL_set_fd(conn->ssl, fd));
        CHECK(nghttp2_session_server_new(&conn->session, callbacks, conn) == 0);
        CHECK(nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, &limit, 1) == 0);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        SSL_set_accept_state(conn->ssl);
        ev_io_init(&conn->io, on_ready, fd, EV_READ);
        ev_io_start(loop, &conn->io);
    }
}

static void on_term(struct ev_loop *loop, struct ev_signal *signal, int events)
{
    ev_break(loop, EVBREAK_ALL);
}

static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *offered, unsigned int offered_len, void *arg)
{
    bool h2 = nghttp2_select_next_protocol((uint8_t **)out, out_len, offered, offered_len) == 1;
    return h2 ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Makes the TLS context and its self-signed certificate; both live as long as the process. */
static void tls_init(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    CHECK(key && cert && (tls = SSL_CTX_new(TLS_server_method())));
    X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    CHECK(X509_set_pubkey(cert, key) && X509_sign(cert, key, EVP_sha256()));
    CHECK(SSL_CTX_use_certificate(tls, cert) == 1 && SSL_CTX_use_PrivateKey(tls, key) == 1);
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(tls, choose_h2, NULL);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    struct sockaddr_in at = {AF_INET, htons(atoi(argv[1])), {htonl(INADDR_LOOPBACK)}, {0}};
    struct ev_loop *loop = ev_default_loop(0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(loop && fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    CHECK(bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, SOMAXCONN) == 0);
    signal(SIGPIPE, SIG_IGN);
    tls_init();
    CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    struct ev_io listener;
    struct ev_signal term;
    ev_io_init(&listener, on_accept, fd, EV_READ);
    ev_io_start(loop, &listener);
    ev_signal_init(&term, on_term, SIGTERM);
    ev_signal_start(loop, &term);
    ev_run(loop, 0);
    return 0;
}

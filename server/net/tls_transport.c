/* One connection's TLS. OpenSSL reads from and writes to the wire through a BIO of our own. */
#include "net/tls_private.h"

#include "core/check.h"
#include "core/mem.h"

#include <openssl/bio.h>
#include <openssl/err.h>

#include <stdbool.h>
#include <string.h>

struct tls_state {
    SSL *ssl;
    bool no_shutdown; /* SSL_shutdown must not be called after a fatal error */
    bool renegotiate; /* the client has asked for a renegotiation */
    uint32_t updates; /* KeyUpdates of the peer since tls_take_key_updates */
};

static int wire_read(BIO *bio, char *buf, int size)
{
    struct wire *w = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (w->in_left == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t n = (size_t)size < w->in_left ? (size_t)size : w->in_left;
    memcpy(buf, w->in_next, n);
    w->in_next += n;
    w->in_left -= n;
    return (int)n;
}

static int wire_write(BIO *bio, const char *data, int n)
{
    struct wire *w = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if ((size_t)n > sizeof w->out - w->out_len) {
        BIO_set_retry_write(bio);
        return -1;
    }
    memcpy(w->out + w->out_len, data, (size_t)n);
    w->out_len += (size_t)n;
    return n;
}

static long wire_ctrl(BIO *bio, int command, long number, void *arg)
{
    (void)bio, (void)number, (void)arg;
    return command == BIO_CTRL_FLUSH;
}

/* Made once, and kept until the process ends. */
static const BIO_METHOD *wire_method(void)
{
    static BIO_METHOD *method;
    if (method)
        return method;
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
    if (!method)
        return NULL;
    BIO_meth_set_read(method, wire_read);
    BIO_meth_set_write(method, wire_write);
    BIO_meth_set_ctrl(method, wire_ctrl);
    return method;
}

static BIO *wire_bio(struct wire *wire)
{
    const BIO_METHOD *method = wire_method();
    BIO *bio = method ? BIO_new(method) : NULL;
    if (!bio)
        return NULL;
    BIO_set_data(bio, wire);
    BIO_set_init(bio, 1);
    return bio;
}

/* OpenSSL answers a renegotiation with a warning and goes on; RFC 9113 9.2.1 requires that the
 * connection end. */
static void on_info(const SSL *ssl, int where, int value)
{
    struct tls_state *s = SSL_get_app_data(ssl);
    if (where == SSL_CB_WRITE_ALERT && (value & 0xff) == SSL_AD_NO_RENEGOTIATION)
        s->renegotiate = true;
}

static void on_message(
    int sent, int version, int type, const void *data, size_t n, SSL *ssl, void *arg)
{
    struct tls_state *s = arg;
    (void)version, (void)ssl;
    if (!sent && type == SSL3_RT_HANDSHAKE && n && *(const uint8_t *)data == SSL3_MT_KEY_UPDATE)
        s->updates++;
}

uint32_t tls_take_key_updates(const struct transport *t)
{
    struct tls_state *s = t->state;
    uint32_t updates = s->updates;
    s->updates = 0;
    return updates;
}

static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_error());
    return text ? text : "cut short";
}

static enum rc handshake(struct transport *t, const char **why)
{
    struct tls_state *s = t->state;
    ERR_clear_error();
    int done = SSL_do_handshake(s->ssl);
    if (done == 1)
        return RC_OK;
    if (SSL_get_error(s->ssl, done) == SSL_ERROR_WANT_READ)
        return RC_AGAIN;
    s->no_shutdown = true;
    long verified = SSL_get_verify_result(s->ssl);
    *why = verified == X509_V_OK ? reason() : X509_verify_cert_error_string(verified);
    return RC_PROTOCOL;
}

static enum rc open_bytes(struct transport *t, const uint8_t **data, size_t *n)
{
    struct tls_state *s = t->state;
    ERR_clear_error();
    int got = SSL_read(s->ssl, t->wire->plain, sizeof t->wire->plain);
    if (s->renegotiate)
        return RC_PROTOCOL;
    if (got > 0) {
        *data = t->wire->plain;
        *n = (size_t)got;
        return RC_OK;
    }
    switch (SSL_get_error(s->ssl, got)) {
    case SSL_ERROR_WANT_READ:
        return RC_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return RC_CLOSED;
    default:
        s->no_shutdown = true;
        return RC_PROTOCOL;
    }
}

static enum rc seal(struct transport *t, const uint8_t *data, size_t n)
{
    struct tls_state *s = t->state;
    if (n == 0)
        return RC_OK;
    check_hot(n <= WIRE_RECORD);
    ERR_clear_error();
    int sealed = SSL_write(s->ssl, data, (int)n);
    if (sealed > 0)
        return RC_OK;
    s->no_shutdown = true;
    return SSL_get_error(s->ssl, sealed) == SSL_ERROR_WANT_WRITE ? RC_NOMEM : RC_SYSTEM;
}

static void end(struct transport *t)
{
    struct tls_state *s = t->state;
    if (s->no_shutdown || !SSL_is_init_finished(s->ssl))
        return;
    /* A second call would read, waiting for the peer's close_notify. */
    if (SSL_get_shutdown(s->ssl) & SSL_SENT_SHUTDOWN)
        return;
    ERR_clear_error();
    (void)SSL_shutdown(s->ssl);
}

static void fini(struct transport *t)
{
    struct tls_state *s = t->state;
    SSL_free(s->ssl);
    mem_put(s, sizeof *s);
    t->state = NULL;
}

static const struct transport_ops tls_ops = {
    .handshake = handshake,
    .open = open_bytes,
    .seal = seal,
    .end = end,
    .fini = fini,
};

static bool attach(SSL *ssl, struct tls_state *s, struct wire *wire)
{
    BIO *bio = wire_bio(wire);
    if (!bio)
        return false;
    SSL_set_bio(ssl, bio, bio);
    SSL_set_info_callback(ssl, on_info);
    SSL_set_msg_callback(ssl, on_message);
    SSL_set_msg_callback_arg(ssl, s);
    return SSL_set_app_data(ssl, s);
}

enum rc tls_transport_adopt(struct transport *t, SSL *ssl, struct wire *wire)
{
    struct tls_state *s = ssl ? mem_get_zeroed(sizeof *s) : NULL;
    if (!s || !attach(ssl, s, wire)) {
        SSL_free(ssl);
        mem_put(s, sizeof *s);
        return RC_NOMEM;
    }
    s->ssl = ssl;
    *t = (struct transport){.ops = &tls_ops, .wire = wire, .state = s};
    return RC_OK;
}

enum rc tls_transport(struct transport *t, struct tls *tls, struct wire *wire)
{
    SSL *ssl = SSL_new(tls->contexts[0]);
    if (ssl)
        SSL_set_accept_state(ssl);
    return tls_transport_adopt(t, ssl, wire);
}

static const char *alpn(const SSL *ssl)
{
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(ssl, &name, &len);
    return len ? tls_protocol(name, len) : NULL;
}

struct str tls_alpn(const struct transport *t)
{
    const struct tls_state *s = t->state;
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(s->ssl, &name, &len);
    return (struct str){(const char *)name, len};
}

struct tls_info tls_info(const struct transport *t)
{
    const struct tls_state *s = t->state;
    return (struct tls_info){
        .version = SSL_get_version(s->ssl),
        .cipher = SSL_get_cipher_name(s->ssl),
        .sni = SSL_get_servername(s->ssl, TLSEXT_NAMETYPE_host_name),
        .alpn = alpn(s->ssl),
    };
}

#include "net/conn_private.h"

#include "core/clock.h"
#include "core/live.h"
#include "core/log.h"
#include "core/mem.h"
#include "http/exchange.h"
#include "net/access_log.h"
#include "net/address.h"
#include "net/protocol.h"
#include "net/tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

enum { BACKLOG_MAX = WIRE_OUT + 65536 }; /* bytes that a slow peer has not taken yet */

static const double silent_seconds = 0.2;

struct conn *conn_of_link(struct list *link)
{
    return container_of(link, struct conn, link);
}

struct conn *conn_of_dirty(struct list *dirty)
{
    return container_of(dirty, struct conn, dirty);
}

void conn_set_state(struct conn *c, enum conn_state state)
{
    c->state = state;
    c->entered = c->active = clock_monotonic();
}

void conn_mark_dirty(struct conn *c)
{
    if (c->state != CONN_DEAD && !list_linked(&c->dirty))
        list_append(&c->loop->dirty, &c->dirty);
}

static void on_session_dirty(struct session_host *host)
{
    conn_mark_dirty(container_of(host, struct conn, host));
}

static void on_session_alarm(struct session_host *host, double seconds)
{
    timer_start(&container_of(host, struct conn, host)->alarm, seconds);
}

static void on_alarm(struct timer *t)
{
    struct conn *c = container_of(t, struct conn, alarm);
    c->session->ops->on_alarm(c->session);
}

void conn_free_session(struct conn *c, const char *reason)
{
    if (!c->session)
        return;
    timer_stop(&c->alarm);
    c->session->ops->free(c->session, reason);
    c->session = NULL;
}

void conn_close(struct conn *c, const char *reason)
{
    if (c->state == CONN_DEAD)
        return;
    conn_free_session(c, reason);
    conn_set_state(c, CONN_DEAD);
    c->transport.ops->fini(&c->transport);
    ev_io_stop(c->loop->ev, &c->readable);
    ev_io_stop(c->loop->ev, &c->writable);
    close(c->fd);
    log_event(LOG_DEBUG, "connection closed", log_int("conn", (int64_t)c->peer.conn),
        log_str("reason", reason));
    list_remove(&c->dirty);
    list_append(&c->loop->dead, &c->dirty);
}

void conn_free(struct conn *c)
{
    list_remove(&c->link);
    list_remove(&c->dirty);
    bytes_fini(&c->backlog);
    census_leave(&c->loop->census, c->census);
    mem_put(c, sizeof *c);
    live.conns--;
}

/* Reads while there is use for it: what a session does not want now stays with the peer. */
static void watch_input(struct conn *c)
{
    bool wanted = !c->input_ended || c->state == CONN_LINGERING;
    if (c->state == CONN_DEAD)
        return;
    if (c->session && !c->ending)
        wanted &= c->session->ops->wants_input(c->session);
    if (wanted)
        ev_io_start(c->loop->ev, &c->readable);
    else
        ev_io_stop(c->loop->ev, &c->readable);
}

void conn_turn(struct conn *c)
{
    if (c->state <= CONN_OPEN)
        conn_pump(c);
    if (c->session)
        c->session->ops->reap(c->session);
    watch_input(c);
}

static void on_writable(struct ev_loop *ev, ev_io *w, int events)
{
    (void)ev, (void)events;
    conn_mark_dirty(container_of(w, struct conn, writable));
}

/* Receiving. */

static void fill_peer(struct conn *c)
{
    struct tls_info info = tls_info(&c->transport);
    c->peer.tls_version = info.version;
    c->peer.tls_cipher = info.cipher;
    c->peer.tls_sni = info.sni;
}

/* The server is on its way out, and takes what this client had sent before it knew. */
static void leave_at_once(struct conn *c)
{
    conn_shut_down(c);
    loop_notice(c->loop);
}

static void open_session(struct conn *c, enum protocol protocol)
{
    conn_set_state(c, CONN_OPEN);
    if (protocol_open(protocol, c->greeted, &c->host, c->loop->limits, &c->session))
        conn_close(c, "connection lost");
    else if (c->loop->going)
        leave_at_once(c);
}

static void shake_hands(struct conn *c)
{
    const char *why = "";
    enum rc rc = c->transport.ops->handshake(&c->transport, &why);
    if (rc == RC_AGAIN)
        return;
    if (rc) {
        log_event(LOG_INFO, "tls handshake failed", log_int("conn", (int64_t)c->peer.conn),
            log_str("remote", c->peer.remote), log_str("reason", why));
        c->ending = true;
        conn_mark_dirty(c);
        return;
    }
    fill_peer(c);
    open_session(c, protocol_of_alpn(tls_info(&c->transport).alpn));
}

/* The first bytes of a plaintext connection: they tell what it speaks. */
static void greet(struct conn *c, const uint8_t *data, size_t n)
{
    bool first = c->greeted == 0;
    enum protocol protocol = protocol_of_bytes(&c->greeted, data, n);
    if (protocol != PROTOCOL_UNKNOWN)
        open_session(c, protocol);
    else if (first)
        conn_set_state(c, CONN_GREETING);
}

static enum rc take_opened(struct conn *c, const uint8_t *data, size_t n)
{
    if (c->state == CONN_GREETING)
        greet(c, data, n);
    return c->session ? c->session->ops->recv(c->session, data, n) : RC_OK;
}

/* The peer sends nothing more. What it has asked for is answered where the session can; else no
 * more is taken, and the connection ends. */
static void end_input(struct conn *c)
{
    if (c->state != CONN_OPEN || !c->session->ops->end_input(c->session)) {
        c->ending = true;
        return;
    }
    c->input_ended = true;
    c->ended = clock_monotonic();
}

/* Feeds the session all that the wire has received. */
static void feed(struct conn *c)
{
    const uint8_t *data;
    size_t n;
    enum rc rc = RC_OK;
    if (c->state == CONN_HANDSHAKE)
        shake_hands(c);
    while (!rc && (c->state == CONN_GREETING || c->state == CONN_OPEN) && !c->ending) {
        rc = c->transport.ops->open(&c->transport, &data, &n);
        if (!rc && take_opened(c, data, n))
            c->ending = true;
    }
    if (rc == RC_CLOSED)
        end_input(c);
    else if (rc == RC_PROTOCOL)
        c->ending = true;
    if (c->ending)
        conn_mark_dirty(c);
    c->loop->wire->in_left = 0;
}

/* The peer has closed its side of the socket, without a word of TLS's. */
static void meet_end(struct conn *c)
{
    if (c->state == CONN_OPEN && !c->ending)
        end_input(c);
    if (!c->input_ended || c->state != CONN_OPEN)
        conn_close(c, "connection lost");
}

/* Takes what the socket has, up to a wire full. */
static void take_input(struct conn *c)
{
    struct wire *w = c->loop->wire;
    ssize_t n = recv(c->fd, w->in, sizeof w->in, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        conn_close(c, "connection lost");
        return;
    }
    if (n == 0) {
        meet_end(c);
        return;
    }
    if (c->state == CONN_LINGERING || c->ending)
        return;
    c->active = clock_monotonic();
    w->in_next = w->in;
    w->in_left = (size_t)n;
    feed(c);
    if (c->state != CONN_DEAD && w->out_len)
        conn_flush(c);
    w->out_len = 0;
}

static void on_readable(struct ev_loop *ev, ev_io *w, int events)
{
    (void)ev, (void)events;
    struct conn *c = container_of(w, struct conn, readable);
    struct loop *l = c->loop;
    take_input(c);
    watch_input(c);
    loop_turn(l);
}

/* Life. */

static enum rc init_transport(struct conn *c, struct tls *tls)
{
    c->has_tls = tls;
    if (tls)
        return tls_transport(&c->transport, tls, c->loop->wire);
    transport_plain(&c->transport, c->loop->wire);
    return RC_OK;
}

enum rc conn_open(struct loop *l, int fd, struct tls *tls, const struct sockaddr *sa, socklen_t len)
{
    struct census_entry *census = NULL;
    struct conn *c = NULL;
    enum rc rc =
        census_enter(&l->census, sa, l->limits->max_conns, l->limits->max_conns_each, &census);
    if (rc)
        goto fail;
    c = mem_get_zeroed(sizeof *c);
    rc = c ? RC_OK : RC_NOMEM;
    if (rc)
        goto fail;
    c->loop = l;
    c->fd = fd;
    c->census = census;
    rc = init_transport(c, tls);
    if (rc)
        goto fail;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    c->peer.conn = ++l->opened;
    c->peer.observer = access_log_observer(l->access_log);
    address_format(sa, len, c->peer.remote);
    c->host = (struct session_host){.dirty = on_session_dirty,
        .alarm = on_session_alarm,
        .handler = l->handler,
        .peer = &c->peer};
    timer_init(&c->alarm, l->ev, on_alarm);
    bytes_init(&c->backlog, BACKLOG_MAX);
    list_init(&c->dirty);
    list_append(&l->conns, &c->link);
    conn_set_state(c, tls ? CONN_HANDSHAKE : CONN_GREETING);
    ev_io_init(&c->readable, on_readable, fd, EV_READ);
    ev_io_init(&c->writable, on_writable, fd, EV_WRITE);
    ev_io_start(l->ev, &c->readable);
    live.conns++;
    log_event(LOG_DEBUG, "connection opened", log_int("conn", (int64_t)c->peer.conn),
        log_str("remote", c->peer.remote));
    return RC_OK;

fail:
    close(fd);
    if (census)
        census_leave(&l->census, census);
    mem_put(c, sizeof *c);
    return rc;
}

/* Whether nothing was received in a time in which a client that wants something says so. */
static bool is_silent(const struct conn *c)
{
    return c->active == c->entered && clock_monotonic() - c->entered > silent_seconds;
}

void conn_shut_down(struct conn *c)
{
    if (c->session)
        c->session->ops->shut_down(c->session);
    else if (c->state <= CONN_GREETING && c->greeted == 0 && is_silent(c))
        conn_close(c, "shutdown");
}

void conn_cut_handshake(struct conn *c)
{
    if (c->state == CONN_HANDSHAKE)
        conn_close(c, "shutdown");
}

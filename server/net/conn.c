#include "net/conn.h"

#include "core/bytes.h"
#include "core/clock.h"
#include "core/live.h"
#include "core/log.h"
#include "core/mem.h"
#include "h2/session.h"
#include "http/exchange.h"
#include "http/session.h"
#include "net/address.h"
#include "net/tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

enum {
    BACKLOG_MAX = WIRE_OUT + 65536, /* bytes that a slow peer has not taken yet */
    LINGER_SECONDS = 2,
};

static const double silent_seconds = 0.2;

enum conn_state { CONN_HANDSHAKE, CONN_OPEN, CONN_LINGERING, CONN_DEAD };

struct conn {
    struct list link, dirty;
    struct loop *loop;
    enum conn_state state;
    int fd;
    bool has_tls;
    bool ending; /* no more input is taken; what is to be sent goes out, and then it lingers */
    struct transport transport;
    struct session *session; /* in CONN_OPEN */
    struct session_host host;
    struct peer peer;
    struct bytes backlog; /* sealed bytes that the socket did not take */
    double entered;       /* when the state was */
    double active;        /* when bytes were last received, or taken by the socket */
    double taken;         /* when bytes were last taken by the socket, or it had taken all */
    struct census_entry *census;
    struct timer alarm; /* the session's */
    ev_io readable, writable;
};

struct conn *conn_of_link(struct list *link)
{
    return container_of(link, struct conn, link);
}

struct conn *conn_of_dirty(struct list *dirty)
{
    return container_of(dirty, struct conn, dirty);
}

static void set_state(struct conn *c, enum conn_state state)
{
    c->state = state;
    c->entered = c->active = clock_monotonic();
}

static void mark_dirty(struct conn *c)
{
    if (c->state != CONN_DEAD && !list_linked(&c->dirty))
        list_append(&c->loop->dirty, &c->dirty);
}

static void on_session_dirty(struct session_host *host)
{
    mark_dirty(container_of(host, struct conn, host));
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

static void free_session(struct conn *c, const char *reason)
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
    free_session(c, reason);
    set_state(c, CONN_DEAD);
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

/* Sending. */

/* What the socket takes of n bytes; -1 when the connection is lost. */
static ssize_t send_some(struct conn *c, const void *data, size_t n)
{
    double now = clock_monotonic();
    if (c->backlog.len == 0)
        c->taken = now;
    ssize_t sent = send(c->fd, data, n, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    c->active = c->taken = now;
    return sent;
}

static enum rc send_backlog(struct conn *c)
{
    while (c->backlog.len) {
        size_t n;
        const char *front = bytes_front(&c->backlog, &n);
        ssize_t sent = send_some(c, front, n);
        if (sent < 0)
            return RC_CLOSED;
        bytes_drop(&c->backlog, (size_t)sent);
        if ((size_t)sent < n)
            return RC_AGAIN;
    }
    return RC_OK;
}

/* Sends what the wire holds; what the socket does not take goes to the backlog. RC_AGAIN when
 * something waits there, RC_CLOSED, RC_LIMIT, RC_NOMEM. */
static enum rc flush(struct conn *c)
{
    struct wire *w = c->loop->wire;
    enum rc rc = send_backlog(c);
    size_t n = w->out_len, sent = 0;
    w->out_len = 0;
    if (!rc && n) {
        ssize_t taken = send_some(c, w->out, n);
        if (taken < 0)
            return RC_CLOSED;
        sent = (size_t)taken;
        rc = sent < n ? RC_AGAIN : RC_OK;
    }
    if (rc != RC_AGAIN)
        return rc;
    ev_io_start(c->loop->ev, &c->writable);
    enum rc kept = bytes_append(&c->backlog, w->out + sent, n - sent);
    return kept ? kept : RC_AGAIN;
}

/* Flushes; a connection that can't is closed. */
static bool flush_or_close(struct conn *c)
{
    enum rc rc = flush(c);
    if (rc == RC_OK || rc == RC_AGAIN)
        return rc == RC_OK;
    conn_close(c, "connection lost");
    return false;
}

/* Gathers sealed bytes in the wire, up to its mark; whether the session may have more. */
static bool gather(struct conn *c)
{
    struct wire *w = c->loop->wire;
    while (w->out_len < WIRE_MARK) {
        size_t n = c->session->ops->fill(c->session, w->plain, sizeof w->plain);
        if (n == 0)
            return false;
        if (c->transport.ops->seal(&c->transport, w->plain, n)) {
            conn_close(c, "connection lost");
            return false;
        }
    }
    return true;
}

/* The last bytes of ours, and then the peer's end is awaited. */
static void linger(struct conn *c)
{
    c->ending = true;
    free_session(c, "connection lost");
    c->transport.ops->end(&c->transport);
    if (!flush_or_close(c))
        return;
    shutdown(c->fd, SHUT_WR);
    set_state(c, CONN_LINGERING);
}

/* Sends until the session has nothing more, the socket takes nothing more, or the wire was full
 * once: then others have their turn. */
static void pump(struct conn *c)
{
    if (!flush_or_close(c))
        return;
    ev_io_stop(c->loop->ev, &c->writable);
    bool more = c->session && gather(c);
    if (c->state == CONN_DEAD || !flush_or_close(c))
        return;
    if (more)
        mark_dirty(c);
    else if (c->ending || (c->session && c->session->ops->is_over(c->session)))
        linger(c);
}

void conn_turn(struct conn *c)
{
    if (c->state == CONN_HANDSHAKE || c->state == CONN_OPEN)
        pump(c);
    if (c->session)
        c->session->ops->reap(c->session);
}

static void on_writable(struct ev_loop *ev, ev_io *w, int events)
{
    (void)ev, (void)events;
    mark_dirty(container_of(w, struct conn, writable));
}

/* Receiving. */

static void fill_peer(struct conn *c)
{
    c->peer.protocol = "HTTP/2";
    if (!c->has_tls)
        return;
    struct tls_info info = tls_info(&c->transport);
    c->peer.tls_version = info.version;
    c->peer.tls_cipher = info.cipher;
    c->peer.tls_sni = info.sni;
}

/* The peer spoke no protocol that this server has. */
static void refuse_protocol(struct conn *c)
{
    log_event(LOG_WARN, "no common protocol", log_int("conn", (int64_t)c->peer.conn),
        log_str("remote", c->peer.remote),
        log_str("reason", "the client did not ask for h2 by ALPN"));
    c->ending = true;
    mark_dirty(c);
}

/* The server is on its way out, and takes what this client had sent before it knew. */
static void leave_at_once(struct conn *c)
{
    conn_shut_down(c);
    loop_notice(c->loop);
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
        mark_dirty(c);
        return;
    }
    set_state(c, CONN_OPEN);
    fill_peer(c);
    if (c->has_tls && !tls_info(&c->transport).alpn)
        refuse_protocol(c);
    else if (h2_session_new(&c->host, c->loop->limits->h2, &c->session))
        conn_close(c, "connection lost");
    else if (c->loop->going)
        leave_at_once(c);
}

/* Feeds the session all that the wire has received. */
static void feed(struct conn *c)
{
    const uint8_t *data;
    size_t n;
    enum rc rc = RC_OK;
    if (c->state == CONN_HANDSHAKE)
        shake_hands(c);
    while (c->state == CONN_OPEN && !c->ending) {
        rc = c->transport.ops->open(&c->transport, &data, &n);
        if (rc)
            break;
        if (c->session->ops->recv(c->session, data, n))
            c->ending = true;
    }
    if (rc == RC_CLOSED || rc == RC_PROTOCOL)
        c->ending = true;
    if (c->ending)
        mark_dirty(c);
    c->loop->wire->in_left = 0;
}

/* Takes what the socket has, up to a wire full. */
static void take_input(struct conn *c)
{
    struct wire *w = c->loop->wire;
    ssize_t n = recv(c->fd, w->in, sizeof w->in, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        conn_close(c, "connection lost");
        return;
    }
    if (c->state == CONN_LINGERING || c->ending)
        return;
    c->active = clock_monotonic();
    w->in_next = w->in;
    w->in_left = (size_t)n;
    feed(c);
    if (c->state != CONN_DEAD && w->out_len)
        flush_or_close(c);
    w->out_len = 0;
}

static void on_readable(struct ev_loop *ev, ev_io *w, int events)
{
    (void)ev, (void)events;
    struct conn *c = container_of(w, struct conn, readable);
    struct loop *l = c->loop;
    take_input(c);
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
    address_format(sa, len, c->peer.remote);
    c->host = (struct session_host){.dirty = on_session_dirty,
        .alarm = on_session_alarm,
        .handler = l->handler,
        .peer = &c->peer};
    timer_init(&c->alarm, l->ev, on_alarm);
    bytes_init(&c->backlog, BACKLOG_MAX);
    list_init(&c->dirty);
    list_append(&l->conns, &c->link);
    set_state(c, CONN_HANDSHAKE);
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
    else if (c->state == CONN_HANDSHAKE && is_silent(c))
        conn_close(c, "shutdown");
}

void conn_cut_handshake(struct conn *c)
{
    if (c->state == CONN_HANDSHAKE)
        conn_close(c, "shutdown");
}

static bool passes(double waited, double limit)
{
    return limit > 0 && waited > limit;
}

/* The option whose limit has passed, or NULL. */
static const char *timeout_passed(const struct conn *c, double now)
{
    const struct net_limits *limits = c->loop->limits;
    double in_state = now - c->entered;
    if (c->state == CONN_LINGERING && in_state > LINGER_SECONDS)
        return "linger";
    if (c->state == CONN_HANDSHAKE && passes(in_state, limits->handshake_timeout))
        return "handshake-timeout";
    if (c->backlog.len && passes(now - c->taken, limits->h2->write_timeout))
        return "write-timeout";
    return NULL;
}

static bool has_idled(const struct conn *c, double now)
{
    return c->session && !c->ending && c->session->ops->is_idle(c->session) &&
           passes(now - c->active, c->loop->limits->idle_timeout);
}

/* Both steps of a graceful end at once (RFC 9113 9.1): what crosses them was not processed, and the
 * peer knows. */
static void end_idle(struct conn *c, double now)
{
    c->active = now;
    conn_shut_down(c);
    conn_shut_down(c);
}

static void log_timeout(const struct conn *c, const char *limit)
{
    log_event(c->state == CONN_LINGERING ? LOG_DEBUG : LOG_INFO, "connection timed out",
        log_str("limit", limit), log_int("conn", (int64_t)c->peer.conn),
        log_str("remote", c->peer.remote));
}

void conn_sweep(struct conn *c, double now, double seconds)
{
    const char *passed = timeout_passed(c, now);
    if (c->session)
        c->session->ops->sweep(c->session, seconds);
    if (passed) {
        log_timeout(c, passed);
        conn_close(c, "timeout");
    } else if (has_idled(c, now)) {
        log_timeout(c, "idle-timeout");
        end_idle(c, now);
    }
}

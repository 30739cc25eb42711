#include "net/conn_private.h"

#include "core/check.h"
#include "core/clock.h"
#include "core/live.h"
#include "core/log.h"
#include "core/mem.h"
#include "http/exchange.h"
#include "net/address.h"
#include "net/dial.h"
#include "net/protocol.h"
#include "net/room.h"
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

static void enter(struct conn *c, enum conn_state state)
{
    c->state = state;
    c->entered = c->active = clock_monotonic();
}

void conn_set_state(struct conn *c, enum conn_state state)
{
    bool greets = state == CONN_GREETING && c->state == CONN_GREETING;
    check(greets || state > c->state);
    enter(c, state);
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
    check(c->session);
    c->session->ops->on_alarm(c->session);
}

static void on_session_changed(struct session_host *host)
{
    struct conn *c = container_of(host, struct conn, host);
    if (c->dial)
        dial_changed(c->dial);
}

void conn_free_session(struct conn *c, struct cut cut)
{
    if (!c->session)
        return;
    timer_stop(&c->alarm);
    c->session->ops->free(c->session, cut);
    c->session = NULL;
}

/* The dial that opened the connection no longer refers to it. */
static void leave_dial(struct conn *c, const char *why)
{
    struct dial *d = c->dial;
    c->dial = NULL;
    if (d)
        dial_lost(d, why);
}

/* A connection that waits for room may get it at once. */
static void leave_census(struct conn *c)
{
    if (c->census)
        census_leave(&c->loop->census, c->census);
    c->census = NULL;
}

void conn_abandon(struct conn *c, const char *why)
{
    leave_dial(c, why);
    conn_set_state(c, CONN_DEAD);
    check(!c->session && !c->dial);
    c->transport.ops->fini(&c->transport);
    ev_io_stop(c->loop->ev, &c->readable);
    ev_io_stop(c->loop->ev, &c->writable);
    close(c->fd);
    log_event(LOG_DEBUG, "connection closed", log_int("conn", (int64_t)c->peer.conn),
        log_str("reason", why));
    list_remove(&c->idle);
    leave_census(c);
    list_remove(&c->dirty);
    list_append(&c->loop->dead, &c->dirty);
}

void conn_close(struct conn *c, struct cut cut)
{
    char text[CODE_NAME_SIZE];
    if (c->state == CONN_DEAD)
        return;
    conn_free_session(c, cut);
    conn_abandon(c, cut_text(cut, text));
}

void conn_disown(struct conn *c, struct cut cut)
{
    conn_free_session(c, cut);
    c->dial = NULL;
    conn_close(c, cut);
}

void conn_free(struct conn *c)
{
    check(c->state == CONN_DEAD);
    list_remove(&c->link);
    list_remove(&c->dirty);
    list_remove(&c->idle);
    bytes_fini(&c->backlog);
    leave_census(c);
    mem_put(c, sizeof *c);
    live.conns--;
}

void conn_watch_input(struct conn *c)
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
    conn_watch_input(c);
    check_hot(c->loop->wire->out_len == 0);
}

static void on_writable(struct ev_loop *ev, ev_io *w, int events)
{
    (void)ev, (void)events;
    conn_mark_dirty(container_of(w, struct conn, writable));
}

size_t conn_memory(const struct conn *c)
{
    return sizeof *c + c->backlog.len + (c->session ? c->session->ops->memory(c->session) : 0);
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

static struct conn *new_conn(struct loop *l, int fd, const struct sockaddr *sa, socklen_t len)
{
    struct conn *c = mem_get_zeroed(sizeof *c);
    if (!c)
        return NULL;
    c->loop = l;
    c->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    c->peer.conn = ++l->opened;
    address_format(sa, len, c->peer.remote);
    c->host = (struct session_host){.dirty = on_session_dirty,
        .alarm = on_session_alarm,
        .changed = on_session_changed,
        .peer = &c->peer};
    timer_init(&c->alarm, l->ev, on_alarm);
    bytes_init(&c->backlog, BACKLOG_MAX);
    list_init(&c->link);
    list_init(&c->dirty);
    list_init(&c->idle);
    ev_io_init(&c->readable, conn_on_readable, fd, EV_READ);
    ev_io_init(&c->writable, on_writable, fd, EV_WRITE);
    return c;
}

static void start(struct conn *c, struct list *list, enum conn_state state)
{
    list_append(list, &c->link);
    enter(c, state);
    ev_io_start(c->loop->ev, &c->readable);
    live.conns++;
    log_event(LOG_DEBUG, "connection opened", log_int("conn", (int64_t)c->peer.conn),
        log_str("remote", c->peer.remote));
}

/* If all places are taken, an idle connection is closed to make room, unless the new one's address
 * has reached its own limit. */
static enum rc enter_census(struct loop *l, const struct sockaddr *sa, struct census_entry **out)
{
    uint32_t all = l->limits->max_conns, each = l->limits->max_conns_each;
    enum rc rc = census_enter(&l->census, sa, all, each, out);
    bool full = rc == RC_LIMIT && all && l->census.total >= all;
    return full && room_make(l, "max-connections") ? census_enter(&l->census, sa, all, each, out)
                                                   : rc;
}

enum rc conn_open(struct loop *l, int fd, struct tls *tls, const struct sockaddr *sa, socklen_t len)
{
    struct census_entry *census = NULL;
    struct conn *c = NULL;
    enum rc rc = enter_census(l, sa, &census);
    if (rc)
        goto fail;
    c = new_conn(l, fd, sa, len);
    rc = c ? init_transport(c, tls) : RC_NOMEM;
    if (rc)
        goto fail;
    c->census = census;
    c->peer.observers = l->observers;
    c->host.handler = l->handler;
    start(c, &l->conns, tls ? CONN_HANDSHAKE : CONN_GREETING);
    return RC_OK;

fail:
    close(fd);
    if (census)
        census_leave(&l->census, census);
    mem_put(c, sizeof *c);
    return rc;
}

static enum rc init_client_transport(struct conn *c, const struct dial_to *to)
{
    struct wire *wire = c->loop->wire;
    c->has_tls = to->tls;
    if (to->tls)
        return tls_client_transport(&c->transport, to->tls, wire, to->host,
            to->protocol == PROTOCOL_HTTP_1 ? tls_alpn_http_1 : tls_alpn_h2);
    transport_plain(&c->transport, wire);
    return RC_OK;
}

enum rc conn_open_out(
    struct loop *l, int fd, struct dial *d, const struct sockaddr *sa, socklen_t len)
{
    struct conn *c = new_conn(l, fd, sa, len);
    enum rc rc = c ? init_client_transport(c, &d->to) : RC_NOMEM;
    if (rc) {
        close(fd);
        mem_put(c, sizeof *c);
        return rc;
    }
    c->dial = d;
    d->conn = c;
    start(c, &l->outgoing, CONN_HANDSHAKE);
    if (!c->has_tls) {
        conn_open_session(c, d->to.protocol);
        return RC_OK;
    }
    conn_shake_hands(c); /* the client speaks first */
    if (l->wire->out_len)
        conn_flush(c);
    check(l->wire->out_len == 0);
    return RC_OK;
}

/* Whether nothing was received for longer than a client with a request would take. */
static bool is_silent(const struct conn *c)
{
    return c->active == c->entered && clock_monotonic() - c->entered > silent_seconds;
}

void conn_shut_down(struct conn *c, enum session_end how)
{
    if (c->session)
        c->session->ops->shut_down(c->session, how);
    else if (c->state <= CONN_GREETING && c->greeted == 0 && is_silent(c))
        conn_close(c, cut_of(CUT_SHUTDOWN));
}

void conn_cut_handshake(struct conn *c)
{
    if (c->state == CONN_HANDSHAKE)
        conn_close(c, cut_of(CUT_SHUTDOWN));
}

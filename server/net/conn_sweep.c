/* Timeouts of a connection, which are counted in sweeps. */
#include "net/conn_private.h"

#include "core/log.h"
#include "h2/limits.h"
#include "http/limits.h"
#include "net/room.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>

enum {
    LINGER_SECONDS = 2,
    HALF_CLOSED_SECONDS = 2, /* for an answer to a peer that has closed its side, and may be gone */
};

static bool passes(double waited, double limit)
{
    return limit > 0 && waited > limit;
}

/* How many bytes the peer's kernel has acknowledged. What our own kernel took says little: it may
 * buffer megabytes, and takes no more until a third of them is sent. */
static uint64_t arrived(const struct conn *c)
{
    int queued = 0;
    if (ioctl(c->fd, SIOCOUTQ, &queued) || queued < 0)
        return c->sent;
    return (uint64_t)queued < c->sent ? c->sent - (uint64_t)queued : 0;
}

/* Whether a client takes what is sent to it too slowly. */
static bool lags(struct conn *c, double seconds)
{
    const struct http_limits *limits = c->loop->limits->http;
    if (c->backlog.len == 0)
        pace_start(&c->taking, c->sent);
    return c->backlog.len && !c->dial &&
           pace_lags(&c->taking, arrived(c), seconds, limits->min_send_rate, limits->write_timeout);
}

/* The option whose limit has passed, or NULL. */
static const char *timeout_passed(struct conn *c, double now, double seconds)
{
    const struct net_limits *limits = c->loop->limits;
    double in_state = now - c->entered;
    if (c->state == CONN_LINGERING && in_state > LINGER_SECONDS)
        return "linger";
    if (c->state == CONN_HANDSHAKE && passes(in_state, limits->handshake_timeout))
        return "handshake-timeout";
    if (c->state == CONN_GREETING && c->greeted == 0 && passes(in_state, limits->idle_timeout))
        return "idle-timeout";
    if (c->greeted && c->state == CONN_GREETING && passes(in_state, limits->h2->preface_timeout))
        return "preface-timeout";
    if (c->backlog.len && passes(now - c->taken, limits->http->write_timeout))
        return "write-timeout";
    if (lags(c, seconds))
        return "min-send-rate";
    return NULL;
}

static bool has_idled(const struct conn *c, double now)
{
    return c->session && !c->dial && !c->ending && c->session->ops->is_idle(c->session) &&
           passes(now - c->active, c->loop->limits->idle_timeout);
}

/* A connection without a session has not sent anything, or lingers. */
double conn_idle_seconds(const struct conn *c, double now)
{
    bool busy = c->state == CONN_DEAD || (c->state == CONN_GREETING && c->greeted);
    if (c->session)
        busy = c->ending || !c->session->ops->is_idle(c->session);
    return busy ? 0 : now - c->active;
}

void conn_say_goodbye(struct conn *c)
{
    conn_shut_down(c, END_NOTICE);
    conn_shut_down(c, END_NOW);
    if (c->session)
        conn_pump(c);
}

/* Both steps of a graceful end at once (RFC 9113 9.1): a request that crosses the GOAWAYs was not
 * processed, and the client knows that. */
static void end_idle(struct conn *c, double now)
{
    c->active = now;
    conn_shut_down(c, END_NOTICE);
    conn_shut_down(c, END_NOW);
}

/* Whether the peer is gone. No event tells while the socket is not read. A peer that has closed
 * only its side looks the same as one that is gone, until something is sent: it takes that, or
 * resets the connection. A server may be gone once its response is here. */
static bool is_gone(const struct conn *c, double now)
{
    struct pollfd p = {.fd = c->fd};
    if (c->dial || ev_is_active(&c->readable))
        return false;
    if (poll(&p, 1, 0) == 1 && p.revents & (POLLERR | POLLHUP))
        return true;
    return c->input_ended && c->backlog.len == 0 && c->active <= c->ended &&
           now - c->ended > HALF_CLOSED_SECONDS;
}

static void log_timeout(const struct conn *c, const char *limit)
{
    log_peer_event(c->state == CONN_LINGERING ? LOG_DEBUG : LOG_INFO, "connection timed out",
        log_str("limit", limit), log_int("conn", (int64_t)c->peer.conn),
        log_str("remote", c->peer.remote));
}

void conn_sweep(struct conn *c, double now, double seconds)
{
    const char *passed = timeout_passed(c, now, seconds);
    if (c->session)
        c->session->ops->sweep(c->session, seconds);
    if (c->state == CONN_OPEN && is_gone(c, now)) {
        conn_close(c, cut_of(CUT_LOST));
    } else if (passed) {
        log_timeout(c, passed);
        conn_close(c, cut_of(CUT_TIMEOUT));
    } else if (has_idled(c, now)) {
        log_timeout(c, "idle-timeout");
        end_idle(c, now);
    }
    room_note_idle(c, c->dial ? 0 : conn_idle_seconds(c, now));
}

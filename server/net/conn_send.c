/* What a connection sends: session → transport → socket. */
#include "net/conn_private.h"

#include "core/check.h"
#include "core/clock.h"

#include <errno.h>
#include <sys/socket.h>

/* How many of n bytes the socket takes; -1 if the connection is lost. */
static ssize_t send_some(struct conn *c, const void *data, size_t n)
{
    double now = clock_monotonic();
    if (c->backlog.len == 0)
        c->taken = now;
    ssize_t sent = send(c->fd, data, n, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    c->active = c->taken = now;
    c->sent += (uint64_t)sent;
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

/* Sends what the wire holds; what the socket does not take goes to the backlog. RC_AGAIN if
 * something waits there; RC_CLOSED, RC_LIMIT, RC_NOMEM. */
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

/* A server may answer early and close without reading the whole request. That resets the
 * connection, but the answer is in our socket and can still be read (RFC 9112 9.5). */
static bool may_have_answered(const struct conn *c)
{
    return c->dial && c->state == CONN_OPEN && c->session && !c->ending;
}

/* From here on the connection only reads, until the peer ends it, and takes no other call. */
static void stop_sending(struct conn *c)
{
    c->send_failed = true;
    bytes_drop(&c->backlog, c->backlog.len);
    ev_io_stop(c->loop->ev, &c->writable);
    c->session->ops->shut_down(c->session, END_NOW);
}

bool conn_flush(struct conn *c)
{
    if (c->state == CONN_DEAD || c->send_failed) {
        c->loop->wire->out_len = 0;
        return c->state != CONN_DEAD;
    }
    enum rc rc = flush(c);
    if (rc == RC_OK || rc == RC_AGAIN)
        return rc == RC_OK;
    if (rc == RC_CLOSED && may_have_answered(c))
        stop_sending(c);
    else
        conn_close(c, cut_of(CUT_LOST));
    return false;
}

/* Gathers sealed bytes in the wire, up to its mark. Returns whether the session may have more. */
static bool gather(struct conn *c)
{
    struct wire *w = c->loop->wire;
    check_hot(w->out_len == 0);
    while (w->out_len < WIRE_MARK) {
        size_t n = c->session->ops->fill(c->session, w->plain, sizeof w->plain);
        check_hot(n <= sizeof w->plain);
        if (n == 0)
            return false;
        if (c->transport.ops->seal(&c->transport, w->plain, n)) {
            conn_close(c, cut_of(CUT_LOST));
            return false;
        }
    }
    return true;
}

/* Sends the last bytes, and then waits until the peer ends the connection. */
static void linger(struct conn *c)
{
    bool orderly = !c->session || !c->session->cut;
    c->ending = true;
    conn_free_session(c, cut_of(CUT_LOST));
    if (orderly)
        c->transport.ops->end(&c->transport);
    if (!conn_flush(c))
        return;
    check(c->backlog.len == 0);
    shutdown(c->fd, SHUT_WR);
    conn_set_state(c, CONN_LINGERING);
}

/* The end of a connection to another server: its close need not be awaited. */
static void leave(struct conn *c)
{
    c->transport.ops->end(&c->transport);
    if (conn_flush(c))
        conn_close(c, cut_of(CUT_CLOSED));
}

void conn_pump(struct conn *c)
{
    if (!conn_flush(c))
        return;
    ev_io_stop(c->loop->ev, &c->writable);
    bool more = c->session && !c->send_failed && gather(c);
    if (!conn_flush(c))
        return;
    bool over = c->ending || (c->session && c->session->ops->is_over(c->session));
    if (more)
        conn_mark_dirty(c);
    else if (over && c->dial)
        leave(c);
    else if (over)
        linger(c);
}

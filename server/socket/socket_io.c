/* What a socket receives and sends. */
#include "core/check.h"
#include "net/tls.h"
#include "socket/socket_group.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum {
    /* KeyUpdates (RFC 8446 4.6.3) at a time: each costs some 30 us, and more than it cost the peer.
     */
    UPDATES_MAX = 32,
    /* What may be opened beyond the bytes that are received: of a record, the rest of which is
     * missing, TLS keeps the beginning. */
    RECORD_KEPT = WIRE_RECORD,
};

/* Watching. */

bool socket_has_room(const struct socket *s)
{
    return inbox_room(&s->in) > (s->transport.ops ? RECORD_KEPT : 0);
}

static unsigned wanted_events(const struct socket *s)
{
    unsigned events = 0;
    bool shakes = s->state == SOCKET_SHAKING_HANDS;
    if (shakes ? s->has_tls : s->state == SOCKET_KEPT)
        events = DESCRIPTOR_READABLE;
    if (s->state == SOCKET_OPEN && !s->ended && socket_has_room(s))
        events = DESCRIPTOR_READABLE;
    if (!s->cut && (s->sealed.len || s->out.len))
        events |= DESCRIPTOR_WRITABLE;
    return events;
}

void socket_watch(struct socket *s)
{
    unsigned events = s->fd >= 0 ? wanted_events(s) : 0;
    if (events == s->events)
        return;
    s->events = events;
    if (events)
        descriptor_watch(&s->descriptor, s->fd, events);
    else
        descriptor_stop(&s->descriptor);
}

/* Sending. */

/* The peer takes nothing more. */
static void cut(struct socket *s)
{
    s->cut = true;
    bytes_drop(&s->out, s->out.len);
    bytes_drop(&s->sealed, s->sealed.len);
    if (s->state == SOCKET_SHAKING_HANDS)
        socket_fail(s, SOCKET_UNREACHABLE, strerror(errno));
    else if (s->ops)
        socket_tell(s, s->ops->on_room);
}

/* Sends what is queued there. Returns whether all of it was taken. */
static bool send_queue(struct socket *s, struct bytes *queue)
{
    while (queue->len) {
        size_t n;
        const char *front = bytes_front(queue, &n);
        ssize_t sent = send(s->fd, front, n, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            cut(s);
            return false;
        }
        if (sent > 0)
            bytes_drop(queue, (size_t)sent);
        if (sent < (ssize_t)n)
            return false;
    }
    return true;
}

/* Sends what the wire holds, and keeps the rest. */
static bool send_wire(struct socket *s)
{
    struct wire *w = s->all->wire;
    size_t n = w->out_len;
    w->out_len = 0;
    if (n && !s->cut && bytes_append(&s->sealed, w->out, n)) {
        socket_fail(s, SOCKET_NO_MEMORY, rc_text(RC_NOMEM));
        return false;
    }
    return send_queue(s, &s->sealed);
}

/* Seals what is queued, up to the wire's mark. */
static bool seal(struct socket *s)
{
    struct wire *w = s->all->wire;
    while (s->out.len && w->out_len < WIRE_MARK) {
        size_t n = bytes_take(&s->out, w->plain, sizeof w->plain);
        if (s->transport.ops->seal(&s->transport, w->plain, n)) {
            w->out_len = 0;
            socket_fail(s, SOCKET_LOST, "TLS failed");
            return false;
        }
    }
    return true;
}

static bool send_all(struct socket *s)
{
    if (!s->has_tls)
        return send_queue(s, &s->out);
    if (!send_queue(s, &s->sealed))
        return false;
    while (s->out.len)
        if (!seal(s) || !send_wire(s))
            return false;
    return true;
}

/* This side's direction ends. */
static bool send_end(struct socket *s)
{
    if (!s->finished && s->has_tls && s->state != SOCKET_SHAKING_HANDS)
        s->transport.ops->end(&s->transport);
    if (!s->finished && !s->has_tls && s->state != SOCKET_CLOSING)
        shutdown(s->fd, SHUT_WR);
    s->finished = true;
    return !s->has_tls || send_wire(s);
}

bool socket_send(struct socket *s)
{
    size_t before = bytes_room(&s->out);
    if (s->cut || s->state == SOCKET_FAILED)
        return true;
    bool all = send_all(s);
    if (all && s->state == SOCKET_SHAKING_HANDS && !s->has_tls) {
        s->has_tls = true;
        socket_shake_hands(s);
        all = s->state != SOCKET_FAILED;
    } else if (all && s->finishing) {
        all = send_end(s);
    }
    if (s->state == SOCKET_FAILED)
        return true;
    socket_watch(s);
    if (s->ops && bytes_room(&s->out) > before)
        socket_tell(s, s->ops->on_room);
    return all;
}

/* Receiving. */

static void tell_input(struct socket *s)
{
    if (s->ops && (s->ended || s->in.end - s->in.start >= s->wanted || !socket_has_room(s)))
        socket_tell(s, s->ops->on_input);
}

static void end_input(struct socket *s)
{
    s->ended = true;
    if (s->state == SOCKET_KEPT)
        socket_fail(s, SOCKET_LOST, "closed");
}

/* The result of recv, if it is no bytes. */
static void meet_end(struct socket *s, ssize_t n)
{
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    enum socket_failure failure =
        s->state == SOCKET_SHAKING_HANDS ? SOCKET_UNREACHABLE : SOCKET_LOST;
    if (n < 0)
        socket_fail(s, failure, strerror(errno));
    else if (s->has_tls)
        socket_fail(s, failure, "the connection was cut");
    else
        end_input(s);
}

static void receive_plain(struct socket *s)
{
    char *at;
    size_t room;
    if (inbox_reserve(&s->in, 1, &at, &room)) {
        socket_fail(s, SOCKET_NO_MEMORY, rc_text(RC_NOMEM));
        return;
    }
    ssize_t n = recv(s->fd, at, room, 0);
    if (n > 0)
        inbox_add(&s->in, (size_t)n);
    else
        meet_end(s, n);
}

static enum rc take_opened(struct socket *s, const uint8_t *data, size_t n)
{
    char *at;
    size_t room;
    if (s->state == SOCKET_KEPT) {
        socket_fail(s, SOCKET_LOST, "unexpected bytes");
        return RC_CLOSED;
    }
    if (inbox_reserve(&s->in, n, &at, &room))
        return RC_NOMEM;
    memcpy(at, data, n);
    inbox_add(&s->in, n);
    return RC_OK;
}

static void open_records(struct socket *s)
{
    const uint8_t *data;
    size_t n;
    enum rc rc, taken = RC_OK;
    do {
        rc = s->transport.ops->open(&s->transport, &data, &n);
        if (!rc)
            taken = take_opened(s, data, n);
    } while (!rc && !taken);
    if (taken == RC_NOMEM)
        socket_fail(s, SOCKET_NO_MEMORY, rc_text(RC_NOMEM));
    else if (rc == RC_CLOSED)
        end_input(s);
    else if (rc == RC_PROTOCOL)
        socket_fail(s, SOCKET_LOST, "invalid TLS");
}

static void receive_sealed(struct socket *s)
{
    struct wire *w = s->all->wire;
    size_t most = sizeof w->in, room = inbox_room(&s->in) - RECORD_KEPT;
    ssize_t n = recv(s->fd, w->in, most < room ? most : room, 0);
    if (n <= 0) {
        meet_end(s, n);
        return;
    }
    w->in_next = w->in;
    w->in_left = (size_t)n;
    if (s->state == SOCKET_SHAKING_HANDS)
        socket_shake_hands(s);
    if (s->state == SOCKET_OPEN || s->state == SOCKET_KEPT)
        open_records(s);
    w->in_left = 0;
    if (tls_take_key_updates(&s->transport) > UPDATES_MAX)
        socket_fail(s, SOCKET_LOST, "too many KeyUpdates");
    if (s->state != SOCKET_FAILED)
        send_wire(s);
    w->out_len = 0;
}

void socket_shake_hands(struct socket *s)
{
    const char *why = NULL;
    enum rc rc = s->transport.ops->handshake(&s->transport, &why);
    if (rc == RC_OK)
        socket_set_state(s, SOCKET_OPEN);
    if (!send_wire(s) && s->state == SOCKET_FAILED)
        return;
    if (rc == RC_OK)
        socket_tell(s, s->ops->on_state);
    else if (rc != RC_AGAIN)
        socket_fail(s, SOCKET_UNREACHABLE, why);
}

static void receive(struct socket *s)
{
    if (s->has_tls)
        receive_sealed(s);
    else if (s->state == SOCKET_KEPT)
        socket_fail(s, SOCKET_LOST, "readable");
    else
        receive_plain(s);
    if (s->state != SOCKET_FAILED)
        tell_input(s);
}

void socket_on_ready(struct descriptor *d, unsigned events)
{
    struct socket *s = container_of(d, struct socket, descriptor);
    if (events & s->events & DESCRIPTOR_READABLE)
        receive(s);
    if (events & s->events & DESCRIPTOR_WRITABLE)
        socket_mark_dirty(s);
    if (s->state != SOCKET_FAILED)
        socket_watch(s);
}

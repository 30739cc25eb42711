/* What a connection receives: socket → transport → session. */
#include "net/conn_private.h"

#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"
#include "h2/limits.h"
#include "net/dial.h"
#include "net/loop.h"
#include "net/misplaced.h"
#include "net/protocol.h"
#include "net/tls.h"

#include <errno.h>
#include <sys/socket.h>

static void fill_peer(struct conn *c)
{
    struct tls_info info = tls_info(&c->transport);
    c->peer.tls_version = info.version;
    c->peer.tls_cipher = info.cipher;
    c->peer.tls_sni = info.sni;
}

/* The server is shutting down: it takes what this client sent before it could know. */
static void leave_at_once(struct conn *c)
{
    conn_shut_down(c, END_NOTICE);
    loop_notice(c->loop);
}

static void open_client_session(struct conn *c, enum protocol protocol)
{
    if (protocol_open_client(protocol, &c->host, c->loop->limits, &c->session))
        conn_abandon(c, rc_text(RC_NOMEM));
    else
        dial_opened(c->dial, c->session);
}

void conn_open_session(struct conn *c, enum protocol protocol)
{
    conn_set_state(c, CONN_OPEN);
    check(!c->session);
    if (c->dial)
        open_client_session(c, protocol);
    else if (protocol_open(protocol, c->greeted, &c->host, c->loop->limits, &c->session))
        conn_close(c, cut_of(CUT_LOST));
    else if (c->loop->going)
        leave_at_once(c);
}

/* Sends the TLS alert, if there is one, before closing. */
static void fail_outgoing(struct conn *c, const char *why)
{
    if (conn_flush(c))
        conn_abandon(c, why);
}

static void end_handshake(struct conn *c)
{
    enum protocol protocol = protocol_of_alpn(tls_info(&c->transport).alpn);
    fill_peer(c);
    if (c->dial && c->dial->to.protocol == PROTOCOL_HTTP_2 && protocol != PROTOCOL_HTTP_2)
        fail_outgoing(c, "it does not speak HTTP/2");
    else
        conn_open_session(c, protocol);
}

static void note_refusal(const struct conn *c, const char *event, const char *why)
{
    log_peer_event(LOG_INFO, event, log_int("conn", (int64_t)c->peer.conn),
        log_str("remote", c->peer.remote), log_str("reason", why));
}

static void refuse(struct conn *c, const char *event, const char *why)
{
    note_refusal(c, event, why);
    c->ending = true;
    conn_mark_dirty(c);
}

void conn_shake_hands(struct conn *c)
{
    const char *why = "";
    enum rc rc = c->transport.ops->handshake(&c->transport, &why);
    if (rc == RC_AGAIN)
        return;
    if (rc && c->dial) {
        fail_outgoing(c, why);
        return;
    }
    if (rc) {
        refuse(c, "tls handshake failed", why);
        return;
    }
    end_handshake(c);
}

/* Looks at the first bytes on a TLS port. A plaintext request is received as such, to be told that
 * this port speaks TLS. */
static void meet(struct conn *c)
{
    const struct wire *w = c->loop->wire;
    const char *why = misplaced_reason(true, w->in_next, w->in_left);
    c->met = true;
    if (why) {
        refuse(c, "tls handshake failed", why);
    } else if (misplaced_is_plaintext(w->in_next, w->in_left)) {
        log_peer_event(LOG_INFO, "tls handshake failed", log_int("conn", (int64_t)c->peer.conn),
            log_str("remote", c->peer.remote), log_str("reason", "plaintext on an https port"));
        c->transport.ops->fini(&c->transport);
        transport_plain(&c->transport, c->loop->wire);
        c->has_tls = false;
        c->host.handler = &misplaced_handler;
        conn_set_state(c, CONN_GREETING);
    }
}

/* Looks at the first bytes of a plaintext connection: they tell its protocol. */
static void greet(struct conn *c, const uint8_t *data, size_t n)
{
    bool first = c->greeted == 0;
    const char *why = first ? misplaced_reason(false, data, n) : NULL;
    if (why && !misplaced_is_answered(data, n)) {
        refuse(c, "request refused", why);
        return;
    }
    if (why)
        note_refusal(c, "request refused", why);
    enum protocol protocol = protocol_of_bytes(&c->greeted, data, n);
    if (protocol != PROTOCOL_UNKNOWN)
        conn_open_session(c, protocol);
    else if (first)
        conn_set_state(c, CONN_GREETING);
}

static enum rc take_opened(struct conn *c, const uint8_t *data, size_t n)
{
    if (c->state == CONN_GREETING)
        greet(c, data, n);
    return c->session ? c->session->ops->recv(c->session, data, n) : RC_OK;
}

/* The peer sends nothing more. The session may still answer what it has received; if it cannot, the
 * connection ends. */
static void end_input(struct conn *c)
{
    if (c->state != CONN_OPEN || !c->session->ops->end_input(c->session)) {
        c->ending = true;
        return;
    }
    c->input_ended = true;
    c->ended = clock_monotonic();
}

/* A KeyUpdate costs some 30 us and is invisible to the session: it is limited like a control
 * frame. */
static void count_key_updates(struct conn *c)
{
    uint32_t limit = c->loop->limits->h2->a_second[GUARD_CONTROL];
    bool within = true;
    for (uint32_t left = tls_take_key_updates(&c->transport); within && left; left--)
        within = guard_count(&c->control, GUARD_CONTROL, limit);
    if (within)
        return;
    log_peer_event(LOG_WARN, "limit reached", log_str("limit", guard_name(GUARD_CONTROL)),
        log_str("frame", "KeyUpdate"), log_int("conn", (int64_t)c->peer.conn),
        log_str("remote", c->peer.remote));
    c->ending = true;
    conn_mark_dirty(c);
}

/* Feeds the session all that the wire has received. */
static void feed(struct conn *c)
{
    const uint8_t *data;
    size_t n;
    enum rc rc = RC_OK;
    if (c->state == CONN_HANDSHAKE && !c->met && !c->dial)
        meet(c);
    if (c->state == CONN_HANDSHAKE && !c->ending)
        conn_shake_hands(c);
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
    if (c->has_tls && c->state == CONN_OPEN)
        count_key_updates(c);
}

/* The peer has closed its side of the socket without a TLS close_notify or, after a failed send,
 * reset the connection. A truncated response could look complete then (RFC 9112 9.8). */
static void meet_end(struct conn *c)
{
    bool may_be_cut = c->dial && (c->has_tls || c->send_failed);
    if (c->state == CONN_OPEN && !c->ending && !may_be_cut)
        end_input(c);
    if (!c->input_ended || c->state != CONN_OPEN)
        conn_close(c, cut_of(CUT_LOST));
}

/* Receives what the socket has, at most one buffer full. */
static void take_input(struct conn *c)
{
    struct wire *w = c->loop->wire;
    ssize_t n = recv(c->fd, w->in, sizeof w->in, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        conn_close(c, cut_of(CUT_LOST));
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
    if (w->out_len)
        conn_flush(c);
    check_hot(w->out_len == 0 && w->in_left == 0);
}

void conn_on_readable(struct ev_loop *ev, ev_io *w, int events)
{
    (void)ev, (void)events;
    struct conn *c = container_of(w, struct conn, readable);
    struct loop *l = c->loop;
    bool outgoing = c->dial;
    take_input(c);
    conn_watch_input(c);
    /* The answers of several servers are sent together, in the turn that ends the round. */
    if (!outgoing)
        loop_turn(l);
}

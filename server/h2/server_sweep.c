/* Timeouts of streams. Sweeps count them; streams have no timers. */
#include "core/log.h"
#include "h2/server_private.h"

/* The answer to a timeout gets the same time to be sent. */
static void expire(struct h2_stream *st, int status, const char *timeout)
{
    const struct peer *peer = st->session->base.host->peer;
    log_peer_event(LOG_WARN, "stream timed out", log_str("limit", timeout),
        log_int("conn", (int64_t)peer->conn), log_int("stream", st->exchange.stream),
        log_str("remote", peer->remote));
    st->age = NOT_WAITED;
    exchange_refuse(&st->exchange, cut_of(CUT_TIMEOUT), status);
}

/* Whether queued data waits until the client extends the stream's window. */
static bool waits_for_stream(const struct h2_stream *st)
{
    return st->exchange.response.out.body.len &&
           nghttp2_session_get_stream_remote_window_size(st->session->ng, h2_stream_id(st)) <= 0;
}

/* Whether queued data waits for the connection's window, which all streams share. */
static bool waits_for_conn(const struct h2_stream *st)
{
    return st->exchange.response.out.body.len && !waits_for_stream(st) &&
           nghttp2_session_get_remote_window_size(st->session->ng) <= 0;
}

/* The client takes nothing, or too little. The connection times what waits for the socket. */
static void sweep_stuck(struct h2_stream *st, const struct http_limits *limits, double seconds)
{
    const struct outgoing *o = &st->exchange.response.out;
    if (o->body.len && waited_past(&st->stuck_seconds, seconds, limits->write_timeout))
        expire(st, 0, "write-timeout");
    else if (waits_for_stream(st) && pace_lags(&st->taking, outgoing_sent(o), seconds,
                                         limits->min_send_rate, limits->write_timeout))
        expire(st, 0, "min-send-rate");
}

/* Whether the client's body arrives too slowly. */
static bool lags(struct h2_stream *st, const struct http_limits *limits, double seconds)
{
    const struct exchange *x = &st->exchange;
    return exchange_owed_body(x) && pace_lags(&st->body, exchange_received(x), seconds,
                                        limits->min_body_rate, limits->body_timeout);
}

/* Nothing was sent or received. */
static void sweep_tunnel(
    struct h2_stream *st, const struct http_limits *limits, double seconds, bool moved)
{
    if (moved)
        st->starved_seconds = NOT_WAITED;
    if (waited_past(&st->starved_seconds, seconds, limits->tunnel_timeout))
        expire(st, 0, "tunnel-timeout");
    else
        sweep_stuck(st, limits, seconds);
}

static void sweep_stream(struct h2_stream *st, const struct http_limits *limits, double seconds)
{
    struct exchange *x = &st->exchange;
    if (st->received || (!x->wants_body && x->kind != EXCHANGE_TUNNEL))
        st->starved_seconds = NOT_WAITED;
    if (st->sent || x->response.out.body.len == 0)
        st->stuck_seconds = NOT_WAITED;
    bool moved = st->received || st->sent;
    st->received = st->sent = false;
    if (x->kind == EXCHANGE_TUNNEL) {
        sweep_tunnel(st, limits, seconds, moved);
        return;
    }
    if (waited_past(&st->age, seconds, limits->request_timeout))
        expire(st, 504, "request-timeout");
    else if (x->wants_body && waited_past(&st->starved_seconds, seconds, limits->body_timeout))
        expire(st, 408, "body-timeout");
    else if (lags(st, limits, seconds))
        expire(st, 408, "min-body-rate");
    else
        sweep_stuck(st, limits, seconds);
}

/* Sets up what only sweeps use, at the first of them. */
static void begin_counting(struct h2_stream *st)
{
    st->swept = true;
    st->age = st->starved_seconds = st->stuck_seconds = NOT_WAITED;
    pace_start(&st->body, 0);
    pace_start(&st->taking, 0);
}

static bool is_under_way(const struct h2_stream *st)
{
    return !st->closed && !st->reset && !st->exchange.reset_wanted;
}

/* The first stream, from a node on, that waits for the connection's window; NULL if there is
 * none. */
static struct h2_stream *next_waiting(struct h2_session *s, struct list *node)
{
    for (; node != &s->streams; node = node->next) {
        struct h2_stream *st = container_of(node, struct h2_stream, link);
        if (is_under_way(st) && waits_for_conn(st))
            return st;
    }
    return NULL;
}

/* The connection's window may serve its streams one after the other, so the client's rate is
 * measured over all of them. */
void h2_server_watch(struct h2_session *s, double seconds)
{
    const struct http_limits *limits = s->common;
    struct h2_stream *st = next_waiting(s, s->streams.next);
    if (!st)
        pace_start(&s->taking, s->data_sent);
    else if (pace_lags(
                 &s->taking, s->data_sent, seconds, limits->min_send_rate, limits->write_timeout))
        for (; st; st = next_waiting(s, st->link.next))
            expire(st, 0, "min-send-rate");
}

void h2_server_sweep(struct list *link, double seconds)
{
    struct h2_stream *st = container_of(link, struct h2_stream, link);
    if (!st->swept)
        begin_counting(st);
    if (is_under_way(st))
        sweep_stream(st, st->session->common, seconds);
}

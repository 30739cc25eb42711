/* Timeouts of streams, counted in sweeps rather than by timers of their own. */
#include "core/log.h"
#include "h2/server_private.h"

/* What answers the timeout has as long again to go out. */
static void expire(struct h2_stream *st, int status, const char *timeout)
{
    const struct peer *peer = st->session->base.host->peer;
    log_peer_event(LOG_WARN, "stream timed out", log_str("limit", timeout),
        log_int("conn", (int64_t)peer->conn), log_int("stream", st->exchange.stream),
        log_str("remote", peer->remote));
    st->age = NOT_WAITED;
    exchange_refuse(&st->exchange, cut_of(CUT_TIMEOUT), status);
}

/* The client lets nothing go. */
static void sweep_stuck(struct h2_stream *st, const struct http_limits *limits, double seconds)
{
    if (st->exchange.response.out.body.len &&
        waited_past(&st->stuck_seconds, seconds, limits->write_timeout))
        expire(st, 0, "write-timeout");
}

/* Nothing moves in either direction. */
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
    else
        sweep_stuck(st, limits, seconds);
}

void h2_server_sweep(struct list *link, double seconds)
{
    struct h2_stream *st = container_of(link, struct h2_stream, link);
    if (!st->closed && !st->reset && !st->exchange.reset_wanted)
        sweep_stream(st, st->session->common, seconds);
}

/* Timeouts of a session and its exchange. The connection times a peer that does not read. */
#include "core/log.h"
#include "h1/server_private.h"

/* The answer to a timeout is the last response, and gets the same time to be sent. */
static void expire(struct h1_session *s, int status, const char *timeout)
{
    const struct peer *peer = s->base.host->peer;
    log_peer_event(LOG_WARN, "request timed out", log_str("limit", timeout),
        log_int("conn", (int64_t)peer->conn), log_int("stream", s->x->exchange.stream),
        log_str("remote", peer->remote));
    h1_take_no_more(s);
    s->x->age = NOT_WAITED;
    exchange_refuse(&s->x->exchange, cut_of(CUT_TIMEOUT), status);
}

/* The head does not end: what has come of it is no request. */
static void expire_head(struct h1_session *s)
{
    h1_deafen(s);
    if (s->x || h1_exchange_new(s))
        expire(s, 408, "header-timeout");
}

/* Nothing was sent or received. */
static void sweep_tunnel(struct h1_session *s, double seconds)
{
    struct h1_exchange *hx = s->x;
    uint64_t sent = outgoing_sent(&hx->exchange.response.out);
    if (hx->received || sent != hx->sent_before)
        hx->starved_seconds = NOT_WAITED;
    hx->received = false;
    hx->sent_before = sent;
    if (waited_past(&hx->starved_seconds, seconds, s->limits->tunnel_timeout))
        expire(s, 0, "tunnel-timeout");
}

/* Whether the body arrives too slowly. */
static bool lags(struct h1_session *s, double seconds)
{
    const struct exchange *x = &s->x->exchange;
    return exchange_owed_body(x) && pace_lags(&s->x->body, exchange_received(x), seconds,
                                        s->limits->min_body_rate, s->limits->body_timeout);
}

static void sweep_exchange(struct h1_session *s, double seconds)
{
    struct h1_exchange *hx = s->x;
    bool starves = hx->exchange.wants_body;
    if (hx->received || !starves)
        hx->starved_seconds = NOT_WAITED;
    hx->received = false;
    if (waited_past(&hx->age, seconds, s->limits->request_timeout))
        expire(s, 504, "request-timeout");
    else if (starves && waited_past(&hx->starved_seconds, seconds, s->limits->body_timeout))
        expire(s, 408, "body-timeout");
    else if (lags(s, seconds))
        expire(s, 408, "min-body-rate");
}

/* Sets up what only sweeps use, at the first of them. */
static void begin_counting(struct h1_exchange *hx)
{
    hx->swept = true;
    hx->age = hx->starved_seconds = NOT_WAITED;
    pace_start(&hx->body, 0);
}

void h1_sweep(struct session *base, double seconds)
{
    struct h1_session *s = container_of(base, struct h1_session, base);
    if (s->output == H1_CUT || s->input == H1_DEAF)
        return;
    enum h1_phase phase = h1_phase(s);
    if (s->x && !s->x->swept)
        begin_counting(s->x);
    if (phase != H1_HEAD)
        s->head_seconds = NOT_WAITED;
    else if (waited_past(&s->head_seconds, seconds, s->limits->header_timeout))
        expire_head(s);
    if (phase != H1_BUSY)
        return;
    if (s->x->exchange.kind == EXCHANGE_TUNNEL)
        sweep_tunnel(s, seconds);
    else if (!outgoing_over(&s->x->exchange.response.out))
        sweep_exchange(s, seconds);
}

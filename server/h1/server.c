#include "h1/server.h"

#include "core/check.h"
#include "core/mem.h"
#include "h1/server_private.h"
#include "http/handler.h"

/* Seconds that a client has to end a body that nobody reads, if the connection is to be kept. */
static const double drain_seconds = 5;

static struct h1_session *h1_of(const struct session *s)
{
    return container_of(s, struct h1_session, base);
}

static void mark_dirty(struct h1_session *s)
{
    s->base.host->dirty(s->base.host);
}

/* States. */

void h1_set_input(struct h1_session *s, enum h1_input input)
{
    check(input > s->input || (input == H1_READING && s->input == H1_DRAINING));
    s->input = input;
}

static void set_output(struct h1_session *s, enum h1_output output)
{
    check(output > s->output);
    s->output = output;
}

void h1_take_no_more(struct h1_session *s)
{
    if (s->output == H1_KEEPING)
        set_output(s, H1_LAST_RESPONSE);
}

void h1_deafen(struct h1_session *s)
{
    if (s->input != H1_DEAF)
        h1_set_input(s, H1_DEAF);
    h1_take_no_more(s);
}

void h1_cut(struct h1_session *s)
{
    if (s->output != H1_CUT)
        set_output(s, H1_CUT);
}

enum h1_phase h1_phase(const struct h1_session *s)
{
    if (s->x)
        return s->x->started ? H1_BUSY : H1_HEAD;
    return h1_parser_in_line(&s->parser) ? H1_HEAD : H1_IDLE;
}

/* Exchanges. */

static struct h1_session *session_of(struct exchange *x)
{
    return container_of(x, struct h1_exchange, exchange)->session;
}

static void on_change(struct exchange *x)
{
    mark_dirty(session_of(x));
}

/* The queued input fits now. */
static void on_consumed(struct exchange *x, size_t n)
{
    (void)n;
    struct h1_session *s = session_of(x);
    if (s->queue.len)
        mark_dirty(s);
}

/* The bytes after the request are the first of the tunnel. */
static void on_tunnel(struct exchange *x)
{
    struct h1_session *s = session_of(x);
    h1_parser_tunnel(&s->parser);
    s->x->asks_close = true;
    s->x->sent_before = 0;
}

static const struct exchange_host exchange_host = {
    .dirty = on_change,
    .consumed = on_consumed,
    .detached = on_change,
    .tunnel = on_tunnel,
};

struct h1_exchange *h1_exchange_new(struct h1_session *s)
{
    check_hot(!s->x);
    struct h1_exchange *hx = mem_get(sizeof *hx);
    if (!hx) {
        h1_cut(s);
        mark_dirty(s);
        return NULL;
    }
    exchange_init(&hx->exchange, &exchange_host, s->base.host->peer, s->base.host->handler,
        s->limits->stream_window);
    hx->exchange.stream = ++s->requests;
    hx->exchange.request.version = HTTP_1_1; /* for the answer to a start line without a version */
    hx->session = s;
    hx->started = hx->sent = hx->is_1_0 = hx->asks_close = hx->received = hx->swept = false;
    hx->drained = 0;
    return s->x = hx;
}

static void free_exchange(struct h1_session *s)
{
    exchange_fini(&s->x->exchange);
    mem_put(s->x, sizeof *s->x);
    s->x = NULL;
}

/* Whether the response is sent and the handler has ended. */
static bool is_answered(const struct h1_session *s)
{
    const struct exchange *x = &s->x->exchange;
    return outgoing_over(&x->response.out) && !x->instance && s->out.rest_len == 0;
}

/* Receiving. */

/* Whether further input from the client is useless. */
static bool discards(const struct h1_session *s)
{
    if (s->input == H1_DEAF || s->output == H1_CUT)
        return true;
    return s->output == H1_LAST_RESPONSE && (!s->x || s->x->exchange.request.ended);
}

static enum rc receive(struct session *base, const uint8_t *data, size_t n)
{
    struct h1_session *s = h1_of(base);
    struct str piece = {(const char *)data, n};
    if (s->queue.len == 0)
        h1_input(s, &piece);
    if (s->output == H1_CUT)
        return RC_NOMEM;
    if (s->x && is_answered(s))
        mark_dirty(s);
    if (piece.n == 0 || discards(s))
        return RC_OK;
    return bytes_append(&s->queue, piece.p, piece.n);
}

/* Parses the queued input. */
static void receive_queued(struct h1_session *s)
{
    size_t before = s->queue.len;
    while (s->queue.len && !discards(s)) {
        struct str piece;
        piece.p = bytes_front(&s->queue, &piece.n);
        size_t n = piece.n;
        h1_input(s, &piece);
        bytes_drop(&s->queue, n - piece.n);
        if (piece.n)
            break;
    }
    if (discards(s))
        bytes_fini(&s->queue);
    if (s->queue.len != before)
        mark_dirty(s);
}

static bool wants_input(const struct session *base)
{
    const struct h1_session *s = h1_of(base);
    bool in_body = s->x && !s->x->exchange.request.ended;
    return s->queue.len < (in_body ? 1 : H1_QUEUE_STOP);
}

static bool in_tunnel(const struct h1_session *s)
{
    return s->x && s->x->exchange.kind == EXCHANGE_TUNNEL && !s->x->exchange.request.ended;
}

/* Requests that the client has sent completely are answered. */
static bool end_input(struct session *base)
{
    struct h1_session *s = h1_of(base);
    if (s->input < H1_ENDED)
        h1_set_input(s, H1_ENDED);
    if (in_tunnel(s) && s->queue.len == 0)
        exchange_receive_end(&s->x->exchange);
    return s->queue.len || (s->x && s->x->exchange.request.ended);
}

/* Gives up a request that will never be complete. */
static void give_up_input(struct h1_session *s)
{
    if (s->input != H1_ENDED || s->queue.len)
        return;
    if (!s->x)
        h1_take_no_more(s);
    else if (in_tunnel(s))
        exchange_receive_end(&s->x->exchange);
    else if (!s->x->exchange.request.ended)
        h1_cut(s);
}

/* Sending. */

static size_t fill(struct session *base, uint8_t *out, size_t room)
{
    return h1_output(h1_of(base), (char *)out, room);
}

static bool is_over(const struct session *base)
{
    const struct h1_session *s = h1_of(base);
    if (s->out.rest_len)
        return false;
    return s->output == H1_CUT || (s->output == H1_LAST_RESPONSE && (!s->x || is_answered(s)));
}

static bool is_idle(const struct session *base)
{
    return h1_phase(h1_of(base)) == H1_IDLE;
}

/* Between requests there is nothing left to finish. Before the first there is: a client that has
 * just connected has most likely sent one, and HTTP/1.1 has no way to say that it was not
 * processed. */
static void shut_down(struct session *base, enum session_end how)
{
    struct h1_session *s = h1_of(base);
    if (is_idle(base) && (how == END_NOW || s->requests > 0))
        h1_take_no_more(s);
    s->going = true;
    mark_dirty(s);
}

/* The response is sent and the client still sends: it gets some time to finish. */
static void drain(struct h1_session *s)
{
    if (s->input != H1_READING)
        return;
    s->base.host->alarm(s->base.host, drain_seconds);
    h1_set_input(s, H1_DRAINING);
}

static void on_alarm(struct session *base)
{
    struct h1_session *s = h1_of(base);
    if (s->input == H1_DRAINING)
        h1_take_no_more(s);
    mark_dirty(s);
}

/* The request is answered, and has been read completely. */
static void end_exchange(struct h1_session *s)
{
    free_exchange(s);
    if (s->input == H1_DRAINING)
        h1_set_input(s, H1_READING);
    if (s->going)
        h1_take_no_more(s);
}

static void reap(struct session *base)
{
    struct h1_session *s = h1_of(base);
    bool was_over = is_over(base);
    if (s->x && is_answered(s) && s->output == H1_KEEPING) {
        if (s->x->exchange.request.ended)
            end_exchange(s);
        else
            drain(s);
    }
    receive_queued(s);
    give_up_input(s);
    /* Only once: a peer that does not read would otherwise keep the session busy. */
    if (!was_over && is_over(base))
        mark_dirty(s);
}

static size_t memory(const struct session *base)
{
    const struct h1_session *s = h1_of(base);
    return sizeof *s + s->parser.bytes + s->queue.len +
           (s->x ? exchange_memory(&s->x->exchange) : 0);
}

static void free_session(struct session *base, struct cut cut)
{
    struct h1_session *s = h1_of(base);
    if (s->x) {
        exchange_abort(&s->x->exchange, cut);
        free_exchange(s);
    }
    bytes_fini(&s->queue);
    h1_parser_fini(&s->parser);
    mem_put(s, sizeof *s);
}

static const struct session_ops session_ops = {
    .recv = receive,
    .wants_input = wants_input,
    .end_input = end_input,
    .fill = fill,
    .is_over = is_over,
    .is_idle = is_idle,
    .shut_down = shut_down,
    .on_alarm = on_alarm,
    .memory = memory,
    .sweep = h1_sweep,
    .reap = reap,
    .free = free_session,
};

enum rc h1_server_new(
    struct session_host *host, const struct http_limits *limits, struct session **out)
{
    struct h1_session *s = mem_get_zeroed(sizeof *s);
    if (!s)
        return RC_NOMEM;
    s->base = (struct session){.ops = &session_ops, .host = host};
    s->limits = limits;
    s->head_seconds = NOT_WAITED;
    bytes_init(&s->queue, H1_QUEUE_MAX);
    h1_parser_init(&s->parser, H1_SERVER, limits->header_bytes, limits->header_fields);
    *out = &s->base;
    return RC_OK;
}

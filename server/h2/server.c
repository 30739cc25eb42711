/* A session in the server role, and its streams. */
#include "core/check.h"
#include "core/log.h"
#include "core/mem.h"
#include "h2/memory.h"
#include "h2/server_private.h"
#include "http/code.h"
#include "http/handler.h"

static void mark_dirty(struct exchange *x)
{
    h2_stream_dirty(h2_stream_of(x));
}

/* Extends the stream's window by what the handler has read. */
static void give_credit(struct exchange *x, size_t n)
{
    struct h2_stream *st = h2_stream_of(x);
    struct h2_session *s = st->session;
    if (!st->closed && nghttp2_session_consume_stream(s->ng, h2_stream_id(st), n) == 0)
        s->base.host->dirty(s->base.host);
}

static const struct exchange_host exchange_host = {
    .dirty = mark_dirty,
    .consumed = give_credit,
    .detached = mark_dirty,
};

struct h2_stream *h2_stream_new(struct h2_session *s, int32_t id)
{
    struct h2_stream *st = mem_get(sizeof *st);
    if (!st)
        return NULL;
    exchange_init(&st->exchange, &exchange_host, s->base.host->peer, s->base.host->handler,
        h2_body_max(s->common));
    st->exchange.stream = (uint32_t)id;
    st->exchange.request.version = HTTP_2;
    st->session = s;
    st->size = (struct header_size){0};
    st->swept = st->received = st->sent = false;
    st->deferred = st->reset = st->peer_reset = st->closed = false;
    list_init(&st->link);
    list_init(&st->dirty);
    list_append(&s->streams, &st->link);
    return st;
}

static void free_stream(struct h2_stream *st)
{
    check_hot(st->closed);
    list_remove(&st->link);
    list_remove(&st->dirty);
    if (st->session->recent == st)
        st->session->recent = NULL;
    exchange_fini(&st->exchange);
    mem_put(st, sizeof *st);
}

void h2_stream_dirty(struct h2_stream *st)
{
    if (list_linked(&st->dirty))
        return;
    list_append(&st->session->dirty, &st->dirty);
    st->session->base.host->dirty(st->session->base.host);
}

void h2_stream_release(struct h2_stream *st)
{
    if (!st->closed || st->exchange.instance)
        return;
    list_remove(&st->dirty);
    list_append(&st->session->dead, &st->dirty);
    st->session->base.host->dirty(st->session->base.host);
}

void h2_stream_fail(struct h2_stream *st, uint32_t code)
{
    exchange_abort(&st->exchange, cut_by_us(code));
    exchange_reset(&st->exchange, code);
}

/* The role. */

static void output(struct list *dirty)
{
    h2_output(container_of(dirty, struct h2_stream, dirty));
}

static void free_dead(struct list *dead)
{
    free_stream(container_of(dead, struct h2_stream, dirty));
}

static void free_lost(struct list *link, struct cut cut)
{
    struct h2_stream *st = container_of(link, struct h2_stream, link);
    st->closed = true;
    exchange_abort(&st->exchange, cut);
    free_stream(st);
}

static size_t memory_of(const struct list *link)
{
    const struct h2_stream *st = container_of(link, struct h2_stream, link);
    return sizeof *st - sizeof st->exchange + exchange_memory(&st->exchange);
}

static void announce_end(struct h2_session *s, enum session_end how)
{
    if (how == END_NOW)
        h2_part(s, H2_LEAVING);
    else if (nghttp2_submit_shutdown_notice(s->ng))
        h2_fail(s);
}

static const struct h2_role server_role = {
    .output = output,
    .free_dead = free_dead,
    .free_lost = free_lost,
    .memory = memory_of,
    .sweep = h2_server_sweep,
    .on_alarm = h2_end_early,
    .watch = h2_server_watch,
    .shut_down = announce_end,
};

static const nghttp2_session_callbacks *server_callbacks(void)
{
    static nghttp2_session_callbacks *callbacks;
    if (!callbacks && nghttp2_session_callbacks_new(&callbacks) == 0) {
        h2_server_input_callbacks(callbacks);
        h2_server_output_callbacks(callbacks);
    }
    return callbacks;
}

enum rc h2_server_new(struct session_host *host, const struct http_limits *common,
    const struct h2_limits *limits, struct session **out)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->max_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, common->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, common->header_bytes},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1}, /* the last: where tunnels are opened */
    };
    size_t count = sizeof settings / sizeof *settings - !host->handler->tunnels;
    const nghttp2_session_callbacks *callbacks = server_callbacks();
    const nghttp2_option *options = h2_session_options();
    struct h2_session *s =
        callbacks && options ? h2_session_make(host, common, limits, &server_role) : NULL;
    if (!s)
        return RC_NOMEM;
    frames_init(&s->frames, true);
    if (nghttp2_session_server_new3(&s->ng, callbacks, s, options, h2_memory())) {
        mem_put(s, sizeof *s);
        return RC_NOMEM;
    }
    enum rc rc = h2_session_greet(s, settings, count);
    if (!rc)
        *out = &s->base;
    return rc;
}

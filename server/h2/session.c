#include "h2/session.h"

#include "core/mem.h"
#include "h2/stream.h"
#include "http/code.h"

const struct h2_limits h2_limits_default = {
    .max_streams = 128,
    .header_bytes = 65536,
    .header_fields = 128,
    .stream_window = 65536,
    .conn_window = 1 << 20,
};

static struct h2_session *h2_of(const struct session *s)
{
    return container_of(s, struct h2_session, base);
}

/* Streams. */

static void mark_dirty(struct exchange *x)
{
    h2_stream_dirty(h2_stream_of(x));
}

/* Gives the peer credit on the stream for what the handler has read. */
static void give_credit(struct exchange *x, size_t n)
{
    struct h2_stream *st = h2_stream_of(x);
    if (st->closed)
        return;
    /* It fails for lack of memory alone, and then the next piece that is read gives this credit. */
    if (nghttp2_session_consume_stream(st->session->ng, h2_stream_id(st), n) == 0)
        st->session->base.host->dirty(st->session->base.host);
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
        s->limits->stream_window);
    st->exchange.stream = (uint32_t)id;
    st->session = s;
    st->header_bytes = st->header_fields = 0;
    st->too_large = st->deferred = st->reset = st->closed = false;
    list_init(&st->dirty);
    list_append(&s->streams, &st->link);
    return st;
}

static void free_stream(struct h2_stream *st)
{
    list_remove(&st->link);
    list_remove(&st->dirty);
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
    exchange_abort(&st->exchange, code_name(code, (char[CODE_NAME_SIZE]){0}));
    exchange_reset(&st->exchange, code);
}

/* The session's operations. */

static enum rc receive(struct session *base, const uint8_t *data, size_t n)
{
    struct h2_session *s = h2_of(base);
    ssize_t taken = nghttp2_session_mem_recv(s->ng, data, n);
    base->host->dirty(base->host);
    if (taken >= 0)
        return RC_OK;
    s->failed = true;
    uint32_t code = taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? ERROR_PROTOCOL_ERROR
                    : taken == NGHTTP2_ERR_FLOODED        ? ERROR_ENHANCE_YOUR_CALM
                                                          : ERROR_INTERNAL_ERROR;
    if (nghttp2_session_terminate_session(s->ng, code))
        return RC_NOMEM;
    return taken == NGHTTP2_ERR_NOMEM ? RC_NOMEM : RC_PROTOCOL;
}

static void output_dirty(struct h2_session *s)
{
    struct list *node;
    while ((node = list_shift(&s->dirty)))
        h2_output(container_of(node, struct h2_stream, dirty));
}

/* Copies what there is of a frame; the rest waits for the next fill. */
static size_t copy_rest(struct h2_session *s, uint8_t *out, size_t room)
{
    size_t n = s->rest_len < room ? s->rest_len : room;
    if (n) {
        memcpy(out, s->rest, n);
        s->rest += n;
        s->rest_len -= n;
    }
    return n;
}

static size_t fill(struct session *base, uint8_t *out, size_t room)
{
    struct h2_session *s = h2_of(base);
    size_t filled = copy_rest(s, out, room);
    output_dirty(s);
    while (filled < room && !s->broken) {
        ssize_t n = nghttp2_session_mem_send(s->ng, &s->rest);
        if (n < 0)
            s->broken = true;
        if (n <= 0)
            break;
        s->rest_len = (size_t)n;
        filled += copy_rest(s, out + filled, room - filled);
    }
    return filled;
}

static bool is_over(const struct session *base)
{
    const struct h2_session *s = h2_of(base);
    if (s->broken)
        return true;
    if (s->rest_len || nghttp2_session_want_write(s->ng))
        return false;
    return s->failed || (list_empty(&s->streams) && !nghttp2_session_want_read(s->ng));
}

static bool is_idle(const struct session *base)
{
    return list_empty(&h2_of(base)->streams);
}

static void shut_down(struct session *base)
{
    struct h2_session *s = h2_of(base);
    int failed;
    if (!s->going)
        failed = nghttp2_submit_shutdown_notice(s->ng);
    else
        failed = nghttp2_submit_goaway(s->ng, NGHTTP2_FLAG_NONE,
            nghttp2_session_get_last_proc_stream_id(s->ng), ERROR_NO_ERROR, NULL, 0);
    s->going = true;
    if (failed)
        s->failed = true;
    base->host->dirty(base->host);
}

static void reap(struct session *base)
{
    struct h2_session *s = h2_of(base);
    struct list *node;
    while ((node = list_shift(&s->dead)))
        free_stream(container_of(node, struct h2_stream, dirty));
}

static void free_session(struct session *base, const char *reason)
{
    struct h2_session *s = h2_of(base);
    while (!list_empty(&s->streams)) {
        struct h2_stream *st = container_of(s->streams.next, struct h2_stream, link);
        st->closed = true;
        exchange_abort(&st->exchange, reason);
        free_stream(st);
    }
    nghttp2_session_del(s->ng);
    mem_put(s, sizeof *s);
}

static const struct session_ops session_ops = {
    .recv = receive,
    .fill = fill,
    .is_over = is_over,
    .is_idle = is_idle,
    .shut_down = shut_down,
    .reap = reap,
    .free = free_session,
};

/* Making one. */

static void *ng_malloc(size_t size, void *unused)
{
    (void)unused;
    return mem_malloc(size);
}

static void ng_free(void *block, void *unused)
{
    (void)unused;
    mem_free(block);
}

static void *ng_calloc(size_t count, size_t size, void *unused)
{
    (void)unused;
    return mem_calloc(count, size);
}

static void *ng_realloc(void *block, size_t size, void *unused)
{
    (void)unused;
    return mem_realloc(block, size);
}

/* Callbacks and options are alike for every session and made once; the process keeps them. */
static struct {
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
} shared;

static enum rc make_shared(void)
{
    if (shared.option)
        return RC_OK;
    if (!shared.callbacks && nghttp2_session_callbacks_new(&shared.callbacks))
        return RC_NOMEM;
    h2_input_callbacks(shared.callbacks);
    h2_output_callbacks(shared.callbacks);
    if (nghttp2_option_new(&shared.option))
        return RC_NOMEM;
    nghttp2_option_set_no_auto_window_update(shared.option, 1);
    return RC_OK;
}

static enum rc send_preface(struct h2_session *s)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, s->limits->max_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, s->limits->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, s->limits->header_bytes},
    };
    if (nghttp2_submit_settings(
            s->ng, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof *settings))
        return RC_NOMEM;
    if (nghttp2_session_set_local_window_size(
            s->ng, NGHTTP2_FLAG_NONE, 0, (int32_t)s->limits->conn_window))
        return RC_NOMEM;
    return RC_OK;
}

enum rc h2_session_new(
    struct session_host *host, const struct h2_limits *limits, struct session **out)
{
    static nghttp2_mem allocator = {NULL, ng_malloc, ng_free, ng_calloc, ng_realloc};
    enum rc rc = make_shared();
    if (rc)
        return rc;
    struct h2_session *s = mem_get_zeroed(sizeof *s);
    if (!s)
        return RC_NOMEM;
    s->base = (struct session){&session_ops, host};
    s->limits = limits;
    list_init(&s->streams);
    list_init(&s->dirty);
    list_init(&s->dead);
    if (nghttp2_session_server_new3(&s->ng, shared.callbacks, s, shared.option, &allocator)) {
        mem_put(s, sizeof *s);
        return RC_NOMEM;
    }
    rc = send_preface(s);
    if (rc) {
        free_session(&s->base, "");
        return rc;
    }
    host->dirty(host);
    *out = &s->base;
    return RC_OK;
}

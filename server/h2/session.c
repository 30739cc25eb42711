#include "h2/session.h"

#include "core/log.h"
#include "core/mem.h"
#include "h2/memory.h"
#include "h2/stream.h"
#include "http/code.h"

const struct h2_limits h2_limits_default = {
    .max_streams = 128,
    .continuations = 7,
    .conn_window = 1 << 20,
    .queued_frames = 2000,
    .a_second =
        {
            [GUARD_RESETS] = 256,
            [GUARD_FAULTS] = 100,
            [GUARD_CONTROL] = 500,
            [GUARD_WINDOWS] = 1000,
            [GUARD_EMPTY] = 100,
            [GUARD_DRIBBLES] = 500,
        },
    .preface_timeout = 10,
};

static struct h2_session *h2_of(const struct session *s)
{
    return container_of(s, struct h2_session, base);
}

/* Verdicts. */

void h2_judge(struct h2_session *s, uint32_t code, const char *event, struct log_field detail)
{
    const struct peer *peer = s->base.host->peer;
    char name[CODE_NAME_SIZE];
    if (s->judged)
        return;
    s->judged = true;
    log_event(LOG_WARN, event, detail, log_int("conn", (int64_t)peer->conn),
        log_str("remote", peer->remote), log_str("code", code_name(code, name)));
    /* Inside nghttp2's own calls this only queues the frame. */
    if (nghttp2_session_terminate_session(s->ng, code))
        s->failed = true;
    s->base.host->dirty(s->base.host);
}

void h2_count(struct h2_session *s, enum guard_kind kind)
{
    if (!guard_count(&s->guard, kind, s->limits->a_second[kind]))
        h2_judge(s, ERROR_ENHANCE_YOUR_CALM, "limit reached", log_str("limit", guard_name(kind)));
}

/* Streams. */

static void mark_dirty(struct exchange *x)
{
    h2_stream_dirty(h2_stream_of(x));
}

/* Bytes of a body are no longer held: credit for the connection that was kept back is given. A call
 * that fails does so for lack of memory, and the next one gives its credit too. */
static void release_held(struct h2_session *s, size_t n)
{
    s->held -= n;
    if (s->owed && s->held <= s->limits->conn_window / 2 &&
        nghttp2_session_consume_connection(s->ng, s->owed) == 0) {
        s->owed = 0;
        s->base.host->dirty(s->base.host);
    }
}

/* Gives the peer credit on the stream for what the handler has read. */
static void give_credit(struct exchange *x, size_t n)
{
    struct h2_stream *st = h2_stream_of(x);
    struct h2_session *s = st->session;
    release_held(s, n);
    if (!st->closed && nghttp2_session_consume_stream(s->ng, h2_stream_id(st), n) == 0)
        s->base.host->dirty(s->base.host);
}

static const struct exchange_host exchange_host = {
    .dirty = mark_dirty,
    .consumed = give_credit,
    .detached = mark_dirty,
};

/* A client that has not seen our SETTINGS yet sends by the window that RFC 9113 6.9.2 gives it. */
static size_t body_max(const struct http_limits *limits)
{
    return limits->stream_window > NGHTTP2_INITIAL_WINDOW_SIZE ? limits->stream_window
                                                               : NGHTTP2_INITIAL_WINDOW_SIZE;
}

struct h2_stream *h2_stream_new(struct h2_session *s, int32_t id)
{
    struct h2_stream *st = mem_get(sizeof *st);
    if (!st)
        return NULL;
    exchange_init(&st->exchange, &exchange_host, s->base.host->peer, s->base.host->handler,
        body_max(s->common));
    st->exchange.stream = (uint32_t)id;
    st->exchange.request.protocol = "HTTP/2";
    st->session = s;
    st->header_bytes = st->header_fields = 0;
    st->age = st->starved_seconds = st->stuck_seconds = NOT_WAITED;
    st->too_large = NULL;
    st->received = st->sent = false;
    st->deferred = st->reset = st->closed = false;
    list_init(&st->dirty);
    list_append(&s->streams, &st->link);
    return st;
}

static void free_stream(struct h2_stream *st)
{
    list_remove(&st->link);
    list_remove(&st->dirty);
    release_held(st->session, st->exchange.request.body.len);
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
    char name[CODE_NAME_SIZE];
    exchange_abort(&st->exchange, code_name(code, name));
    exchange_reset(&st->exchange, code);
}

/* The session's operations. */

static uint32_t code_of(ssize_t error)
{
    switch (error) {
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
        return ERROR_PROTOCOL_ERROR;
    case NGHTTP2_ERR_FLOODED:
        return ERROR_ENHANCE_YOUR_CALM;
    default:
        return ERROR_INTERNAL_ERROR;
    }
}

static enum rc receive(struct session *base, const uint8_t *data, size_t n)
{
    struct h2_session *s = h2_of(base);
    if (s->judged || s->failed)
        return RC_PROTOCOL;
    ssize_t error = h2_input(s, data, n);
    base->host->dirty(base->host);
    if (error && !s->judged)
        h2_judge(
            s, code_of(error), "session failed", log_str("reason", nghttp2_strerror((int)error)));
    if (!error && nghttp2_session_get_outbound_queue_size(s->ng) > s->limits->queued_frames)
        h2_judge(
            s, ERROR_ENHANCE_YOUR_CALM, "limit reached", log_str("limit", "max-queued-frames"));
    return s->judged ? RC_PROTOCOL : RC_OK;
}

/* nghttp2 takes all there is: the windows bound it. */
static bool wants_input(const struct session *base)
{
    (void)base;
    return true;
}

/* RFC 9113 has no half-closed connection: who can't be heard has lost its streams. */
static bool end_input(struct session *base)
{
    (void)base;
    return false;
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

/* The last GOAWAY. It is made as it goes out: a request that came before it is among the processed.
 */
static void take_leave(struct h2_session *s)
{
    if (!s->leaving)
        return;
    s->leaving = false;
    if (nghttp2_submit_goaway(s->ng, NGHTTP2_FLAG_NONE,
            nghttp2_session_get_last_proc_stream_id(s->ng), ERROR_NO_ERROR, NULL, 0))
        s->failed = true;
}

static size_t fill(struct session *base, uint8_t *out, size_t room)
{
    struct h2_session *s = h2_of(base);
    size_t filled = copy_rest(s, out, room);
    output_dirty(s);
    take_leave(s);
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
    if (s->going)
        s->leaving = true;
    else if (nghttp2_submit_shutdown_notice(s->ng))
        s->failed = true;
    s->going = true;
    base->host->dirty(base->host);
}

static void on_alarm(struct session *base)
{
    h2_end_early(h2_of(base));
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
    .wants_input = wants_input,
    .end_input = end_input,
    .fill = fill,
    .is_over = is_over,
    .is_idle = is_idle,
    .shut_down = shut_down,
    .on_alarm = on_alarm,
    .sweep = h2_sweep,
    .reap = reap,
    .free = free_session,
};

/* Making one. */

/* nghttp2's own limits stand behind ours: above what the options set in earnest. */
enum { BEHIND = 100000 };

static void set_options(nghttp2_option *option)
{
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_max_outbound_ack(option, BEHIND);
    nghttp2_option_set_max_continuations(option, BEHIND);
    nghttp2_option_set_stream_reset_rate_limit(option, BEHIND, BEHIND);
    nghttp2_option_set_builtin_recv_extension_type(option, NGHTTP2_PRIORITY_UPDATE);
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
    set_options(shared.option);
    return RC_OK;
}

static enum rc send_preface(struct h2_session *s)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, s->limits->max_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, s->common->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, s->common->header_bytes},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    if (nghttp2_submit_settings(
            s->ng, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof *settings))
        return RC_NOMEM;
    if (nghttp2_session_set_local_window_size(
            s->ng, NGHTTP2_FLAG_NONE, 0, (int32_t)s->limits->conn_window))
        return RC_NOMEM;
    return RC_OK;
}

enum rc h2_session_new(struct session_host *host, const struct http_limits *common,
    const struct h2_limits *limits, struct session **out)
{
    enum rc rc = make_shared();
    if (rc)
        return rc;
    struct h2_session *s = mem_get_zeroed(sizeof *s);
    if (!s)
        return RC_NOMEM;
    s->base = (struct session){.ops = &session_ops, .host = host};
    s->common = common;
    s->limits = limits;
    list_init(&s->streams);
    list_init(&s->dirty);
    list_init(&s->dead);
    list_init(&s->ending);
    s->preface_seconds = NOT_WAITED;
    frames_init(&s->frames);
    if (nghttp2_session_server_new3(&s->ng, shared.callbacks, s, shared.option, h2_memory())) {
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

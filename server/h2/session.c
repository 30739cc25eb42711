#include "h2/session_private.h"

#include "core/check.h"
#include "core/log.h"
#include "core/mem.h"
#include "h2/memory.h"
#include "h2/server_private.h"
#include "http/code.h"

static struct h2_session *h2_of(const struct session *s)
{
    return container_of(s, struct h2_session, base);
}

/* States. */

void h2_part(struct h2_session *s, enum h2_parting parting)
{
    if (s->parting < parting)
        s->parting = parting;
}

static void set_fault(struct h2_session *s, enum h2_fault fault)
{
    check(fault > s->fault);
    s->fault = fault;
}

void h2_fail(struct h2_session *s)
{
    if (s->fault < H2_FAILED)
        set_fault(s, H2_FAILED);
}

void h2_abandon(struct h2_session *s)
{
    if (s->fault < H2_MUTE)
        set_fault(s, H2_MUTE);
}

/* Verdicts. */

int h2_on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *user)
{
    (void)ng;
    const struct h2_session *s = user;
    log_peer_event(LOG_WARN, "frame refused", log_int("conn", (int64_t)s->base.host->peer->conn),
        log_int("stream", frame->hd.stream_id), log_int("type", frame->hd.type),
        log_str("reason", nghttp2_strerror(error)));
    return 0;
}

void h2_judge(struct h2_session *s, uint32_t code, const char *event, struct log_field detail)
{
    const struct peer *peer = s->base.host->peer;
    char name[CODE_NAME_SIZE];
    if (s->fault != H2_SOUND)
        return;
    set_fault(s, H2_JUDGED);
    log_peer_event(LOG_WARN, event, detail, log_int("conn", (int64_t)peer->conn),
        log_str("remote", peer->remote), log_str("code", code_name(code, name)));
    /* Inside nghttp2's own calls this only queues the frame. */
    if (nghttp2_session_terminate_session(s->ng, code))
        h2_fail(s);
    s->base.host->dirty(s->base.host);
}

void h2_count(struct h2_session *s, enum guard_kind kind)
{
    if (!guard_count(&s->guard, kind, s->limits->a_second[kind]))
        h2_judge(s, ERROR_ENHANCE_YOUR_CALM, "limit reached", log_str("limit", guard_name(kind)));
}

/* Credit. */

int h2_give_credit(struct h2_session *s, size_t n)
{
    return nghttp2_session_consume_connection(s->ng, n) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

size_t h2_body_max(const struct http_limits *limits)
{
    return limits->stream_window > NGHTTP2_INITIAL_WINDOW_SIZE ? limits->stream_window
                                                               : NGHTTP2_INITIAL_WINDOW_SIZE;
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
    if (s->fault != H2_SOUND)
        return RC_PROTOCOL;
    ssize_t error = h2_input(s, data, n);
    base->host->dirty(base->host);
    if (error)
        h2_judge(
            s, code_of(error), "session failed", log_str("reason", nghttp2_strerror((int)error)));
    if (!error && nghttp2_session_get_outbound_queue_size(s->ng) > s->limits->queued_frames)
        h2_judge(
            s, ERROR_ENHANCE_YOUR_CALM, "limit reached", log_str("limit", "max-queued-frames"));
    return s->fault != H2_SOUND ? RC_PROTOCOL : RC_OK;
}

/* nghttp2 takes all input: the windows bound it. */
static bool wants_input(const struct session *base)
{
    (void)base;
    return true;
}

/* HTTP/2 has no half-closed connection: once the peer stops sending, its streams are lost. */
static bool end_input(struct session *base)
{
    (void)base;
    return false;
}

static void output_dirty(struct h2_session *s)
{
    struct list *node;
    while ((node = list_shift(&s->dirty)))
        s->role->output(node);
}

/* The last GOAWAY. It is made as late as it is sent, so that it covers every request that came
 * before it. */
static void take_leave(struct h2_session *s)
{
    if (s->parting != H2_LEAVING)
        return;
    h2_part(s, H2_LEFT);
    if (nghttp2_submit_goaway(s->ng, NGHTTP2_FLAG_NONE,
            nghttp2_session_get_last_proc_stream_id(s->ng), ERROR_NO_ERROR, NULL, 0))
        h2_fail(s);
}

static size_t fill(struct session *base, uint8_t *out, size_t room)
{
    struct h2_session *s = h2_of(base);
    size_t filled = str_move(&s->rest, out, room);
    output_dirty(s);
    take_leave(s);
    while (filled < room && s->fault != H2_MUTE) {
        check_hot(s->rest.n == 0);
        const uint8_t *frame;
        ssize_t n = nghttp2_session_mem_send(s->ng, &frame);
        if (n < 0)
            set_fault(s, H2_MUTE);
        if (n <= 0)
            break;
        s->rest = (struct str){(const char *)frame, (size_t)n};
        filled += str_move(&s->rest, out + filled, room - filled);
    }
    return filled;
}

static bool is_over(const struct session *base)
{
    const struct h2_session *s = h2_of(base);
    if (s->fault == H2_MUTE)
        return true;
    if (s->rest.n || nghttp2_session_want_write(s->ng))
        return false;
    return s->fault == H2_FAILED || (list_empty(&s->streams) && !nghttp2_session_want_read(s->ng));
}

static bool is_idle(const struct session *base)
{
    return list_empty(&h2_of(base)->streams);
}

static void shut_down(struct session *base, enum session_end how)
{
    struct h2_session *s = h2_of(base);
    s->role->shut_down(s, how);
    h2_part(s, H2_NOTICED);
    base->host->dirty(base->host);
}

static void on_alarm(struct session *base)
{
    struct h2_session *s = h2_of(base);
    s->role->on_alarm(s);
}

static void reap(struct session *base)
{
    struct h2_session *s = h2_of(base);
    struct list *node;
    while ((node = list_shift(&s->dead)))
        s->role->free_dead(node);
}

static void free_session(struct session *base, struct cut cut)
{
    struct h2_session *s = h2_of(base);
    while (!list_empty(&s->streams))
        s->role->free_lost(s->streams.next, cut);
    check(list_empty(&s->dirty) && list_empty(&s->dead) && list_empty(&s->ending));
    nghttp2_session_del(s->ng);
    mem_put(s, sizeof *s);
}

/* An estimate for nghttp2: the size of its header tables, and for each stream, and each queued
 * frame, a little more than its struct. */
enum { NG_SESSION = 4096, NG_STREAM = 512, NG_FRAME = 256 };

static size_t memory(const struct session *base)
{
    const struct h2_session *s = container_of(base, struct h2_session, base);
    size_t n = sizeof *s + NG_SESSION + nghttp2_session_get_hd_inflate_dynamic_table_size(s->ng) +
               nghttp2_session_get_hd_deflate_dynamic_table_size(s->ng) +
               NG_FRAME * nghttp2_session_get_outbound_queue_size(s->ng);
    for (const struct list *node = s->streams.next; node != &s->streams; node = node->next)
        n += NG_STREAM + s->role->memory(node);
    return n;
}

/* Sweeps count timeouts; streams have no timers. */
static void sweep(struct session *base, double seconds)
{
    struct h2_session *s = container_of(base, struct h2_session, base);
    for (struct list *node = s->streams.next, *next; node != &s->streams; node = next) {
        next = node->next;
        if (s->role->sweep)
            s->role->sweep(node, seconds);
    }
    if (s->role->watch)
        s->role->watch(s, seconds);
    if (!s->greeted && waited_past(&s->preface_seconds, seconds, s->limits->preface_timeout))
        h2_judge(
            s, ERROR_SETTINGS_TIMEOUT, "session timed out", log_str("limit", "preface-timeout"));
    if (frames_in_block(&s->frames) &&
        waited_past(&s->header_seconds, seconds, s->common->header_timeout))
        h2_judge(
            s, ERROR_ENHANCE_YOUR_CALM, "session timed out", log_str("limit", "header-timeout"));
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
    .sweep = sweep,
    .reap = reap,
    .free = free_session,
};

/* Making one. */

/* nghttp2's own limits are set so high that those of the options always apply first. */
enum { BEHIND = 100000 };

/* Bytes of a header list that is sent. nghttp2's default of 64 KiB only equals what a client may
 * send, and this server adds to what it passes on. */
enum { HEADERS_MAX = 1 << 24 };

static void set_options(nghttp2_option *option)
{
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_max_outbound_ack(option, BEHIND);
    nghttp2_option_set_max_continuations(option, BEHIND);
    nghttp2_option_set_stream_reset_rate_limit(option, BEHIND, BEHIND);
    nghttp2_option_set_max_send_header_block_length(option, HEADERS_MAX);
    nghttp2_option_set_builtin_recv_extension_type(option, NGHTTP2_PRIORITY_UPDATE);
}

/* Options are the same for all sessions, and callbacks for all of a role. Both are made once and
 * kept until the process ends. */
const nghttp2_option *h2_session_options(void)
{
    static nghttp2_option *option;
    if (!option && nghttp2_option_new(&option) == 0)
        set_options(option);
    return option;
}

struct h2_session *h2_session_make(struct session_host *host, const struct http_limits *common,
    const struct h2_limits *limits, const struct h2_role *role)
{
    struct h2_session *s = mem_get_zeroed(sizeof *s);
    if (!s)
        return NULL;
    s->base = (struct session){.ops = &session_ops, .host = host};
    s->role = role;
    s->common = common;
    s->limits = limits;
    list_init(&s->streams);
    list_init(&s->dirty);
    list_init(&s->dead);
    list_init(&s->ending);
    s->preface_seconds = NOT_WAITED;
    pace_start(&s->taking, 0);
    return s;
}

enum rc h2_session_greet(struct h2_session *s, const nghttp2_settings_entry *settings, size_t count)
{
    if (nghttp2_submit_settings(s->ng, NGHTTP2_FLAG_NONE, settings, count) ||
        nghttp2_session_set_local_window_size(
            s->ng, NGHTTP2_FLAG_NONE, 0, (int32_t)s->limits->conn_window)) {
        free_session(&s->base, cut_of(CUT_CLOSED));
        return RC_NOMEM;
    }
    s->base.host->dirty(s->base.host);
    return RC_OK;
}

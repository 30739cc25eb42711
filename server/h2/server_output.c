/* What exchanges send, submitted as frames. */
#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"
#include "h2/outgoing.h"
#include "h2/server_private.h"
#include "http/code.h"

/* The strings are ours: they live until the stream is freed, which is after nghttp2 has sent its
 * frames. */
static ssize_t read_body(nghttp2_session *ng, int32_t id, uint8_t *out, size_t room,
    uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct h2_session *s = user;
    struct h2_stream *st = source->ptr;
    s->recent = st;
    ssize_t n = h2_read_body(ng, id, &st->exchange.response.out, H2_BORROW, out, room, flags);
    st->deferred = n == NGHTTP2_ERR_DEFERRED;
    return n;
}

static void put_status(char digits[3], int status)
{
    digits[0] = (char)('0' + status / 100);
    digits[1] = (char)('0' + status / 10 % 10);
    digits[2] = (char)('0' + status % 10);
}

/* A head in the form that nghttp2 takes, made in the arena. */
static int make_head(
    struct h2_stream *st, int status, const struct fields *fields, nghttp2_nv **nva, size_t *count)
{
    struct arena *a = &st->exchange.arena;
    *count = fields->count + 1;
    *nva = arena_alloc(a, *count * sizeof **nva);
    char *digits = arena_bytes(a, 3);
    if (!*nva || !digits)
        return NGHTTP2_ERR_NOMEM;
    put_status(digits, status);
    (*nva)[0] = h2_pair(STR(":status"), (struct str){digits, 3}, H2_BORROW);
    h2_put_fields(*nva + 1, fields, H2_BORROW);
    return 0;
}

static int submit_head(struct h2_stream *st, bool ends)
{
    struct response *r = &st->exchange.response;
    nghttp2_nv *nva;
    size_t count;
    if (response_take_head(r) || make_head(st, r->status, &r->out.head, &nva, &count))
        return NGHTTP2_ERR_NOMEM;
    nghttp2_data_provider body = {.source.ptr = st, .read_callback = read_body};
    return nghttp2_submit_response(
        st->session->ng, h2_stream_id(st), nva, count, ends ? NULL : &body);
}

/* If the stream is closed already, the reset follows END_STREAM. */
static void submit_reset(struct h2_stream *st, uint32_t code)
{
    if (st->reset)
        return;
    st->reset = true;
    /* Out of memory: as the peer would wait in vain for a reset, the whole connection fails. */
    if (nghttp2_submit_rst_stream(st->session->ng, NGHTTP2_FLAG_NONE, h2_stream_id(st), code))
        h2_fail(st->session);
}

/*
 * A response that ends before its request is followed by RST_STREAM NO_ERROR (RFC 9113 8.1), after
 * a short delay: a client that is about to end its request anyway needs no reset, and one that
 * broke the protocol in it gets that error instead.
 */
static const double ending_seconds = 0.2;

/* Whether the response is sent, the handler has ended, and the client still sends. */
static bool ends_early(const struct exchange *x)
{
    return x->response.out.state == OUTGOING_SENT && !x->request.ended && !x->instance;
}

static void await_end(struct h2_stream *st)
{
    struct h2_session *s = st->session;
    check(!st->closed && !list_linked(&st->dirty));
    st->ending_since = clock_monotonic();
    if (list_empty(&s->ending))
        s->base.host->alarm(s->base.host, ending_seconds);
    list_append(&s->ending, &st->dirty);
}

void h2_end_early(struct h2_session *s)
{
    double now = clock_monotonic();
    while (!list_empty(&s->ending)) {
        struct h2_stream *st = container_of(s->ending.next, struct h2_stream, dirty);
        double left = st->ending_since + ending_seconds - now;
        if (left > 0.001) {
            s->base.host->alarm(s->base.host, left);
            return;
        }
        list_remove(&st->dirty);
        if (!st->exchange.request.ended)
            submit_reset(st, ERROR_NO_ERROR);
        s->base.host->dirty(s->base.host);
    }
}

static int submit_interim(struct h2_stream *st, int status, const struct fields *fields)
{
    nghttp2_nv *nva;
    size_t count;
    int error = make_head(st, status, fields, &nva, &count);
    if (!error)
        error = nghttp2_submit_headers(
            st->session->ng, NGHTTP2_FLAG_NONE, h2_stream_id(st), NULL, nva, count, NULL);
    st->exchange.response.informs_submitted++;
    return error < 0 ? error : 0;
}

/* Submits the queued interim responses, and 100 (Continue) if it is due. */
static int submit_informs(struct h2_stream *st)
{
    static const struct fields none = {NULL, 0, 0};
    struct response *r = &st->exchange.response;
    int error = 0;
    for (; r->informs && !error; r->informs = r->informs->next)
        error = submit_interim(st, r->informs->status, &r->informs->fields);
    if (error || !exchange_owes_continue(&st->exchange))
        return error;
    exchange_note_continue(&st->exchange);
    return submit_interim(st, 100, &none);
}

/* Submits the next step of the final response. */
static int submit_response(struct h2_stream *st)
{
    enum outgoing_step step = outgoing_next(&st->exchange.response.out);
    if (step == OUTGOING_HEAD || step == OUTGOING_HEAD_END)
        return submit_head(st, step == OUTGOING_HEAD_END);
    if (step == OUTGOING_FAILED)
        return NGHTTP2_ERR_NOMEM;
    if (step == OUTGOING_NOTHING || !st->deferred)
        return 0;
    st->deferred = false;
    return nghttp2_session_resume_data(st->session->ng, h2_stream_id(st));
}

void h2_output(struct h2_stream *st)
{
    struct exchange *x = &st->exchange;
    check_hot(!list_linked(&st->dirty)); /* the caller has unlinked it */
    if (x->reset_wanted)
        submit_reset(st, x->reset_code);
    if (st->closed)
        h2_stream_release(st);
    if (st->closed || st->reset)
        return;
    if (ends_early(x))
        await_end(st);
    else if (submit_informs(st) || submit_response(st))
        h2_stream_fail(st, ERROR_INTERNAL_ERROR);
}

/* A GOAWAY with an error is the last frame of a session. If it is not from a verdict of ours,
 * nghttp2 has found the error, and it is logged here. */
void h2_note_goaway(struct h2_session *s, const nghttp2_goaway *frame)
{
    if (frame->error_code == NGHTTP2_NO_ERROR)
        return;
    char name[CODE_NAME_SIZE];
    bool told = s->fault != H2_SOUND;
    h2_fail(s);
    if (told)
        return;
    log_peer_event(LOG_WARN, "connection error", log_int("conn", (int64_t)s->base.host->peer->conn),
        log_str("code", code_name(frame->error_code, name)),
        log_bytes("reason", (const char *)frame->opaque_data, frame->opaque_data_len));
}

enum {
    CREDIT_PER_DATA = 8, /* WINDOW_UPDATEs that the client may send for each DATA frame */
    CREDIT_MAX = 65536,
    DRIBBLE = 64, /* shorter DATA, with more to come, is due to a tiny window */
};

/* A single dribble may be the end of a large window: only one that follows another is counted. */
void h2_note_data(struct h2_session *s, size_t n, bool more)
{
    bool dribble = n < DRIBBLE && more;
    s->data_sent += n;
    if (dribble && s->dribbled)
        h2_count(s, GUARD_DRIBBLES);
    else if (!dribble && s->window_credit < CREDIT_MAX)
        s->window_credit += CREDIT_PER_DATA;
    s->dribbled = dribble;
}

static void note_data(struct h2_stream *st, size_t n)
{
    st->sent = true;
    h2_note_data(st->session, n, st->exchange.response.out.body.len);
}

/* A part of the response has become a frame. */
static void note_handed(struct h2_stream *st, const nghttp2_frame_hd *hd)
{
    struct response *r = &st->exchange.response;
    if (outgoing_over(&r->out))
        return;
    if (hd->type == NGHTTP2_HEADERS && r->informs_handed < r->informs_submitted)
        r->informs_handed++;
    else
        outgoing_note_head(&r->out);
    if (hd->flags & NGHTTP2_FLAG_END_STREAM) {
        outgoing_note_end(&r->out);
        if (ends_early(&st->exchange))
            h2_stream_dirty(st);
    }
    exchange_progress(&st->exchange);
}

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    (void)ng;
    struct h2_session *s = user;
    struct h2_stream *st = h2_stream_find(s, frame->hd.stream_id);
    switch (frame->hd.type) {
    case NGHTTP2_GOAWAY:
        h2_note_goaway(s, &frame->goaway);
        break;
    case NGHTTP2_RST_STREAM:
        /* A reset that was not submitted here answers a fault of the client. */
        if (!st || !st->reset)
            h2_count(s, GUARD_FAULTS);
        break;
    case NGHTTP2_DATA:
        if (st)
            note_data(st, frame->hd.length);
        __attribute__((fallthrough));
    case NGHTTP2_HEADERS:
        if (st)
            note_handed(st, &frame->hd);
        break;
    }
    return 0;
}

/* If the connection is ending for an error that is logged already, an unsent head is not
 * reported. */
static int on_frame_not_send(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *user)
{
    (void)ng;
    struct h2_session *s = user;
    struct h2_stream *st = h2_stream_find(s, frame->hd.stream_id);
    if (frame->hd.type != NGHTTP2_HEADERS || !st || st->closed)
        return 0;
    if (error == NGHTTP2_ERR_SESSION_CLOSING)
        return 0;
    log_event(LOG_ERROR, "headers not sent", log_int("conn", (int64_t)s->base.host->peer->conn),
        log_int("stream", frame->hd.stream_id), log_str("reason", nghttp2_strerror(error)));
    h2_stream_fail(st, ERROR_INTERNAL_ERROR);
    return 0;
}

void h2_server_output_callbacks(nghttp2_session_callbacks *cb)
{
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(cb, on_frame_not_send);
}

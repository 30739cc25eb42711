/* What exchanges have to send, into frames. */
#include "core/log.h"
#include "h2/stream.h"
#include "http/code.h"

enum { HEAD_ON_STACK = 32 };

/* Our strings live until the stream is freed, which is after nghttp2 is done with its frames. */
static nghttp2_nv pair(struct str name, struct str value)
{
    return (nghttp2_nv){(uint8_t *)name.p, (uint8_t *)value.p, name.n, value.n,
        NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

static void put_fields(nghttp2_nv *out, const struct fields *f)
{
    for (size_t i = 0; i < f->count; i++)
        out[i] = pair(f->list[i].name, f->list[i].value);
}

static int submit_trailers(struct h2_stream *st)
{
    const struct fields *trailers = &st->exchange.response.trailers;
    nghttp2_nv few[HEAD_ON_STACK], *nva = few;
    if (trailers->count > HEAD_ON_STACK)
        nva = arena_alloc(&st->exchange.arena, trailers->count * sizeof *nva);
    if (!nva)
        return NGHTTP2_ERR_NOMEM;
    put_fields(nva, trailers);
    return nghttp2_submit_trailer(st->session->ng, h2_stream_id(st), nva, trailers->count);
}

/* nghttp2 asks for body. Trailers are submitted from here and nowhere else: from elsewhere they
 * would overtake DATA. */
static ssize_t read_body(nghttp2_session *ng, int32_t id, uint8_t *out, size_t room,
    uint32_t *flags, nghttp2_data_source *source, void *user)
{
    (void)ng, (void)id, (void)user;
    struct h2_stream *st = source->ptr;
    struct response *r = &st->exchange.response;
    size_t n = bytes_take(&r->body, out, room);
    switch (response_next(r)) {
    case RESPONSE_TRAILERS:
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (submit_trailers(st))
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        break;
    case RESPONSE_END:
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        break;
    default:
        if (n == 0) {
            st->deferred = true;
            return NGHTTP2_ERR_DEFERRED;
        }
    }
    return (ssize_t)n;
}

static void put_status(char digits[3], int status)
{
    digits[0] = (char)('0' + status / 100);
    digits[1] = (char)('0' + status / 10 % 10);
    digits[2] = (char)('0' + status % 10);
}

static int submit_head(struct h2_stream *st, bool ends)
{
    struct response *r = &st->exchange.response;
    if (response_take_head(r))
        return NGHTTP2_ERR_NOMEM;
    nghttp2_nv few[HEAD_ON_STACK], *nva = few;
    size_t count = r->head.count + 1;
    if (count > HEAD_ON_STACK)
        nva = arena_alloc(&st->exchange.arena, count * sizeof *nva);
    char *status = arena_alloc(&st->exchange.arena, 3);
    if (!nva || !status)
        return NGHTTP2_ERR_NOMEM;
    put_status(status, r->status);
    nva[0] = pair(STR(":status"), (struct str){status, 3});
    put_fields(nva + 1, &r->head);
    nghttp2_data_provider body = {.source.ptr = st, .read_callback = read_body};
    return nghttp2_submit_response(
        st->session->ng, h2_stream_id(st), nva, count, ends ? NULL : &body);
}

/* On a stream that is closed already the reset follows END_STREAM. */
static void submit_reset(struct h2_stream *st, uint32_t code)
{
    if (st->reset)
        return;
    st->reset = true;
    /* Without the memory for a reset the peer waits in vain: that is the whole connection's fault.
     */
    if (nghttp2_submit_rst_stream(st->session->ng, NGHTTP2_FLAG_NONE, h2_stream_id(st), code))
        st->session->failed = true;
}

/* Whether the response is out, the handler gone, and the client still sending (RFC 9113 8.1). */
static bool ends_early(const struct exchange *x)
{
    return x->response.state == RESPONSE_SENT && !x->request.ended && !x->instance;
}

void h2_output(struct h2_stream *st)
{
    struct exchange *x = &st->exchange;
    int error = 0;
    if (x->reset_wanted || ends_early(x))
        submit_reset(st, x->reset_wanted ? x->reset_code : ERROR_NO_ERROR);
    if (st->closed)
        h2_stream_release(st);
    if (st->closed || st->reset)
        return;
    enum response_step step = response_next(&x->response);
    if (step == RESPONSE_HEAD || step == RESPONSE_HEAD_END) {
        error = submit_head(st, step == RESPONSE_HEAD_END);
    } else if (step != RESPONSE_NOTHING && st->deferred) {
        st->deferred = false;
        error = nghttp2_session_resume_data(st->session->ng, h2_stream_id(st));
    }
    if (error)
        h2_stream_fail(st, ERROR_INTERNAL_ERROR);
}

/* A GOAWAY with an error is the last frame of a session. */
static void note_goaway(struct h2_session *s, const nghttp2_goaway *frame)
{
    char name[CODE_NAME_SIZE];
    if (frame->error_code == NGHTTP2_NO_ERROR)
        return;
    s->failed = true;
    log_event(LOG_WARN, "connection error", log_int("conn", (int64_t)s->base.host->peer->conn),
        log_str("code", code_name(frame->error_code, name)),
        log_bytes("reason", (const char *)frame->opaque_data, frame->opaque_data_len));
}

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    if (frame->hd.type == NGHTTP2_GOAWAY)
        note_goaway(user, &frame->goaway);
    if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    struct h2_stream *st = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
    if (!st || response_over(&st->exchange.response))
        return 0;
    st->exchange.response.head_handed = true;
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        st->exchange.response.state = RESPONSE_SENT;
        if (ends_early(&st->exchange))
            h2_stream_dirty(st);
    }
    exchange_progress(&st->exchange);
    return 0;
}

static int on_frame_not_send(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *user)
{
    const struct h2_session *s = user;
    struct h2_stream *st = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
    if (frame->hd.type != NGHTTP2_HEADERS || !st || st->closed)
        return 0;
    log_event(LOG_ERROR, "headers not sent", log_int("conn", (int64_t)s->base.host->peer->conn),
        log_int("stream", frame->hd.stream_id), log_str("reason", nghttp2_strerror(error)));
    h2_stream_fail(st, ERROR_INTERNAL_ERROR);
    return 0;
}

void h2_output_callbacks(nghttp2_session_callbacks *cb)
{
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(cb, on_frame_not_send);
}

/* What calls send, submitted as frames. */
#include "core/check.h"
#include "h2/client_private.h"
#include "h2/outgoing.h"
#include "http/code.h"

static struct h2_leg *leg_of(nghttp2_session *ng, int32_t id)
{
    return nghttp2_session_get_stream_user_data(ng, id);
}

static ssize_t read_body(nghttp2_session *ng, int32_t id, uint8_t *out, size_t room,
    uint32_t *flags, nghttp2_data_source *source, void *user)
{
    (void)user;
    struct h2_leg *leg = source->ptr;
    if (!leg->call)
        return NGHTTP2_ERR_DEFERRED; /* a reset is on its way */
    ssize_t n = h2_read_body(ng, id, &leg->call->request, H2_COPY, out, room, flags);
    leg->deferred = n == NGHTTP2_ERR_DEFERRED;
    return n;
}

static int submit_head(struct h2_leg *leg, bool ends)
{
    enum { PSEUDO = 4 };
    struct call *c = leg->call;
    check_hot(leg->id == 0);
    if (call_take_head(c))
        return NGHTTP2_ERR_NOMEM;
    size_t count = PSEUDO + c->request.head.count;
    nghttp2_nv *nva = arena_alloc(&c->arena, count * sizeof *nva);
    if (!nva)
        return NGHTTP2_ERR_NOMEM;
    nva[0] = h2_pair(STR(":method"), c->method, H2_COPY);
    nva[1] = h2_pair(STR(":scheme"), c->scheme, H2_COPY);
    nva[2] = h2_pair(STR(":authority"), c->authority, H2_COPY);
    nva[3] = h2_pair(STR(":path"), c->target, H2_COPY);
    h2_put_fields(nva + PSEUDO, &c->request.head, H2_COPY);
    nghttp2_data_provider body = {.source.ptr = leg, .read_callback = read_body};
    leg->id = nghttp2_submit_request(leg->session->ng, NULL, nva, count, ends ? NULL : &body, leg);
    if (leg->id > 0)
        return 0;
    int error = leg->id;
    leg->id = 0;
    return error;
}

static void fail(struct h2_leg *leg, int error)
{
    h2_leg_reset(leg, ERROR_INTERNAL_ERROR);
    h2_leg_end(leg, leg->id ? CALL_LOST : CALL_REFUSED, nghttp2_strerror(error));
}

void h2_client_output(struct h2_leg *leg)
{
    int error = 0;
    if (!leg->call || leg->closed)
        return;
    enum outgoing_step step = outgoing_next(&leg->call->request);
    if (step == OUTGOING_HEAD || step == OUTGOING_HEAD_END) {
        error = submit_head(leg, step == OUTGOING_HEAD_END);
    } else if (step == OUTGOING_FAILED) {
        error = NGHTTP2_ERR_NOMEM;
    } else if (step != OUTGOING_NOTHING && leg->deferred) {
        leg->deferred = false;
        error = nghttp2_session_resume_data(leg->session->ng, leg->id);
    }
    if (error)
        fail(leg, error);
}

/* A part of the request has become a frame. */
static void note_handed(struct h2_leg *leg, const nghttp2_frame_hd *hd)
{
    struct outgoing *o = &leg->call->request;
    outgoing_note_head(o);
    if (hd->flags & NGHTTP2_FLAG_END_STREAM)
        outgoing_note_end(o);
    call_progress(leg->call);
}

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct h2_session *s = user;
    struct h2_leg *leg = leg_of(ng, frame->hd.stream_id);
    switch (frame->hd.type) {
    case NGHTTP2_GOAWAY:
        h2_note_goaway(s, &frame->goaway);
        break;
    case NGHTTP2_RST_STREAM:
        /* A reset that was not submitted here answers a fault of the server. */
        if (!leg || !leg->reset)
            h2_count(s, GUARD_FAULTS);
        break;
    case NGHTTP2_DATA:
        h2_note_data(s, frame->hd.length, leg && leg->call && leg->call->request.body.len);
        __attribute__((fallthrough));
    case NGHTTP2_HEADERS:
        if (leg && leg->call)
            note_handed(leg, &frame->hd);
        break;
    }
    return 0;
}

/* nghttp2 closes the stream right after this. */
static int on_frame_not_send(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *user)
{
    (void)user;
    struct h2_leg *leg = leg_of(ng, frame->hd.stream_id);
    if (frame->hd.type != NGHTTP2_HEADERS || !leg)
        return 0;
    leg->refused = error == NGHTTP2_ERR_START_STREAM_NOT_ALLOWED;
    leg->end = CALL_LOST;
    leg->why = "the request could not be sent";
    return 0;
}

void h2_client_output_callbacks(nghttp2_session_callbacks *cb)
{
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(cb, on_frame_not_send);
}

/* Received frames, as nghttp2 reports them, into the responses of calls. */
#include "h2/client_private.h"
#include "http/code.h"

static struct h2_leg *leg_of(nghttp2_session *ng, int32_t id)
{
    return nghttp2_session_get_stream_user_data(ng, id);
}

/* The stream cannot be used any more: its call ends when the stream closes. */
static void give_up(struct h2_leg *leg, uint32_t code, enum call_end end, const char *why)
{
    leg->end = end;
    leg->why = why;
    h2_leg_reset(leg, code);
}

static void give_up_large(struct h2_leg *leg)
{
    leg->call->limit = leg->size.too_large;
    give_up(leg, ERROR_ENHANCE_YOUR_CALM, CALL_TOO_LARGE, leg->size.too_large);
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    (void)user;
    struct h2_leg *leg = leg_of(ng, frame->hd.stream_id);
    if (leg && leg->call)
        leg->call->began = true;
    return 0;
}

/* nghttp2 has checked that it is three digits. */
static void take_status(struct h2_leg *leg, struct str value)
{
    leg->status = 0;
    for (size_t i = 0; i < value.n; i++)
        leg->status = leg->status * 10 + value.p[i] - '0';
    if (leg->status < 100)
        give_up(leg, ERROR_PROTOCOL_ERROR, CALL_PROTOCOL, "a malformed response");
}

/* Fields that must not be trailers are dropped, never merged (RFC 9110 6.5.1). */
static enum rc store_field(struct h2_leg *leg, struct str name, struct str value)
{
    struct call *c = leg->call;
    if (!c->status)
        return fields_copy(&c->fields, &c->arena, name, value);
    return field_trailer_problem(name) ? RC_OK : fields_copy(&c->trailers, &c->arena, name, value);
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    (void)flags;
    struct h2_session *s = user;
    struct h2_leg *leg = leg_of(ng, frame->hd.stream_id);
    struct str n = {(const char *)name, name_len}, v = {(const char *)value, value_len};
    if (!leg || !leg->call || leg->why)
        return 0;
    if (!header_size_add(&leg->size, s->common, name_len + value_len))
        give_up_large(leg);
    else if (str_eq(n, STR(":status")))
        take_status(leg, v);
    else if (store_field(leg, n, v))
        give_up(leg, ERROR_INTERNAL_ERROR, CALL_LOST, "out of memory");
    return 0;
}

static void on_headers(struct h2_leg *leg, const nghttp2_frame *frame)
{
    struct call *c = leg->call;
    bool is_head = !c->status;
    if (is_head && call_receive_head(c, "HTTP/2", leg->status)) {
        give_up(leg, ERROR_ENHANCE_YOUR_CALM, CALL_PROTOCOL, "too many interim responses");
        return;
    }
    if (leg->status < 200) /* each list has limits of its own */
        leg->size = (struct header_size){0};
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        c->ended_by_head = is_head;
        call_receive_end(c);
    }
}

/* SETTINGS and the connection's window are no sign of life: they come with the greeting, which a
 * kernel may deliver for a server that hangs. */
static bool is_sign_of_life(const nghttp2_frame *frame)
{
    if (frame->hd.type == NGHTTP2_SETTINGS)
        return false;
    return frame->hd.type != NGHTTP2_WINDOW_UPDATE || frame->hd.stream_id;
}

static void hear(struct h2_session *s, const nghttp2_frame *frame)
{
    bool is_answer = frame->hd.type == NGHTTP2_SETTINGS && frame->hd.flags & NGHTTP2_FLAG_ACK;
    if (is_sign_of_life(frame))
        s->heard++;
    else if (!is_answer)
        return;
    s->doubted = 0;
}

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct h2_session *s = user;
    hear(s, frame);
    if (s->keepalive.seconds > 0)
        h2_keepalive_hear(s);
    struct h2_leg *leg = leg_of(ng, frame->hd.stream_id);
    bool live = leg && leg->call && !leg->why && s->fault == H2_SOUND;
    switch (frame->hd.type) {
    case NGHTTP2_SETTINGS:
        s->greeted = true;
        __attribute__((fallthrough));
    case NGHTTP2_GOAWAY:
        s->base.host->changed(s->base.host);
        break;
    case NGHTTP2_HEADERS:
        if (live)
            on_headers(leg, frame);
        break;
    case NGHTTP2_DATA:
        if (live && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
            call_receive_end(leg->call);
        else if (frame->hd.length && frame->hd.length == frame->data.padlen)
            h2_count(s, GUARD_EMPTY);
        break;
    case NGHTTP2_RST_STREAM:
        if (leg)
            leg->peer_reset = true;
        break;
    }
    return 0;
}

static int on_data(
    nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data, size_t n, void *user)
{
    (void)flags;
    struct h2_session *s = user;
    struct h2_leg *leg = leg_of(ng, id);
    if (leg && leg->call && !leg->why && call_receive(leg->call, data, n))
        give_up(leg, ERROR_INTERNAL_ERROR, CALL_LOST, "out of memory");
    return h2_give_credit(s, n);
}

static void end_call(struct h2_leg *leg, uint32_t code)
{
    char name[CODE_NAME_SIZE];
    const char *text = code_name(code, name);
    if (leg->refused || (code == ERROR_REFUSED_STREAM && !leg->why)) {
        h2_leg_end(leg, CALL_REFUSED, text);
    } else if (leg->peer_reset) {
        leg->call->reset_code = code;
        h2_leg_end(leg, CALL_RESET, text);
    } else if (leg->why) {
        h2_leg_end(leg, leg->end, leg->why);
    } else {
        h2_leg_end(leg, CALL_PROTOCOL, "a malformed response");
    }
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *user)
{
    (void)user;
    struct h2_leg *leg = leg_of(ng, id);
    if (!leg)
        return 0;
    leg->closed = true;
    if (leg->call)
        end_call(leg, code);
    else
        h2_leg_release(leg);
    return 0;
}

void h2_client_input_callbacks(nghttp2_session_callbacks *cb)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, h2_on_invalid_frame);
}

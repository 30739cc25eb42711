/* Checks received frames before nghttp2 sees them: each is weighed against the limits as it
 * begins. */
#include "h2/session_private.h"
#include "http/code.h"

/* Why a frame is not allowed: what the verdict on the connection reports. */
struct offence {
    uint32_t code;
    const char *event;
    struct log_field detail;
};

static bool accuse(struct offence *out, uint32_t code, const char *event, struct log_field detail)
{
    *out = (struct offence){code, event, detail};
    return false;
}

/* Counts frames that cost the peer nothing, but this server work. */
static bool count(struct h2_session *s, enum guard_kind kind, struct offence *out)
{
    if (guard_count(&s->guard, kind, s->limits->a_second[kind]))
        return true;
    return accuse(
        out, ERROR_ENHANCE_YOUR_CALM, "limit reached", log_str("limit", guard_name(kind)));
}

/* Refuses DATA or HEADERS on a stream that the client itself has ended. */
static bool weigh_open(struct h2_session *s, const struct frame_head *frame, struct offence *out)
{
    if (ended_has(&s->ended, frame->stream))
        return accuse(out, ERROR_STREAM_CLOSED, "frame after the stream's end",
            log_int("stream", frame->stream));
    if (frame->stream % 2 && frame->flags & NGHTTP2_FLAG_END_STREAM)
        ended_add(&s->ended, frame->stream);
    return true;
}

static bool weigh_headers(struct h2_session *s, const struct frame_head *frame, struct offence *out)
{
    s->continuations = 0;
    s->header_seconds = NOT_WAITED;
    if (!weigh_open(s, frame, out))
        return false;
    if (!s->base.client && frame->stream % 2 && !gaps_open(&s->gaps, frame->stream))
        return accuse(
            out, ERROR_PROTOCOL_ERROR, "stream id reused", log_int("stream", frame->stream));
    return true;
}

static bool weigh_continuation(
    struct h2_session *s, const struct frame_head *frame, struct offence *out)
{
    if (++s->continuations > s->limits->continuations)
        return accuse(
            out, ERROR_ENHANCE_YOUR_CALM, "limit reached", log_str("limit", "max-continuations"));
    return frame->length || count(s, GUARD_EMPTY, out);
}

static bool weigh_body(struct h2_session *s, const struct frame_head *frame, struct offence *out)
{
    if (!weigh_open(s, frame, out))
        return false;
    return frame->length || frame->flags & NGHTTP2_FLAG_END_STREAM || count(s, GUARD_EMPTY, out);
}

static bool weigh_window_update(struct h2_session *s, struct offence *out)
{
    if (s->window_credit == 0)
        return count(s, GUARD_WINDOWS, out);
    s->window_credit--;
    return true;
}

/* Whether a frame is allowed to begin. */
static bool weigh(struct h2_session *s, const struct frame_head *frame, struct offence *out)
{
    switch (frame->type) {
    case NGHTTP2_HEADERS:
        return weigh_headers(s, frame, out);
    case NGHTTP2_CONTINUATION:
        return weigh_continuation(s, frame, out);
    case NGHTTP2_DATA:
        return weigh_body(s, frame, out);
    case NGHTTP2_WINDOW_UPDATE:
        return weigh_window_update(s, out);
    case NGHTTP2_PRIORITY:
        /* RFC 7540 5.3.1 and 6.3. RFC 9113 does not define them anew. */
        if (frame->stream == 0 || frame->depends_on == frame->stream)
            return accuse(
                out, ERROR_PROTOCOL_ERROR, "priority refused", log_int("stream", frame->stream));
        break;
    case NGHTTP2_PUSH_PROMISE:
        /* nghttp2 accepts it until the peer acknowledges our SETTINGS, which forbid it. */
        if (s->base.client)
            return accuse(
                out, ERROR_PROTOCOL_ERROR, "push refused", log_int("stream", frame->stream));
        break;
    case NGHTTP2_RST_STREAM:
        if (frame->stream % 2)
            ended_add(&s->ended, frame->stream);
        break;
    }
    return count(s, GUARD_CONTROL, out);
}

/* Frames are weighed first, and then passed to nghttp2 all at once. If one offends, the verdict
 * follows when nghttp2 has seen everything up to and including that frame's head. */
ssize_t h2_input(struct h2_session *s, const uint8_t *data, size_t n)
{
    struct offence offence;
    bool begins, fits = true;
    size_t at = 0;
    while (at < n && fits) {
        at += frames_cut(&s->frames, data + at, n - at, &begins);
        fits = !begins || weigh(s, &s->frames.last, &offence);
    }
    ssize_t taken = nghttp2_session_mem_recv(s->ng, data, at);
    if (taken < 0)
        return taken;
    if (!fits)
        h2_judge(s, offence.code, offence.event, offence.detail);
    return 0;
}

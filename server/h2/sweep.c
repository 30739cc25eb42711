/* Timeouts of a session and its streams, counted in sweeps rather than by timers of their own. */
#include "core/log.h"
#include "h2/stream.h"
#include "http/code.h"

/* What answers the timeout has as long again to go out. */
static void expire(struct h2_stream *st, int status, const char *timeout)
{
    const struct peer *peer = st->session->base.host->peer;
    log_event(LOG_WARN, "stream timed out", log_str("limit", timeout),
        log_int("conn", (int64_t)peer->conn), log_int("stream", st->exchange.stream),
        log_str("remote", peer->remote));
    st->age = NOT_WAITED;
    exchange_refuse(&st->exchange, "timeout", status);
}

static void sweep_stream(struct h2_stream *st, const struct http_limits *limits, double seconds)
{
    struct exchange *x = &st->exchange;
    if (st->received || !x->wants_body)
        st->starved_seconds = NOT_WAITED;
    if (st->sent || x->response.message.body.len == 0)
        st->stuck_seconds = NOT_WAITED;
    st->received = st->sent = false;
    if (waited_past(&st->age, seconds, limits->request_timeout))
        expire(st, 504, "request-timeout");
    else if (x->wants_body && waited_past(&st->starved_seconds, seconds, limits->body_timeout))
        expire(st, 408, "body-timeout");
    else if (x->response.message.body.len &&
             waited_past(&st->stuck_seconds, seconds, limits->write_timeout))
        expire(st, 0, "write-timeout");
}

void h2_sweep_stream(struct list *link, double seconds)
{
    struct h2_stream *st = container_of(link, struct h2_stream, link);
    if (!st->closed && !st->reset && !st->exchange.reset_wanted)
        sweep_stream(st, st->session->common, seconds);
}

void h2_sweep(struct session *base, double seconds)
{
    struct h2_session *s = container_of(base, struct h2_session, base);
    for (struct list *node = s->streams.next, *next; node != &s->streams; node = next) {
        next = node->next;
        if (s->role->sweep)
            s->role->sweep(node, seconds);
    }
    if (!s->greeted && waited_past(&s->preface_seconds, seconds, s->limits->preface_timeout))
        h2_judge(
            s, ERROR_SETTINGS_TIMEOUT, "session timed out", log_str("limit", "preface-timeout"));
    if (frames_in_block(&s->frames) &&
        waited_past(&s->header_seconds, seconds, s->common->header_timeout))
        h2_judge(
            s, ERROR_ENHANCE_YOUR_CALM, "session timed out", log_str("limit", "header-timeout"));
}

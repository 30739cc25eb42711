/* What an exchange has to send, into bytes. */
#include "h1/session_private.h"
#include "http/code.h"

#include <stdio.h>

static void set_rest(struct h1_session *s, struct str text)
{
    s->rest = text.p;
    s->rest_len = text.n;
}

/* Text put together in an arena, whose size is counted first. */
struct writer {
    char *at; /* NULL while it is counted */
    size_t n;
};

static void put(struct writer *w, struct str text)
{
    if (w->at)
        memcpy(w->at + w->n, text.p, text.n);
    w->n += text.n;
}

static void put_fields(struct writer *w, const struct fields *f)
{
    for (size_t i = 0; i < f->count; i++) {
        put(w, f->list[i].name);
        put(w, STR(": "));
        put(w, f->list[i].value);
        put(w, STR("\r\n"));
    }
}

/* The parts of a head, or of a trailer section: a line, fields, and a line of the connection's. */
struct section {
    struct str first;
    const struct fields *fields;
    struct str last;
};

static void put_section(struct writer *w, const struct section *part)
{
    put(w, part->first);
    put_fields(w, part->fields);
    put(w, part->last);
    put(w, STR("\r\n"));
}

/* Makes the section the rest; false when memory ran out. */
static bool make(struct h1_session *s, const struct section *part)
{
    struct writer w = {NULL, 0};
    put_section(&w, part);
    w.at = arena_bytes(&s->x->exchange.arena, w.n);
    if (!w.at)
        return false;
    w.n = 0;
    put_section(&w, part);
    set_rest(s, (struct str){w.at, w.n});
    return true;
}

static struct str status_line(int status, char out[STATUS_TEXT_SIZE + 16])
{
    int n =
        snprintf(out, STATUS_TEXT_SIZE + 16, "HTTP/1.1 %d %s\r\n", status, status_phrase(status));
    return (struct str){out, (size_t)n};
}

static bool make_head(
    struct h1_session *s, int status, const struct fields *fields, struct str last)
{
    char line[STATUS_TEXT_SIZE + 16];
    struct section head = {status_line(status, line), fields, last};
    return make(s, &head);
}

/* Interim responses. */

static bool send_inform(struct h1_session *s)
{
    struct response *r = &s->x->exchange.response;
    const struct inform *inform = r->informs;
    r->informs = inform->next;
    r->informs_submitted++;
    r->informs_handed++;
    /* RFC 9110 15.2: a client of HTTP/1.0 knows none. */
    if (r->message.framing == FRAMING_CLOSE)
        return true;
    return make_head(s, inform->status, &inform->fields, STR(""));
}

/* Whether the client is to be told to send its body: the handler waits for it, and has not answered
 * yet. */
static bool owes_continue(const struct exchange *x)
{
    return x->request.expects_continue && x->wants_body &&
           x->response.message.state == OUTGOING_OPEN;
}

/* The response. */

/* Whether what the client has still to send is too much to be read for nothing, or may never come.
 */
static bool leaves_too_much(const struct h1_session *s)
{
    const struct exchange *x = &s->x->exchange;
    if (x->request.ended || x->instance)
        return false;
    return x->request.expects_continue || (!s->parser.chunked && s->parser.left > H1_DRAIN_MAX);
}

/* Whether the connection may serve another request after this response. */
static bool keeps(const struct h1_session *s)
{
    bool is_last = s->input_ended && s->queue.len == 0;
    return !s->closing && !s->going && !is_last && !s->x->asks_close &&
           s->x->exchange.response.message.framing != FRAMING_CLOSE && !leaves_too_much(s);
}

/* The fields of the head that are the connection's. */
static struct str connection_fields(const struct h1_session *s)
{
    const struct exchange *x = &s->x->exchange;
    bool chunked = x->response.message.framing == FRAMING_CHUNKS;
    if (s->closing)
        return chunked ? STR("transfer-encoding: chunked\r\nconnection: close\r\n")
                       : STR("connection: close\r\n");
    if (chunked)
        return STR("transfer-encoding: chunked\r\n");
    return s->x->is_1_0 ? STR("connection: keep-alive\r\n") : STR("");
}

static bool send_head(struct h1_session *s)
{
    struct response *r = &s->x->exchange.response;
    if (response_take_head(r))
        return false;
    s->closing = !keeps(s);
    r->message.head_handed = true;
    return make_head(s, r->status, &r->message.head, connection_fields(s));
}

/* All that is queued of the body, in one piece. */
static void send_body(struct h1_session *s)
{
    struct response *r = &s->x->exchange.response;
    s->piece = r->message.body.len;
    s->piece_ends_chunk = r->message.framing == FRAMING_CHUNKS;
    if (s->piece_ends_chunk) {
        int n = snprintf(s->chunk_line, sizeof s->chunk_line, "%zx\r\n", s->piece);
        set_rest(s, (struct str){s->chunk_line, (size_t)n});
    }
}

static void mark_sent(struct h1_session *s)
{
    s->x->sent = true;
    s->x->exchange.response.message.state = OUTGOING_SENT;
}

static bool send_trailers(struct h1_session *s)
{
    struct section trailers = {STR("0\r\n"), &s->x->exchange.response.message.trailers, STR("")};
    if (!make(s, &trailers))
        return false;
    mark_sent(s);
    return true;
}

static void send_end(struct h1_session *s)
{
    if (s->x->exchange.response.message.framing == FRAMING_CHUNKS)
        set_rest(s, STR("0\r\n\r\n"));
    mark_sent(s);
}

/* The response goes no further: what has gone out of it, if anything, is not whole. */
static bool cut_short(struct h1_session *s)
{
    s->broken = true;
    s->base.cut = !s->x->sent;
    return false;
}

/* Makes the next step of the response to be sent; false where there is none, and when memory ran
 * out: then the session is broken. */
static bool send_step(struct h1_session *s)
{
    bool made = true;
    enum outgoing_step step = outgoing_next(&s->x->exchange.response.message);
    switch (step) {
    case OUTGOING_NOTHING:
        return false;
    case OUTGOING_HEAD:
    case OUTGOING_HEAD_END:
        made = send_head(s);
        if (made && step == OUTGOING_HEAD_END)
            mark_sent(s);
        break;
    case OUTGOING_BODY:
        send_body(s);
        break;
    case OUTGOING_TRAILERS:
        made = send_trailers(s);
        break;
    case OUTGOING_END:
        send_end(s);
        break;
    }
    return made || cut_short(s);
}

static bool prepare(struct h1_session *s)
{
    struct exchange *x = &s->x->exchange;
    if (x->reset_wanted || x->response.message.state == OUTGOING_ABORTED)
        return cut_short(s);
    if (x->response.informs)
        return send_inform(s) || cut_short(s);
    if (owes_continue(x)) {
        x->request.expects_continue = false;
        set_rest(s, STR("HTTP/1.1 100 Continue\r\n\r\n"));
        return true;
    }
    return send_step(s);
}

static size_t copy_rest(struct h1_session *s, char *out, size_t room)
{
    size_t n = s->rest_len < room ? s->rest_len : room;
    if (n) {
        memcpy(out, s->rest, n);
        s->rest += n;
        s->rest_len -= n;
    }
    return n;
}

/* A reset may have taken the body away: then the piece is cut short. */
static size_t copy_piece(struct h1_session *s, char *out, size_t room)
{
    size_t n = s->piece < room ? s->piece : room;
    n = bytes_take(&s->x->exchange.response.message.body, out, n);
    s->piece = n ? s->piece - n : 0;
    if (s->piece == 0 && s->piece_ends_chunk && n) {
        s->piece_ends_chunk = false;
        set_rest(s, STR("\r\n"));
    }
    return n;
}

size_t h1_output(struct h1_session *s, char *out, size_t room)
{
    size_t filled = copy_rest(s, out, room);
    while (filled < room && s->x && !s->broken) {
        if (s->piece)
            filled += copy_piece(s, out + filled, room - filled);
        else if (!prepare(s))
            break;
        filled += copy_rest(s, out + filled, room - filled);
    }
    if (s->x)
        exchange_progress(&s->x->exchange);
    return filled;
}

/* What exchanges send, written as bytes. */
#include "h1/server_private.h"
#include "http/code.h"

#include <stdio.h>

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
    const struct h1_section head = {status_line(status, line), fields, last};
    return h1_write_section(&s->out, &s->x->exchange.arena, &head);
}

/* Interim responses. */

static bool send_inform(struct h1_session *s)
{
    struct response *r = &s->x->exchange.response;
    const struct inform *inform = r->informs;
    r->informs = inform->next;
    r->informs_submitted++;
    r->informs_handed++;
    /* RFC 9110 15.2: HTTP/1.0 has no interim responses. */
    if (r->out.framing == FRAMING_CLOSE)
        return true;
    return make_head(s, inform->status, &inform->fields, STR(""));
}

/* The response. */

/* Whether the rest of the client's body is too much to read and discard, or may never come. */
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
    bool is_last = s->input == H1_ENDED && s->queue.len == 0;
    return s->output == H1_KEEPING && !s->going && !is_last && !s->x->asks_close &&
           s->x->exchange.response.out.framing != FRAMING_CLOSE && !leaves_too_much(s);
}

/* RFC 9110 7.8. */
static struct str tunnel_fields(struct exchange *x)
{
    const struct str parts[] = {
        STR("connection: upgrade\r\nupgrade: "), x->request.tunnel, STR("\r\n")};
    size_t n = parts[0].n + parts[1].n + parts[2].n;
    char *text = arena_bytes(&x->arena, n), *end = text;
    for (size_t i = 0; text && i < 3; end += parts[i++].n)
        memcpy(end, parts[i].p, parts[i].n);
    return (struct str){text, n};
}

/* The fields of the head that concern the connection; p is NULL if memory ran out. */
static struct str connection_fields(struct h1_session *s)
{
    struct exchange *x = &s->x->exchange;
    bool chunked = x->response.out.framing == FRAMING_CHUNKS;
    if (x->response.out.framing == FRAMING_RAW)
        return tunnel_fields(x);
    if (s->output != H1_KEEPING)
        return chunked ? STR("transfer-encoding: chunked\r\nconnection: close\r\n")
                       : STR("connection: close\r\n");
    if (chunked)
        return STR("transfer-encoding: chunked\r\n");
    return s->x->is_1_0 ? STR("connection: keep-alive\r\n") : STR("");
}

static bool send_head(struct h1_session *s, bool ends)
{
    struct response *r = &s->x->exchange.response;
    if (response_take_head(r))
        return false;
    if (!keeps(s))
        h1_take_no_more(s);
    outgoing_note_head(&r->out);
    struct str last = connection_fields(s);
    if (!last.p || !make_head(s, r->status, &r->out.head, last))
        return false;
    if (ends)
        outgoing_note_end(&r->out);
    return true;
}

/* Ends the response here. What was sent of it, if anything, is incomplete. */
static bool cut_short(struct h1_session *s)
{
    h1_cut(s);
    s->base.cut = !s->x->sent;
    return false;
}

/* Writes the next step of the response. False if there is none, and if memory ran out: then the
 * output is cut. */
static bool send_step(struct h1_session *s)
{
    struct outgoing *o = &s->x->exchange.response.out;
    enum outgoing_step step = outgoing_next(o);
    bool made;
    if (step == OUTGOING_NOTHING)
        return false;
    if (step == OUTGOING_HEAD || step == OUTGOING_HEAD_END)
        made = send_head(s, step == OUTGOING_HEAD_END);
    else
        made = h1_write_step(&s->out, o, step);
    if (o->state == OUTGOING_SENT)
        s->x->sent = true;
    return made || cut_short(s);
}

static bool prepare(struct h1_session *s)
{
    struct exchange *x = &s->x->exchange;
    if (x->reset_wanted || x->response.out.state == OUTGOING_ABORTED)
        return cut_short(s);
    if (x->response.informs)
        return send_inform(s) || cut_short(s);
    if (exchange_owes_continue(x)) {
        exchange_note_continue(x);
        h1_write_text(&s->out, STR("HTTP/1.1 100 Continue\r\n\r\n"));
        return true;
    }
    return send_step(s);
}

size_t h1_output(struct h1_session *s, char *out, size_t room)
{
    size_t filled = 0;
    do {
        struct outgoing *o = s->x && s->output != H1_CUT ? &s->x->exchange.response.out : NULL;
        filled += h1_writer_take(&s->out, o, out + filled, room - filled);
    } while (filled < room && s->x && s->output != H1_CUT && prepare(s));
    if (s->x)
        exchange_progress(&s->x->exchange);
    return filled;
}

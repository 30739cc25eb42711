/* What the parser finds in responses, passed to calls. */
#include "h1/client_private.h"

/* A field of the head. Those that concern the connection are kept by the session. */
static bool take_field(struct h1_client *s)
{
    struct call *c = s->call;
    const struct h1_parser *p = &s->parser;
    struct fields *list = &c->fields;
    if (field_same_name(p->name, STR("connection")))
        list = &s->connection;
    else if (field_header_problem(p->name))
        return true;
    return fields_copy(list, &c->arena, p->name, p->value) == RC_OK;
}

/* Fields that must not be trailers are dropped, never merged (RFC 9110 6.5.1). */
static bool take_trailer(struct h1_client *s)
{
    struct call *c = s->call;
    const struct h1_parser *p = &s->parser;
    return field_trailer_problem(p->name) ||
           fields_copy(&c->trailers, &c->arena, p->name, p->value) == RC_OK;
}

/* Whether the connection ends with this response. */
static bool ends_connection(const struct h1_parser *p)
{
    return p->close || (p->minor == 0 && !p->keep_alive) || p->state == H1_UNTIL_CLOSE;
}

static bool take_head(struct h1_client *s)
{
    const struct h1_parser *p = &s->parser;
    for (size_t i = 0; i < s->connection.count; i++)
        fields_remove_listed(&s->call->fields, s->connection.list[i].value);
    s->connection = (struct fields){0};
    if (p->status >= 200 && ends_connection(p))
        h1_client_take_no_more(s);
    return call_receive_head(s->call, p->minor ? "HTTP/1.1" : "HTTP/1.0", p->status) == RC_OK;
}

/* The end of a message; an interim response is one too. */
static void take_end(struct h1_client *s)
{
    if (s->call->status == 0)
        return;
    call_receive_end(s->call);
    h1_client_settle(s);
}

static bool take_event(struct h1_client *s, enum h1_event event)
{
    switch (event) {
    case H1_ON_MORE:
        return true;
    case H1_ON_START:
        s->parser.no_content = str_eq(s->call->method, STR("HEAD"));
        return s->parser.status != 101; /* RFC 9110 15.2.2: the request asked for no upgrade */
    case H1_ON_FIELD:
        return take_field(s);
    case H1_ON_HEAD:
        return take_head(s);
    case H1_ON_CONTENT:
        return call_receive(s->call, s->parser.value.p, s->parser.value.n) == RC_OK;
    case H1_ON_TRAILER:
        return take_trailer(s);
    case H1_ON_END:
        take_end(s);
        return true;
    case H1_ON_FAULT:
        return false;
    }
    return false;
}

static void fail_parsing(struct h1_client *s, enum h1_fault fault)
{
    enum call_end end = fault == H1_NO_MEMORY ? CALL_LOST : CALL_PROTOCOL;
    s->call->limit = h1_fault_limit(fault);
    h1_client_break(s, s->call->limit ? CALL_TOO_LARGE : end, h1_fault_text(fault));
}

/* An event could not be processed. */
static void fail(struct h1_client *s, enum h1_event event)
{
    switch (event) {
    case H1_ON_FAULT:
        fail_parsing(s, s->parser.fault);
        break;
    case H1_ON_START:
        h1_client_break(s, CALL_PROTOCOL, "it switches protocols");
        break;
    case H1_ON_HEAD:
        h1_client_break(s, CALL_PROTOCOL, "too many interim responses");
        break;
    default:
        h1_client_break(s, CALL_LOST, "out of memory");
    }
}

/* How many bytes of n may be parsed now. */
static size_t allowance(const struct h1_client *s, size_t n)
{
    if (!h1_parser_near_content(&s->parser))
        return n;
    size_t room = bytes_room(&s->call->body);
    return n < room ? n : room;
}

void h1_client_input(struct h1_client *s, struct str *data)
{
    enum h1_event event = H1_ON_HEAD;
    if (data->n && (!s->call || !s->call->request.head_handed)) {
        h1_client_break(s, CALL_LOST, "a response that nobody asked for");
        return;
    }
    if (data->n)
        s->call->began = true;
    while (s->call && !s->call->ended && (data->n || event != H1_ON_MORE)) {
        struct str piece = {data->p, allowance(s, data->n)};
        if (piece.n == 0 && data->n)
            return;
        event = h1_parser_next(&s->parser, &piece);
        data->n -= (size_t)(piece.p - data->p);
        data->p = piece.p;
        if (!take_event(s, event))
            fail(s, event);
    }
    if (data->n && s->state != H1_CLIENT_DEAD)
        h1_client_break(s, CALL_LOST, "bytes behind the response");
}

void h1_client_input_end(struct h1_client *s)
{
    h1_client_take_no_more(s);
    if (!s->call)
        return;
    if (!s->call->ended && h1_parser_close(&s->parser) == H1_ON_END)
        call_receive_end(s->call);
    if (s->call->ended)
        h1_client_settle(s);
    else
        h1_client_break(s, CALL_LOST, s->call->began ? "the response is cut short" : "no response");
}

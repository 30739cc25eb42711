/* What the parser finds in requests, passed to exchanges. */
#include "core/log.h"
#include "h1/server_private.h"
#include "http/code.h"
#include "http/handler.h"
#include "http/head.h"

/* Stops reading from the client: it gets the status, and the connection ends. */
static void give_up(struct h1_session *s, const char *reason, int status)
{
    const struct peer *peer = s->base.host->peer;
    log_peer_event(LOG_WARN, "request refused", log_str("reason", reason),
        log_int("status", status), log_int("conn", (int64_t)peer->conn),
        log_str("remote", peer->remote));
    h1_deafen(s);
    if (!s->x && !h1_exchange_new(s))
        return;
    if (!outgoing_over(&s->x->exchange.response.out))
        exchange_refuse(&s->x->exchange, cut_by_us(ERROR_PROTOCOL_ERROR), status);
}

static void refuse(struct h1_session *s, enum h1_fault fault)
{
    give_up(s, h1_fault_text(fault), h1_fault_status(fault));
}

static void refuse_head(struct h1_session *s, enum head_fault fault)
{
    give_up(s, head_fault_text(fault), head_fault_status(fault));
}

/* The head. */

static enum rc copy(struct arena *a, struct str text, struct str *out)
{
    const char *p = arena_copy(a, text.p, text.n);
    *out = (struct str){p, text.n};
    return p ? RC_OK : RC_NOMEM;
}

/* Completes a target whose absolute form has no path (RFC 9112 3.2.1 and 3.2.4). */
static enum rc complete_path(struct arena *a, struct str method, struct str *path)
{
    if (path->n && path->p[0] != '?')
        return RC_OK;
    bool is_server = path->n == 0 && str_eq(method, STR("OPTIONS"));
    char *made = arena_bytes(a, path->n + 1);
    if (!made)
        return RC_NOMEM;
    made[0] = is_server ? '*' : '/';
    memcpy(made + 1, path->p, path->n);
    *path = (struct str){made, path->n + 1};
    return RC_OK;
}

/* Stores the method and the parts of the target. RC_NOMEM. */
static enum rc store_target(struct h1_session *s, struct exchange *x, struct h1_target *out)
{
    struct request *r = &x->request;
    struct str target;
    if (copy(&x->arena, s->parser.start.method, &r->method) ||
        copy(&x->arena, s->parser.start.target, &target))
        return RC_NOMEM;
    h1_target_split(target, out);
    r->authority = out->authority;
    return out->authority.p ? complete_path(&x->arena, r->method, &out->path) : RC_OK;
}

static void begin(struct h1_session *s)
{
    struct h1_exchange *hx = h1_exchange_new(s);
    struct h1_target target;
    if (!hx)
        return;
    struct response *r = &hx->exchange.response;
    hx->is_1_0 = s->parser.minor == 0;
    hx->exchange.request.version = s->parser.minor ? HTTP_1_1 : HTTP_1_0;
    r->out.framing = s->parser.minor ? FRAMING_CHUNKS : FRAMING_CLOSE;
    if (store_target(s, &hx->exchange, &target)) {
        refuse(s, H1_NO_MEMORY);
        return;
    }
    enum head_fault fault = head_set_target(&hx->exchange.request, target.path);
    if (fault)
        refuse_head(s, fault);
}

static void take_field(struct h1_session *s, struct fields *list, bool allowed)
{
    struct arena *a = &s->x->exchange.arena;
    if (allowed && fields_copy(list, a, s->parser.name, s->parser.value))
        refuse(s, H1_NO_MEMORY);
}

/* Appends members to a list in the arena. */
static enum rc join(struct str *to, struct arena *a, struct str more)
{
    struct str had = *to;
    char *list = arena_bytes(a, had.n + more.n + 1);
    if (!list)
        return RC_NOMEM;
    if (had.n)
        memcpy(list, had.p, had.n);
    list[had.n] = ',';
    memcpy(list + had.n + 1, more.p, more.n);
    *to = (struct str){list, had.n + 1 + more.n};
    return RC_OK;
}

/* The list that keeps a field of the connection for this session; NULL for another field. Fields
 * that Connection names are not passed on (RFC 9110 7.6.1). */
static struct str *own_list(struct request *r, struct str name)
{
    if (field_same_name(name, STR("connection")))
        return &r->connection;
    return field_same_name(name, STR("upgrade")) ? &r->tunnel : NULL;
}

/* Fields that concern the connection stay in the session, so that a handler sees the same as over
 * HTTP/2. */
static void take_header(struct h1_session *s)
{
    struct exchange *x = &s->x->exchange;
    struct str name = s->parser.name;
    if (!field_header_problem(name)) {
        take_field(s, &x->request.fields, true);
        return;
    }
    struct str *list = own_list(&x->request, name);
    if (list && join(list, &x->arena, s->parser.value))
        refuse(s, H1_NO_MEMORY);
}

/* Whether a field of the name has the member in its list, on any of its lines. */
static bool says(const struct fields *f, struct str name, struct str member)
{
    for (size_t i = 0; i < f->count; i++)
        if (str_eq(f->list[i].name, name) && field_list_has(f->list[i].value, member))
            return true;
    return false;
}

/* An upgrade applies to this hop only if Connection names it. It is ignored for a request with a
 * body, and if no handler accepts tunnels. */
static bool may_upgrade(const struct h1_session *s)
{
    const struct exchange *x = &s->x->exchange;
    return x->handler->tunnels && s->parser.minor == 1 && x->request.ended &&
           field_list_has(x->request.connection, STR("upgrade"));
}

static void end_head(struct h1_session *s)
{
    struct h1_exchange *hx = s->x;
    struct exchange *x = &hx->exchange;
    const struct h1_parser *p = &s->parser;
    bool none = !p->chunked && p->left == 0;
    hx->started = true;
    hx->asks_close = p->close || (p->minor == 0 && !p->keep_alive);
    x->response.out.trailers_accepted =
        p->minor == 1 && says(&x->request.fields, STR("te"), STR("trailers"));
    enum head_fault fault = head_settle(x, none);
    if (x->request.tunnel.p && !may_upgrade(s))
        x->request.tunnel = (struct str){NULL, 0};
    if (!fault) {
        exchange_start(x);
    } else if (fault == HEAD_EXPECTATION) {
        hx->asks_close = true; /* the client may leave its body out */
        exchange_respond(x, 417, STR("Expectation Failed\n"), NULL);
    } else {
        refuse_head(s, fault);
    }
}

/* The body. */

static void take_content(struct h1_session *s)
{
    struct h1_exchange *hx = s->x;
    struct str piece = s->parser.value;
    hx->received = true;
    exchange_note_continue(&hx->exchange);
    if (hx->exchange.instance) {
        if (exchange_receive(&hx->exchange, piece.p, piece.n))
            refuse(s, H1_NO_MEMORY);
        return;
    }
    hx->drained += piece.n;
    if (hx->drained > H1_DRAIN_MAX)
        h1_deafen(s);
}

static void end_request(struct h1_session *s)
{
    struct exchange *x = &s->x->exchange;
    if (!x->request.ended)
        exchange_receive_end(x);
}

static void take_event(struct h1_session *s, enum h1_event event)
{
    switch (event) {
    case H1_ON_MORE:
        break;
    case H1_ON_START:
        begin(s);
        break;
    case H1_ON_FIELD:
        take_header(s);
        break;
    case H1_ON_HEAD:
        end_head(s);
        break;
    case H1_ON_CONTENT:
        take_content(s);
        break;
    case H1_ON_TRAILER:
        /* Fields that must not be trailers are dropped, never merged (RFC 9110 6.5.1). */
        take_field(s, &s->x->exchange.request.trailers, !field_trailer_problem(s->parser.name));
        break;
    case H1_ON_END:
        end_request(s);
        break;
    case H1_ON_FAULT:
        refuse(s, s->parser.fault);
        break;
    }
}

/* How many bytes of n may be parsed now. The parser also runs if that is 0, for the end of a
 * message without content. */
static size_t allowance(const struct h1_session *s, size_t n)
{
    if (!h1_parser_near_content(&s->parser) || !s->x->exchange.instance)
        return n;
    size_t room = bytes_room(&s->x->exchange.request.body);
    return n < room ? n : room;
}

/* Whether the current message is not parsed completely, or another may follow. */
static bool listens(const struct h1_session *s)
{
    if (s->input == H1_DEAF || s->output == H1_CUT)
        return false;
    if (!s->x)
        return s->output == H1_KEEPING;
    return !s->x->exchange.request.ended || s->parser.state != H1_START;
}

void h1_input(struct h1_session *s, struct str *data)
{
    enum h1_event event = H1_ON_HEAD;
    while (listens(s) && (data->n || event != H1_ON_MORE)) {
        struct str piece = {data->p, allowance(s, data->n)};
        if (piece.n == 0 && data->n)
            return;
        event = h1_parser_next(&s->parser, &piece);
        data->n -= (size_t)(piece.p - data->p);
        data->p = piece.p;
        take_event(s, event);
    }
}

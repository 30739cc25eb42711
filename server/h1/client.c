#include "h1/client.h"

#include "core/check.h"
#include "core/list.h"
#include "core/mem.h"
#include "h1/client_private.h"

/* With input that is fed although the session does not want it. */
enum { QUEUE_MAX = 262144 };

static struct h1_client *client_of(const struct session *s)
{
    return container_of(s, struct h1_client, base);
}

static void mark_dirty(struct h1_client *s)
{
    s->base.host->dirty(s->base.host);
}

/* States. */

static void set_state(struct h1_client *s, enum h1_client_state state)
{
    check(state > s->state || (state == H1_CLIENT_IDLE && s->state == H1_CLIENT_BUSY));
    s->state = state;
}

void h1_client_take_no_more(struct h1_client *s)
{
    if (s->state < H1_CLIENT_LAST)
        set_state(s, H1_CLIENT_LAST);
}

static void die(struct h1_client *s)
{
    if (s->state != H1_CLIENT_DEAD)
        set_state(s, H1_CLIENT_DEAD);
}

/* Calls. */

static void on_dirty(struct call *c)
{
    mark_dirty(c->held);
}

/* The queued input fits now. */
static void on_consumed(struct call *c, size_t n)
{
    (void)n;
    struct h1_client *s = c->held;
    if (s->queue.len)
        mark_dirty(s);
}

/* Forgets the call. */
static void drop(struct h1_client *s)
{
    s->call = NULL;
    s->out = (struct h1_writer){0};
    if (s->going)
        h1_client_take_no_more(s);
    else if (s->state == H1_CLIENT_BUSY)
        set_state(s, H1_CLIENT_IDLE);
    mark_dirty(s);
    s->base.host->changed(s->base.host);
}

/* HTTP/1.1 has no other way to cancel a request. */
static void on_cancelled(struct call *c, uint32_t code)
{
    (void)code;
    struct h1_client *s = c->held;
    die(s);
    drop(s);
}

static const struct call_host call_host = {
    .protocol = "HTTP/1.1",
    .dirty = on_dirty,
    .consumed = on_consumed,
    .cancelled = on_cancelled,
};

static enum rc begin(struct session *base, struct call *c)
{
    struct h1_client *s = client_of(base);
    check_hot(s->state == H1_CLIENT_IDLE && !s->call);
    call_hold(c, &call_host, s, s->limits->stream_window);
    if (call_is_idempotent(c))
        call_keep(c);
    c->request.framing = FRAMING_CHUNKS;
    s->call = c;
    set_state(s, H1_CLIENT_BUSY);
    s->connection = (struct fields){0};
    mark_dirty(s);
    return RC_OK;
}

static bool is_going(const struct session *base)
{
    const struct h1_client *s = client_of(base);
    return s->going || s->state >= H1_CLIENT_LAST;
}

static bool carries(const struct session *base, uint32_t *calls)
{
    (void)base;
    *calls = 1;
    return true;
}

static uint32_t room(const struct session *base)
{
    const struct h1_client *s = client_of(base);
    return s->state == H1_CLIENT_IDLE && !s->going ? 1 : 0;
}

void h1_client_end(struct h1_client *s, enum call_end end, const char *why)
{
    struct call *c = s->call;
    drop(s);
    call_end(c, end, why);
}

static bool is_out(const struct h1_client *s)
{
    return s->call->request.state == OUTGOING_SENT && s->out.rest_len == 0 && s->out.piece == 0;
}

void h1_client_settle(struct h1_client *s)
{
    if (!s->call || !s->call->ended)
        return;
    bool out = is_out(s);
    if (!out && s->state < H1_CLIENT_LAST)
        return;
    if (!out)
        die(s);
    h1_client_end(s, CALL_WHOLE, "");
}

void h1_client_break(struct h1_client *s, enum call_end end, const char *why)
{
    die(s);
    if (s->call)
        h1_client_end(s, end, why);
    else
        drop(s);
}

/* Receiving. */

static enum rc receive(struct session *base, const uint8_t *data, size_t n)
{
    struct h1_client *s = client_of(base);
    struct str piece = {(const char *)data, n};
    if (s->queue.len == 0 && s->state != H1_CLIENT_DEAD)
        h1_client_input(s, &piece);
    if (s->state == H1_CLIENT_DEAD)
        return RC_PROTOCOL;
    return piece.n ? bytes_append(&s->queue, piece.p, piece.n) : RC_OK;
}

/* Parses the queued input. */
static void receive_queued(struct h1_client *s)
{
    while (s->queue.len && s->state != H1_CLIENT_DEAD) {
        struct str piece;
        piece.p = bytes_front(&s->queue, &piece.n);
        size_t n = piece.n;
        h1_client_input(s, &piece);
        bytes_drop(&s->queue, n - piece.n);
        if (piece.n)
            break;
    }
    if (s->input_ended && s->queue.len == 0 && s->state != H1_CLIENT_DEAD)
        h1_client_input_end(s);
}

static bool wants_input(const struct session *base)
{
    return client_of(base)->queue.len == 0;
}

static bool end_input(struct session *base)
{
    struct h1_client *s = client_of(base);
    s->input_ended = true;
    receive_queued(s);
    return s->queue.len && s->state != H1_CLIENT_DEAD;
}

/* Sending. */

/* The request line, and Host as the first field (RFC 9112 3.2). */
static struct str start_lines(struct call *c)
{
    const struct str parts[] = {
        c->method, STR(" "), c->target, STR(" HTTP/1.1\r\nhost: "), c->authority, STR("\r\n")};
    size_t n = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        n += parts[i].n;
    char *made = arena_bytes(&c->arena, n), *at = made;
    for (size_t i = 0; made && i < sizeof parts / sizeof *parts; at += parts[i++].n)
        memcpy(at, parts[i].p, parts[i].n);
    return (struct str){made, n};
}

/* The fields of the head that concern the connection. TE applies to the next server only, so
 * Connection names it (RFC 9110 10.1.4). */
static struct str connection_fields(const struct outgoing *o)
{
    bool te = fields_find(&o->head, STR("te"));
    if (o->framing == FRAMING_CHUNKS)
        return te ? STR("connection: te\r\ntransfer-encoding: chunked\r\n")
                  : STR("transfer-encoding: chunked\r\n");
    return te ? STR("connection: te\r\n") : STR("");
}

static bool send_head(struct h1_client *s, bool ends)
{
    struct outgoing *o = &s->call->request;
    if (call_take_head(s->call))
        return false;
    const struct h1_section head = {start_lines(s->call), &o->head, connection_fields(o)};
    if (!head.first.p || !h1_write_section(&s->out, o->arena, &head))
        return false;
    outgoing_note_head(o);
    if (ends)
        outgoing_note_end(o);
    return true;
}

/* Writes the next step of the request; false if there is none. */
static bool send_step(struct h1_client *s)
{
    struct outgoing *o = &s->call->request;
    enum outgoing_step step = outgoing_next(o);
    bool made;
    if (step == OUTGOING_NOTHING)
        return false;
    if (step == OUTGOING_HEAD || step == OUTGOING_HEAD_END)
        made = send_head(s, step == OUTGOING_HEAD_END);
    else
        made = h1_write_step(&s->out, o, step);
    if (!made)
        h1_client_break(s, CALL_LOST, "out of memory");
    return made;
}

static size_t fill(struct session *base, uint8_t *out, size_t size)
{
    struct h1_client *s = client_of(base);
    size_t filled = 0;
    while (s->call) {
        filled += h1_writer_take(&s->out, &s->call->request, (char *)out + filled, size - filled);
        if (filled == size || !send_step(s))
            break;
    }
    if (s->call && filled)
        call_progress(s->call);
    h1_client_settle(s);
    return filled;
}

/* Life. */

static bool is_over(const struct session *base)
{
    const struct h1_client *s = client_of(base);
    return s->state == H1_CLIENT_DEAD || (s->state == H1_CLIENT_LAST && !s->call);
}

static bool is_idle(const struct session *base)
{
    return !client_of(base)->call;
}

static void shut_down(struct session *base, enum session_end how)
{
    (void)how;
    struct h1_client *s = client_of(base);
    s->going = true;
    if (!s->call)
        h1_client_take_no_more(s);
    mark_dirty(s);
    s->base.host->changed(s->base.host);
}

/* Calls are timed by their agent. */
static void on_alarm(struct session *base)
{
    (void)base;
}

static void sweep(struct session *base, double seconds)
{
    (void)base, (void)seconds;
}

static void reap(struct session *base)
{
    struct h1_client *s = client_of(base);
    bool was_over = is_over(base);
    receive_queued(s);
    if (!was_over && is_over(base))
        mark_dirty(s);
}

static void free_session(struct session *base, struct cut cut)
{
    char text[CODE_NAME_SIZE];
    struct h1_client *s = client_of(base);
    if (s->call)
        call_end(s->call, CALL_LOST, cut_text(cut, text));
    bytes_fini(&s->queue);
    h1_parser_fini(&s->parser);
    mem_put(s, sizeof *s);
}

static const struct session_ops session_ops = {
    .recv = receive,
    .wants_input = wants_input,
    .end_input = end_input,
    .fill = fill,
    .is_over = is_over,
    .is_idle = is_idle,
    .shut_down = shut_down,
    .on_alarm = on_alarm,
    .sweep = sweep,
    .reap = reap,
    .free = free_session,
};

static const struct session_client_ops client_ops = {
    .begin = begin,
    .room = room,
    .is_going = is_going,
    .carries = carries,
};

enum rc h1_client_new(
    struct session_host *host, const struct http_limits *limits, struct session **out)
{
    struct h1_client *s = mem_get_zeroed(sizeof *s);
    if (!s)
        return RC_NOMEM;
    s->base = (struct session){.ops = &session_ops, .client = &client_ops, .host = host};
    s->limits = limits;
    bytes_init(&s->queue, QUEUE_MAX);
    h1_parser_init(&s->parser, H1_CLIENT, limits->header_bytes, limits->header_fields);
    *out = &s->base;
    return RC_OK;
}

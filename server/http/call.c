#include "http/call.h"

#include "core/check.h"
#include "core/clock.h"
#include "core/live.h"
#include "http/code.h"
#include "http/uri.h"

const struct call_options call_options_default = {
    .connect_timeout = 10, .response_timeout = 60, .idle_timeout = 60};

static void set_state(struct call *c, enum call_state state)
{
    check_hot(state != CALL_HELD || c->state != CALL_DONE);
    check_hot(state != CALL_IDLE || c->state == CALL_DONE);
    check_hot(state != CALL_DONE || c->state == CALL_HELD);
    c->state = state;
}

void call_init(struct call *c, const struct call_ops *ops)
{
    *c = (struct call){.state = CALL_IDLE, .ops = ops};
    arena_init(&c->arena, c->first, sizeof c->first, CALL_ARENA_MAX);
    outgoing_init(&c->request, &c->arena);
    c->request.trailers_accepted = true;
    bytes_init(&c->body, 0);
    bytes_init(&c->kept, CALL_KEPT_MAX);
    live.calls++;
}

void call_fini(struct call *c)
{
    check(c->state != CALL_HELD);
    outgoing_fini(&c->request);
    bytes_fini(&c->body);
    bytes_fini(&c->kept);
    arena_fini(&c->arena);
    live.calls--;
}

/* The request. */

static bool is_target(struct str target)
{
    return str_eq(target, STR("*")) || (str_starts(target, STR("/")) && uri_is_target(target));
}

static enum rc copy(struct call *c, struct str text, struct str *out)
{
    const char *p = arena_copy(&c->arena, text.p, text.n);
    *out = (struct str){p, text.n};
    return p ? RC_OK : RC_NOMEM;
}

enum rc call_aim(
    struct call *c, struct str method, struct str scheme, struct str authority, struct str target)
{
    if (field_name_problem(method) || str_eq(method, STR("CONNECT")) || !is_target(target) ||
        !uri_is_host(authority))
        return RC_INVALID;
    enum rc rc = copy(c, method, &c->method);
    if (!rc)
        rc = copy(c, scheme, &c->scheme);
    if (!rc)
        rc = copy(c, authority, &c->authority);
    return rc ? rc : copy(c, target, &c->target);
}

static enum rc tell_dirty(struct call *c, enum rc rc)
{
    if (!rc && c->host)
        c->host->dirty(c);
    return rc;
}

enum rc call_write(struct call *c, const char *data, size_t n, size_t *taken)
{
    *taken = 0;
    if (c->state == CALL_DONE)
        return RC_STATE;
    enum rc rc = outgoing_write(&c->request, data, n, taken);
    c->wants_room = !rc && *taken < n;
    return tell_dirty(c, rc);
}

enum rc call_flush(struct call *c)
{
    return c->state == CALL_DONE ? RC_STATE : tell_dirty(c, outgoing_start(&c->request));
}

enum rc call_finish(struct call *c)
{
    return c->state == CALL_DONE ? RC_STATE : tell_dirty(c, outgoing_finish(&c->request));
}

bool call_sending(const struct call *c)
{
    return c->state != CALL_DONE && !outgoing_over(&c->request);
}

/* The response. */

const char *call_peek(const struct call *c, size_t *n)
{
    return bytes_front(&c->body, n);
}

void call_consume(struct call *c, size_t n)
{
    bytes_drop(&c->body, n);
    c->progressed = clock_recent();
    if (c->host)
        c->host->consumed(c, n);
}

/* Its life. */

static void finish(struct call *c, enum call_end end, const char *why)
{
    set_state(c, CALL_DONE);
    c->host = NULL;
    c->agent = NULL;
    c->ops->on_done(c, end, why);
}

void call_cancel(struct call *c, uint32_t code)
{
    if (c->state != CALL_HELD)
        return;
    const struct call_host *host = c->host;
    set_state(c, CALL_DONE);
    c->host = NULL;
    if (host)
        host->cancelled(c, code);
    if (c->agent)
        c->agent->on_cancel(c);
    c->agent = NULL;
}

void call_expire(struct call *c)
{
    c->expired = true;
    call_cancel(c, ERROR_CANCEL);
}

enum rc call_rewind(struct call *c)
{
    if (c->host || c->began)
        return RC_STATE;
    enum rc rc = outgoing_rewind(&c->request);
    if (rc)
        return rc;
    if (c->state == CALL_DONE)
        set_state(c, CALL_IDLE);
    return RC_OK;
}

static void drop_response(struct call *c)
{
    size_t max = c->body.max;
    bytes_fini(&c->body);
    bytes_init(&c->body, max);
    c->protocol = c->limit = NULL;
    c->status = 0;
    c->interims = 0;
    c->fields.count = c->trailers.count = 0;
    c->began = c->ended = c->expired = c->ended_by_head = false;
}

enum rc call_again(struct call *c)
{
    const struct outgoing *o = &c->request;
    bool gone = outgoing_sent(o) && !(o->kept && o->kept->len == outgoing_sent(o));
    if (gone || o->state == OUTGOING_ABORTED)
        return RC_STATE;
    call_cancel(c, ERROR_CANCEL);
    drop_response(c);
    return call_rewind(c);
}

bool call_is_idempotent(const struct call *c)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (str_eq(c->method, str_of(methods[i])))
            return true;
    return false;
}

/* For agents. */

void call_engage(struct call *c, const struct call_agent *agent, void *ticket)
{
    check(!c->agent && !c->host);
    set_state(c, CALL_HELD);
    c->agent = agent;
    c->ticket = ticket;
}

void call_fail(struct call *c, enum call_end end, const char *why)
{
    const struct call_host *host = c->host;
    c->host = NULL;
    c->expired = end == CALL_TIMED_OUT;
    if (host)
        host->cancelled(c, ERROR_CANCEL);
    finish(c, end, why);
}

bool call_waits(const struct call *c)
{
    const struct outgoing *o = &c->request;
    if (o->body.len || o->state == OUTGOING_FINISHED)
        return true;
    return c->status ? !c->ended && c->body.len == 0 : o->state == OUTGOING_SENT;
}

/* For sessions. */

void call_hold(struct call *c, const struct call_host *host, void *held, size_t body_max)
{
    check_hot(!c->host && c->body.len == 0);
    set_state(c, CALL_HELD);
    c->host = host;
    c->held = held;
    c->body.max = body_max;
    c->wants_room = true;
    c->progressed = clock_recent();
}

void call_keep(struct call *c)
{
    c->request.kept = &c->kept;
}

/* RFC 9110 8.6: a method that gives content a meaning says so even if there is no content. */
static bool anticipates_content(struct str method)
{
    return str_eq(method, STR("POST")) || str_eq(method, STR("PUT")) ||
           str_eq(method, STR("PATCH"));
}

enum rc call_take_head(struct call *c)
{
    fields_remove(&c->request.head, STR("host"));
    return outgoing_take_head(&c->request, c->request.written || anticipates_content(c->method));
}

static enum rc receive_interim(struct call *c, int status)
{
    if (++c->interims > CALL_INTERIMS_MAX)
        return RC_LIMIT;
    c->ops->on_interim(c, status, &c->fields);
    c->fields.count = 0;
    return RC_OK;
}

enum rc call_receive_head(struct call *c, const char *protocol, int status)
{
    check_hot(c->host && c->status == 0);
    if (status < 200)
        return receive_interim(c, status);
    c->progressed = clock_recent();
    c->protocol = protocol;
    c->status = status;
    if (!c->keeps) {
        c->request.kept = NULL;
        bytes_fini(&c->kept);
    }
    c->ops->on_head(c);
    return RC_OK;
}

enum rc call_receive(struct call *c, const void *data, size_t n)
{
    check_hot(c->host && !c->ended);
    c->progressed = clock_recent();
    enum rc rc = bytes_append(&c->body, data, n);
    if (!rc)
        c->ops->on_readable(c);
    return rc;
}

void call_receive_end(struct call *c)
{
    check_hot(c->host && !c->ended);
    c->ended = true;
    c->ops->on_readable(c);
}

void call_progress(struct call *c)
{
    c->progressed = clock_recent();
    if (!c->wants_room || c->request.body.len > OUTGOING_QUEUE_LOW)
        return;
    c->wants_room = false;
    c->ops->on_writable(c);
    c->host->dirty(c); /* sending woke the owner: it needs another turn */
}

bool call_is_complete(const struct call *c)
{
    return c->ended && c->request.state == OUTGOING_SENT;
}

void call_end(struct call *c, enum call_end end, const char *why)
{
    check_hot(c->host);
    c->host = NULL;
    if (c->ended) {
        end = CALL_WHOLE;
        why = "";
    }
    if (c->agent && c->agent->on_done(c, end, why))
        return;
    finish(c, end, why);
}

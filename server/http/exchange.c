#include "http/exchange.h"

#include "core/check.h"
#include "core/clock.h"
#include "core/live.h"
#include "http/code.h"
#include "http/grpc.h"
#include "http/handler.h"

void exchange_init(struct exchange *x, const struct exchange_host *host, const struct peer *peer,
    struct handler *handler, size_t body_max)
{
    x->host = host;
    x->peer = peer;
    x->handler = handler;
    x->instance = NULL;
    x->stream = 0;
    x->kind = EXCHANGE_MESSAGES;
    x->want = WANT_NOTHING;
    x->wants_body = false;
    x->reset_wanted = false;
    x->reset_code = 0;
    x->began = 0;
    x->answered_by = NULL;
    x->cut = cut_of(CUT_NOT);
    x->request = (struct request){.ended = false};
    arena_init(&x->arena, x->first, sizeof x->first, EXCHANGE_ARENA_MAX);
    bytes_init(&x->request.body, body_max);
    response_init(&x->response, &x->arena);
    live.exchanges++;
}

/* For observers. Without one this costs only the test. */
static void note_beginning(struct exchange *x)
{
    if (x->peer->observers && !x->began)
        x->began = clock_monotonic();
}

/* Only the first cause counts: later ones follow from it. */
static void note_cut(struct exchange *x, struct cut cut)
{
    if (!x->cut.cause)
        x->cut = cut;
}

static void tell_observers(const struct exchange *x)
{
    for (struct exchange_observer *o = x->peer->observers; o; o = o->next)
        o->ended(o, x);
}

void exchange_fini(struct exchange *x)
{
    check_hot(!x->instance);
    if (x->began)
        tell_observers(x);
    bytes_fini(&x->request.body);
    response_fini(&x->response);
    arena_fini(&x->arena);
    live.exchanges--;
}

static void note_request(struct exchange *x)
{
    note_beginning(x);
    response_answer(&x->response, x->request.method);
}

void exchange_note_body(struct exchange *x, bool none, bool expects_continue)
{
    x->request.ended = none;
    x->request.expects_continue = expects_continue;
}

bool exchange_owes_continue(const struct exchange *x)
{
    return x->request.expects_continue && x->wants_body && x->response.out.state == OUTGOING_OPEN;
}

void exchange_note_continue(struct exchange *x)
{
    x->request.expects_continue = false;
}

void exchange_start(struct exchange *x)
{
    check_hot(!x->instance);
    note_request(x);
    if (!x->handler->ops->start(x->handler, x))
        exchange_respond(x, 404, STR("Not Found\n"), NULL);
}

static void tell_readable(struct exchange *x)
{
    x->wants_body = false;
    if (x->instance)
        x->handler->ops->on_readable(x);
}

enum rc exchange_receive(struct exchange *x, const void *data, size_t n)
{
    check_hot(!x->request.ended);
    enum rc rc = bytes_append(&x->request.body, data, n);
    if (!rc)
        tell_readable(x);
    return rc;
}

void exchange_receive_end(struct exchange *x)
{
    check_hot(!x->request.ended);
    x->request.ended = true;
    tell_readable(x);
}

size_t exchange_memory(const struct exchange *x)
{
    return sizeof *x + x->arena.used + x->request.body.len + x->response.out.body.len;
}

uint64_t exchange_received(const struct exchange *x)
{
    return x->request.taken + x->request.body.len;
}

bool exchange_owed_body(const struct exchange *x)
{
    return x->wants_body && x->kind == EXCHANGE_MESSAGES && !x->response.out.head_taken &&
           !grpc_is_stream(&x->request);
}

bool exchange_want_met(const struct exchange *x)
{
    const struct response *r = &x->response;
    switch (x->want) {
    case WANT_NOTHING:
        return false;
    case WANT_INFORMED:
        return !r->informs && r->informs_handed == r->informs_submitted;
    case WANT_ROOM:
        return r->out.body.len <= OUTGOING_QUEUE_LOW;
    case WANT_HANDED:
        return r->out.head_handed && r->out.body.len == 0;
    case WANT_SENT:
        return r->out.state == OUTGOING_SENT;
    }
    return false;
}

void exchange_progress(struct exchange *x)
{
    if (!x->instance || !exchange_want_met(x))
        return;
    x->want = WANT_NOTHING;
    x->handler->ops->on_writable(x);
    /* Sending woke the handler: it needs another turn. */
    x->host->dirty(x);
}

static void detach_with(struct exchange *x, struct cut cut)
{
    if (!x->instance)
        return;
    x->handler->ops->on_abort(x, cut);
    x->instance = NULL;
    x->wants_body = false;
}

void exchange_abort(struct exchange *x, struct cut cut)
{
    if (!x->request.ended || x->response.out.state != OUTGOING_SENT)
        note_cut(x, cut);
    response_abort(&x->response);
    detach_with(x, cut);
}

void exchange_refuse(struct exchange *x, struct cut cut, int status)
{
    char text[STATUS_TEXT_SIZE];
    note_cut(x, cut);
    detach_with(x, cut);
    if (status && !x->response.out.head_taken)
        exchange_respond(x, status, status_text(status, text), NULL);
    else
        exchange_reset(x, ERROR_CANCEL);
}

const char *exchange_peek(const struct exchange *x, size_t *n)
{
    return bytes_front(&x->request.body, n);
}

void exchange_consume(struct exchange *x, size_t n)
{
    bytes_drop(&x->request.body, n);
    x->request.taken += n;
    x->host->consumed(x, n);
}

void exchange_want_body(struct exchange *x)
{
    x->wants_body = true;
    if (x->request.expects_continue)
        x->host->dirty(x);
}

static enum rc tell_dirty(struct exchange *x, enum rc rc)
{
    if (!rc)
        x->host->dirty(x);
    return rc;
}

enum rc exchange_flush(struct exchange *x)
{
    return tell_dirty(x, outgoing_start(&x->response.out));
}

enum rc exchange_inform(struct exchange *x, int status, const struct fields *fields)
{
    enum rc rc = response_inform(&x->response, status, fields);
    if (!rc && status == 100)
        exchange_note_continue(x);
    return tell_dirty(x, rc);
}

enum rc exchange_write(struct exchange *x, const char *data, size_t n, size_t *taken)
{
    return tell_dirty(x, outgoing_write(&x->response.out, data, n, taken));
}

enum rc exchange_write_whole(struct exchange *x, const char *data, size_t n, bool *taken)
{
    return tell_dirty(x, outgoing_write_whole(&x->response.out, data, n, taken));
}

enum rc exchange_finish(struct exchange *x)
{
    return tell_dirty(x, outgoing_finish(&x->response.out));
}

/* An extended CONNECT is still open. The request of an upgrade has ended; what follows it belongs
 * to the tunnel. */
static void open_stream(struct exchange *x, bool upgrades)
{
    x->kind = EXCHANGE_TUNNEL;
    if (upgrades)
        x->request.ended = false;
    if (x->host->tunnel)
        x->host->tunnel(x);
    x->host->dirty(x);
}

enum rc exchange_tunnel(struct exchange *x, struct str protocol)
{
    struct request *r = &x->request;
    bool upgrades = !str_eq(r->method, STR("CONNECT"));
    if (!r->tunnel.p || !field_list_has(r->tunnel, protocol))
        return RC_INVALID;
    const char *copy = arena_copy(&x->arena, protocol.p, protocol.n);
    if (!copy)
        return RC_NOMEM;
    enum rc rc = response_start_tunnel(&x->response, upgrades ? 101 : 200);
    if (rc)
        return rc;
    r->tunnel = (struct str){copy, protocol.n};
    open_stream(x, upgrades);
    return RC_OK;
}

static enum rc respond(struct exchange *x, int status, struct str text, const struct fields *more)
{
    size_t taken;
    struct response *r = &x->response;
    enum rc rc = response_restart(r);
    if (!rc && grpc_is_call(&x->request))
        return grpc_respond(r, &x->request, status, text);
    if (!rc)
        rc = response_set_status(r, status);
    if (!rc && text.n)
        rc = outgoing_set_header(&r->out, STR("content-type"), STR("text/plain; charset=utf-8"));
    for (size_t i = 0; !rc && more && i < more->count; i++)
        rc = outgoing_set_header(&r->out, more->list[i].name, more->list[i].value);
    if (!rc && text.n)
        rc = outgoing_write(&r->out, text.p, text.n, &taken);
    if (!rc)
        rc = outgoing_finish(&r->out);
    return rc;
}

void exchange_respond(struct exchange *x, int status, struct str text, const struct fields *more)
{
    note_request(x);
    if (respond(x, status, text, more))
        exchange_reset(x, ERROR_INTERNAL_ERROR);
    else
        x->host->dirty(x);
}

void exchange_reset(struct exchange *x, uint32_t code)
{
    if (!x->reset_wanted) {
        note_cut(x, cut_by_us(code));
        x->reset_wanted = true;
        x->reset_code = code;
        response_abort(&x->response);
        x->host->dirty(x);
    }
    exchange_detach(x);
}

void exchange_detach(struct exchange *x)
{
    x->instance = NULL;
    x->wants_body = false;
    x->host->detached(x);
}

#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "http/code.h"
#include "http/exchange.h"
#include "http/forwarder.h"
#include "http/handler.h"
#include "http/part.h"
#include "proxy/forward_private.h"
#include "proxy/rules.h"

#include <stdio.h>

enum { INFORMS_MAX = 32 }; /* interim responses passed on; the others are dropped */

/* How long to wait for the other server's 100 before the body is sent regardless (RFC 9110 10.1.1);
 * and for the client to begin its body, if its request will occupy a whole connection. */
static const double patience_seconds = 1;

struct forward *forward_of_queue(struct list *queue)
{
    return container_of(queue, struct forward, queue);
}

static void enqueue(struct forward *f)
{
    if (!list_linked(&f->queue))
        list_append(&f->shared->ready, &f->queue);
    f->shared->handler->part->ready = true;
}

void forward_set_state(struct forward *f, enum forward_state state)
{
    check_hot(state == f->state + 1); /* states follow each other without a gap */
    f->state = state;
}

void forward_set_body(struct forward *f, enum forward_body body)
{
    check_hot(body > f->body);
    f->body = body;
}

static void want_body(struct forward *f)
{
    if (f->body == FORWARD_BODY_HELD)
        forward_set_body(f, FORWARD_BODY_STREAMED);
}

/* What the call tells. */

static struct forward *of_call(struct call *c)
{
    return container_of(c, struct forward, call);
}

static void on_interim(struct call *c, int status, const struct fields *fields)
{
    struct forward *f = of_call(c);
    struct fields list = {0};
    want_body(f);
    enqueue(f);
    /* A 100 concerns this hop only: if the client waits for one, its session sends it. */
    if (status == 100 || f->informs++ >= INFORMS_MAX)
        return;
    if (rules_interim(f->x, fields, &list) || exchange_inform(f->x, status, &list))
        log_event(LOG_DEBUG, "interim response dropped", log_int("status", status),
            log_int("conn", (int64_t)f->x->peer->conn), log_int("stream", f->x->stream));
}

static void on_event(struct call *c)
{
    enqueue(of_call(c));
}

static void on_done(struct call *c, enum call_end end, const char *why)
{
    struct forward *f = of_call(c);
    f->end = end;
    snprintf(f->why, sizeof f->why, "%s", why);
    enqueue(f);
}

const struct call_ops forward_call_ops = {
    .on_interim = on_interim,
    .on_head = on_event,
    .on_readable = on_event,
    .on_writable = on_event,
    .on_done = on_done,
};

static void on_patience(struct timer *t)
{
    struct forward *f = container_of(t, struct forward, patience);
    f->hurried = true;
    want_body(f);
    enqueue(f);
}

/* The end. */

static void end_call(struct forward *f, uint32_t code)
{
    if (f->state == FORWARD_NEW)
        return;
    call_cancel(&f->call, code);
    call_fini(&f->call);
}

/* Gives the exchange back to its lender, if it was lent. */
static void give_back(struct forward *f)
{
    struct exchange *x = f->x;
    if (!f->lender)
        return;
    x->handler = f->lender->handler;
    x->instance = f->lender->instance;
    x->want = WANT_NOTHING;
    x->wants_body = false;
    f->lender->forward = NULL;
}

static void free_forward(struct forward *f, uint32_t code)
{
    check_hot(!f->lender || f->x->instance != f);
    end_call(f, code);
    timer_stop(&f->patience);
    list_remove(&f->queue);
    if (f->only)
        mem_put(f->only, sizeof *f->only);
    mem_put(f, sizeof *f);
}

void forward_cancel(struct forward *f)
{
    give_back(f);
    free_forward(f, ERROR_CANCEL);
}

/* Has the lender run in this turn. */
static void wake(const struct lender *l)
{
    if (l->handler->part)
        l->handler->part->ready = true;
}

/* This server's part of the response is complete. */
static void leave(struct forward *f)
{
    struct lender *lender = f->lender;
    give_back(f);
    if (!lender)
        exchange_detach(f->x);
    free_forward(f, ERROR_NO_ERROR);
    if (lender) {
        lender->returned(lender);
        wake(lender);
    }
}

/* The other server sees the code with which the client's stream was reset. */
void forward_on_abort(struct exchange *x, struct cut cut)
{
    struct forward *f = x->instance;
    struct lender *lender = f->lender;
    bool has_code = cut.cause == CUT_BY_PEER || cut.cause == CUT_BY_US;
    give_back(f);
    free_forward(f, has_code ? cut.code : ERROR_CANCEL);
    if (lender)
        lender->handler->ops->on_abort(x, cut);
}

void forward_on_event(struct exchange *x)
{
    enqueue(x->instance);
}

/* Failures. */

static void log_failure(const struct forward *f, const char *event, const char *reason, int status)
{
    log_peer_event(LOG_WARN, event,
        log_str("upstream", f->upstream ? f->upstream->origin.authority : ""),
        log_str("reason", reason), log_int("status", status),
        log_int("conn", (int64_t)f->x->peer->conn), log_int("stream", f->x->stream));
}

/* Resets the client's stream, because its response has begun. */
static void cut_short(struct forward *f, uint32_t code)
{
    struct exchange *x = f->x;
    struct lender *lender = f->lender;
    give_back(f);
    free_forward(f, ERROR_CANCEL);
    if (lender) {
        lender->handler->ops->on_abort(x, cut_by_us(code));
        wake(lender);
    }
    exchange_reset(x, code);
}

/* Answers with the status or, if the response has begun, resets with the code. */
static void fail(struct forward *f, int status, uint32_t code)
{
    char text[STATUS_TEXT_SIZE];
    if (f->x->response.out.head_taken) {
        cut_short(f, code);
        return;
    }
    if (f->tells) {
        f->lender->refused = status;
        leave(f);
        return;
    }
    exchange_respond(f->x, status, status_text(status, text), NULL);
    leave(f);
}

static void fail_logged(struct forward *f, const char *reason, int status, uint32_t code)
{
    bool is_late = f->x->response.out.head_taken;
    log_failure(f, "upstream failed", reason, is_late ? 0 : status);
    fail(f, status, code);
}

/* A limit of this server applies; the other server is not at fault. */
static void fail_crowded(struct forward *f, const char *reason)
{
    log_failure(f, "upstream busy", reason, 503);
    fail(f, 503, ERROR_INTERNAL_ERROR);
}

/* Records how the upstream did, for the requests that follow. */
static void note(struct forward *f, bool failed)
{
    if (f->only || !upstream_note(f->upstream, f->shared->rules, failed, clock_monotonic()))
        return;
    log_event(LOG_WARN, "upstream left out", log_str("upstream", f->upstream->origin.authority),
        log_num("seconds", f->shared->rules->recovery));
}

/* A reset's code is passed on if it tells of the other server's own decision. It is not if it
 * blames this server's frames, or claims that a response that has begun was never processed. */
static uint32_t code_passed_on(uint32_t code)
{
    bool is_own =
        code == ERROR_CANCEL || code == ERROR_ENHANCE_YOUR_CALM || code > ERROR_HTTP_1_1_REQUIRED;
    return is_own ? code : ERROR_INTERNAL_ERROR;
}

/* The call could not be made. */
static void fail_to_begin(struct forward *f, enum rc rc)
{
    if (rc == RC_INVALID)
        fail(f, 400, ERROR_PROTOCOL_ERROR);
    else if (rc == RC_LIMIT)
        fail_crowded(f, "too many requests wait for a connection to it");
    else
        fail_logged(f, rc_text(rc), 503, ERROR_INTERNAL_ERROR);
}

/* Answers instead of passing the request on (RFC 9110 7.6.2). TRACE is not answered with the
 * request: that would show a script fields that its browser hides from it. */
static void answer_here(struct forward *f)
{
    char text[STATUS_TEXT_SIZE];
    if (str_eq(f->x->request.method, STR("OPTIONS")))
        exchange_respond(f->x, 204, STR(""), NULL);
    else
        exchange_respond(f->x, 501, status_text(501, text), NULL);
    leave(f);
}

static void start_call(struct forward *f)
{
    if (rules_is_last_hop(&f->x->request)) {
        answer_here(f);
        return;
    }
    enum rc rc = f->malformed ? RC_INVALID : forward_begin(f);
    if (rc)
        fail_to_begin(f, rc);
}

/* Whether another upstream may be asked: this one has not processed the request, or not even
 * received it. */
static bool may_retry(const struct forward *f)
{
    bool untouched = f->end == CALL_UNREACHABLE || f->end == CALL_CROWDED || f->end == CALL_REFUSED;
    bool lost = f->end == CALL_LOST || f->end == CALL_RESET;
    if (f->state != FORWARD_CALLING)
        return false;
    if (f->retry.attempts)
        return f->retry.attempts > 1 && (untouched || (lost && call_is_idempotent(&f->call)));
    return untouched && !f->retried && f->upstreams && f->upstreams->count > 1;
}

/* Whether the status of the response is one that is asked again for. */
static bool is_asked_again(const struct forward *f)
{
    for (int i = 0; i < f->retry.count; i++)
        if (f->retry.statuses[i] == f->call.status)
            return f->retry.attempts > 1 && call_is_idempotent(&f->call);
    return false;
}

static bool retry(struct forward *f)
{
    const char *first = f->upstream->origin.authority;
    f->retried = true;
    f->retry.attempts -= f->retry.attempts > 0;
    enum rc rc = forward_begin_again(f);
    if (rc == RC_STATE)
        return false;
    log_event(LOG_DEBUG, "upstream retried", log_str("upstream", first), log_str("reason", f->why),
        log_int("conn", (int64_t)f->x->peer->conn), log_int("stream", f->x->stream));
    if (rc)
        fail_to_begin(f, rc);
    return true;
}

static bool retry_status(struct forward *f)
{
    snprintf(f->why, sizeof f->why, "status %d", f->call.status);
    return retry(f);
}

static bool is_late(enum call_end end)
{
    return end == CALL_TIMED_OUT || end == CALL_CONNECT_TIMED_OUT;
}

/* The call has ended with an incomplete response. */
static void conclude(struct forward *f)
{
    if (f->state == FORWARD_CALLING && f->end != CALL_RESET && f->end != CALL_CROWDED)
        note(f, true);
    if (may_retry(f) && retry(f))
        return;
    if (f->end == CALL_CROWDED)
        fail_crowded(f, f->why);
    else if (f->end == CALL_RESET)
        fail_logged(f, f->why, 502, code_passed_on(f->call.reset_code));
    else
        fail_logged(f, f->why, is_late(f->end) ? 504 : 502, ERROR_INTERNAL_ERROR);
}

/* The response. */

static bool pass_head(struct forward *f)
{
    struct call *c = &f->call;
    if (rules_response(f->x, c->status, &c->fields)) {
        note(f, true);
        fail_logged(f, "its response has a head that can't be passed on", 502, 0);
        return false;
    }
    note(f, false);
    forward_set_state(f, FORWARD_ANSWERING);
    if (f->pauses) {
        f->paused = true;
        f->lender->headed(f->lender);
        wake(f->lender);
    }
    return true;
}

void forward_proceed(struct forward *f)
{
    f->paused = false;
    enqueue(f);
}

static enum rc move_body(struct forward *f)
{
    size_t n, taken;
    const char *p;
    while ((p = call_peek(&f->call, &n)) && n) {
        enum rc rc = exchange_write(f->x, p, n, &taken);
        if (rc)
            return rc;
        call_consume(&f->call, taken);
        if (taken < n) {
            f->x->want = WANT_ROOM;
            return RC_OK;
        }
    }
    return RC_OK;
}

static enum rc finish(struct forward *f)
{
    enum rc rc = rules_trailers(f->x, &f->call.trailers);
    return rc ? rc : exchange_finish(f->x);
}

/* Passes on what has arrived. False if the forward has ended, and is freed. */
static bool answer(struct forward *f)
{
    struct call *c = &f->call;
    enum rc rc = move_body(f);
    if (!rc && c->ended && c->body.len == 0) {
        rc = finish(f);
        if (!rc) {
            leave(f);
            return false;
        }
    }
    if (!rc && f->x->response.out.state == OUTGOING_OPEN)
        rc = exchange_flush(f->x);
    if (!rc)
        return true;
    fail_logged(f, "its response is not what its head says", 502, ERROR_INTERNAL_ERROR);
    return false;
}

/* Whether all that arrived of an incomplete response has been handed on. The reset that ends it has
 * to wait for that, or it would overtake the data. */
static bool is_handed(struct forward *f)
{
    struct exchange *x = f->x;
    if (f->call.body.len)
        return false;
    x->want = WANT_HANDED;
    if (!exchange_want_met(x))
        return false;
    x->want = WANT_NOTHING;
    return true;
}

/* Whether the call has ended with an incomplete response. */
static bool is_lost(const struct forward *f)
{
    return f->call.state == CALL_DONE && !f->call.ended;
}

/* One turn of a forward after its call was made. */
static void go_on(struct forward *f)
{
    if (f->state == FORWARD_CALLING && f->call.status) {
        if (is_asked_again(f) && retry_status(f))
            return;
        if (!pass_head(f))
            return;
    }
    if (f->paused)
        return;
    if (f->state == FORWARD_ANSWERING && is_lost(f))
        forward_set_state(f, FORWARD_OVER);
    if (f->state >= FORWARD_ANSWERING && !answer(f))
        return;
    if (is_lost(f)) {
        if (f->state == FORWARD_CALLING || is_handed(f))
            conclude(f);
        return;
    }
    if (f->call.state == CALL_DONE || f->body == FORWARD_BODY_SENT)
        return;
    enum rc rc = forward_send_up(f);
    if (rc)
        fail_logged(f, rc_text(rc), 502, ERROR_INTERNAL_ERROR);
}

void forward_run(struct forward *f)
{
    if (f->state != FORWARD_NEW)
        go_on(f);
    else if (f->malformed || !forward_awaits_body(f))
        start_call(f);
    else if (!ev_is_active(&f->patience.ev))
        timer_start(&f->patience, patience_seconds);
}

/* The beginning. */

static void take_over(struct forward *f, struct exchange *x, const struct forward_aim *aim)
{
    struct lender *lender = f->lender = aim->lender;
    if (lender) {
        lender->handler = x->handler;
        lender->instance = x->instance;
        lender->forward = f;
        lender->refused = 0;
    }
    f->x = x;
    x->handler = f->shared->handler;
    x->instance = f;
}

/* If the client waits for a 100, the body is held back until the other server sends one. */
static void expect(struct forward *f)
{
    bool expects = f->x->request.expects_continue;
    f->body = expects ? FORWARD_BODY_HELD : FORWARD_BODY_STREAMED;
    timer_init(&f->patience, f->shared->ev, on_patience);
    if (expects)
        timer_start(&f->patience, patience_seconds);
}

enum rc forward_new(
    struct forward_shared *shared, struct exchange *x, const struct forward_aim *aim)
{
    struct forward *f = mem_get(sizeof *f);
    if (!f)
        return RC_NOMEM;
    memset(f, 0, offsetof(struct forward, call)); /* call_init sets up its kilobytes */
    list_init(&f->queue);
    f->shared = shared;
    f->upstreams = aim->upstreams;
    f->prefix = aim->prefix;
    f->target = aim->target;
    f->timeout = aim->timeout;
    f->malformed = aim->malformed;
    f->path = aim->path;
    if (aim->order) {
        f->retry = aim->order->retry;
        f->pauses = aim->order->pauses;
        f->tells = aim->order->tells;
    }
    enum rc rc = rules_request(x, aim->replace, &f->head);
    if (!rc && !f->upstreams) {
        f->upstream = f->only = mem_get(sizeof *f->only);
        rc = f->only ? RC_OK : RC_NOMEM;
    }
    if (rc) {
        mem_put(f, sizeof *f);
        return rc;
    }
    if (f->only)
        *f->only = *aim->only;
    forward_pick(f);
    take_over(f, x, aim);
    expect(f);
    enqueue(f);
    return RC_OK;
}

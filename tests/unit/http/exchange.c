#include "http/exchange.h"

#include "tests/unit/death.h"

#include "http/code.h"
#include "http/handler.h"

enum { BODY_MAX = 1000 };

/* A host and a handler that count what they are told. */
static struct {
    int dirty, detached, started, readable, writable, aborted;
    size_t consumed;
    struct cut cut;
    enum outgoing_state state; /* when it was aborted */
} told;

static void on_dirty(struct exchange *x)
{
    (void)x;
    told.dirty++;
}

static void on_consumed(struct exchange *x, size_t n)
{
    (void)x;
    told.consumed += n;
}

static void on_detached(struct exchange *x)
{
    assert_null(x->instance);
    told.detached++;
}

static bool on_start(struct handler *h, struct exchange *x)
{
    told.started++;
    x->instance = h;
    return true;
}

static void on_readable(struct exchange *x)
{
    (void)x;
    told.readable++;
}

static void on_writable(struct exchange *x)
{
    assert_int_equal(x->want, WANT_NOTHING);
    told.writable++;
}

static void on_abort(struct exchange *x, struct cut cut)
{
    told.state = x->response.out.state;
    told.aborted++;
    told.cut = cut;
}

static const struct exchange_host host = {on_dirty, on_consumed, on_detached, NULL};
static const struct handler_ops ops = {.start = on_start,
    .on_readable = on_readable,
    .on_writable = on_writable,
    .on_abort = on_abort};
static struct handler handler = {.ops = &ops};
static const struct peer peer = {.remote = "127.0.0.1:1"};

static struct exchange exchange;

/* A new exchange, its handler not yet started. */
static struct exchange *begin(void)
{
    memset(&told, 0, sizeof told);
    memset(&exchange, 0xaa, sizeof exchange);
    exchange_init(&exchange, &host, &peer, &handler, BODY_MAX);
    exchange.request.method = STR("GET");
    return &exchange;
}

static struct exchange *begin_started(void)
{
    struct exchange *x = begin();
    exchange_start(x);
    return x;
}

static void end(struct exchange *x)
{
    if (x->instance)
        exchange_detach(x);
    exchange_fini(x);
}

static void take_body(struct exchange *x)
{
    assert_int_equal(response_take_head(&x->response), RC_OK);
    bytes_drop(&x->response.out.body, x->response.out.body.len);
    x->response.out.head_handed = true;
}

static void Init_Fini_CountedAsLive(void **state)
{
    (void)state;
    struct exchange *x = begin();
    assert_int_equal(live.exchanges, 1);
    assert_null(x->instance);
    assert_int_equal(x->response.out.state, OUTGOING_OPEN);
    end(x);
    assert_int_equal(live.exchanges, 0);
}

static void Start_Methods_OnlyHeadAnswersHead(void **state)
{
    (void)state;
    static const char *const methods[] = {"GET", "HEAD", "head", "POST", "HEADER"};
    for (size_t i = 0; i < count_of(methods); i++) {
        struct exchange *x = begin();
        x->request.method = str_of(methods[i]);
        exchange_start(x);
        assert_int_equal(x->response.answers_head, i == 1);
        assert_int_equal(told.started, 1);
        end(x);
    }
}

static void Receive_Attached_QueuedAndTold(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    size_t n;
    assert_int_equal(exchange_receive(x, "one", 3), RC_OK);
    assert_int_equal(exchange_receive(x, "two", 3), RC_OK);
    assert_int_equal(told.readable, 2);
    assert_memory_equal(exchange_peek(x, &n), "onetwo", 6);
    assert_int_equal(n, 6);
    exchange_receive_end(x);
    assert_int_equal(told.readable, 3);
    assert_true(x->request.ended);
    end(x);
}

static void Receive_Detached_NotTold(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    exchange_detach(x);
    assert_int_equal(exchange_receive(x, "one", 3), RC_OK);
    exchange_receive_end(x);
    assert_int_equal(told.readable, 0);
    assert_true(x->request.ended);
    end(x);
}

static void Receive_PastMaximum_Limit(void **state)
{
    (void)state;
    static const char data[BODY_MAX];
    struct exchange *x = begin_started();
    assert_int_equal(exchange_receive(x, data, BODY_MAX), RC_OK);
    assert_int_equal(exchange_receive(x, data, 1), RC_LIMIT);
    assert_int_equal(told.readable, 1);
    assert_int_equal(x->request.body.len, BODY_MAX);
    end(x);
}

static void Receive_MemoryRunsOut_NotTold(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    mem_fail_at(1, 0);
    assert_int_equal(exchange_receive(x, "one", 3), RC_NOMEM);
    assert_int_equal(told.readable, 0);
    end(x);
}

static void Consume_Part_HostIsTold(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    size_t n;
    assert_int_equal(exchange_receive(x, "onetwo", 6), RC_OK);
    exchange_consume(x, 4);
    assert_int_equal(told.consumed, 4);
    assert_memory_equal(exchange_peek(x, &n), "wo", 2);
    exchange_consume(x, 2);
    assert_int_equal(told.consumed, 6);
    assert_null(exchange_peek(x, &n));
    assert_int_equal(n, 0);
    end(x);
}

static void Respond_Operations_MakeDirty(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    size_t taken;
    assert_int_equal(exchange_flush(x), RC_OK);
    assert_int_equal(told.dirty, 1);
    assert_int_equal(exchange_write(x, "body", 4, &taken), RC_OK);
    assert_int_equal(taken, 4);
    assert_int_equal(told.dirty, 2);
    assert_int_equal(exchange_finish(x), RC_OK);
    assert_int_equal(told.dirty, 3);
    assert_int_equal(exchange_flush(x), RC_STATE);
    assert_int_equal(exchange_write(x, "body", 4, &taken), RC_STATE);
    assert_int_equal(exchange_finish(x), RC_STATE);
    assert_int_equal(told.dirty, 3);
    end(x);
}

static void fill_queue(struct exchange *x)
{
    static const char data[OUTGOING_QUEUE_HIGH];
    size_t taken;
    assert_int_equal(exchange_write(x, data, sizeof data, &taken), RC_OK);
    assert_int_equal(taken, sizeof data);
}

static void Want_Room_MetAtLowMark(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    fill_queue(x);
    x->want = WANT_ROOM;
    bytes_drop(&x->response.out.body, OUTGOING_QUEUE_HIGH - OUTGOING_QUEUE_LOW - 1);
    exchange_progress(x);
    assert_int_equal(told.writable, 0);
    assert_int_equal(x->want, WANT_ROOM);
    bytes_drop(&x->response.out.body, 1);
    exchange_progress(x);
    exchange_progress(x);
    assert_int_equal(told.writable, 1);
    end(x);
}

static void Want_Handed_MetWithHeadAndBodyGone(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    size_t taken;
    x->want = WANT_HANDED;
    assert_int_equal(exchange_flush(x), RC_OK);
    assert_false(exchange_want_met(x));
    assert_int_equal(exchange_write(x, "body", 4, &taken), RC_OK);
    x->response.out.head_handed = true;
    assert_false(exchange_want_met(x));
    bytes_drop(&x->response.out.body, 4);
    assert_true(exchange_want_met(x));
    exchange_progress(x);
    assert_int_equal(told.writable, 1);
    end(x);
}

static void Want_Sent_MetAtTheEndAlone(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    x->want = WANT_SENT;
    assert_int_equal(exchange_finish(x), RC_OK);
    take_body(x);
    assert_false(exchange_want_met(x));
    x->response.out.state = OUTGOING_SENT;
    assert_true(exchange_want_met(x));
    exchange_progress(x);
    assert_int_equal(told.writable, 1);
    end(x);
}

static void Progress_NothingWantedOrDetached_NotTold(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    exchange_progress(x);
    assert_int_equal(told.writable, 0);
    x->want = WANT_ROOM;
    exchange_detach(x);
    exchange_progress(x);
    assert_int_equal(told.writable, 0);
    end(x);
}

static void Progress_HandlerWoken_AnotherTurn(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    assert_int_equal(exchange_flush(x), RC_OK);
    take_body(x);
    x->want = WANT_HANDED;
    int before = told.dirty;
    exchange_progress(x);
    assert_int_equal(told.writable, 1);
    assert_int_equal(told.dirty, before + 1);
    end(x);
}

static void WantBody_ClientWaitsForWord_HostIsTold(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    exchange_want_body(x);
    assert_true(x->wants_body);
    assert_int_equal(told.dirty, 0);
    x->request.expects_continue = true;
    exchange_want_body(x);
    assert_int_equal(told.dirty, 1);
    end(x);
}

static void Refuse_BeforeHead_HandlerToldAndStatusSent(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    exchange_refuse(x, cut_by_us(ERROR_PROTOCOL_ERROR), 400);
    assert_int_equal(told.cut.cause, CUT_BY_US);
    assert_int_equal(told.cut.code, ERROR_PROTOCOL_ERROR);
    assert_null(x->instance);
    assert_int_equal(x->response.status, 400);
    assert_int_equal(x->response.out.state, OUTGOING_FINISHED);
    end(x);
}

static void Refuse_HeadTakenOrNoStatus_Reset(void **state)
{
    (void)state;
    for (int status = 0; status <= 400; status += 400) {
        struct exchange *x = begin_started();
        assert_int_equal(exchange_flush(x), RC_OK);
        if (status)
            take_body(x);
        exchange_refuse(x, cut_of(CUT_TIMEOUT), status);
        assert_true(x->reset_wanted);
        assert_int_equal(x->reset_code, ERROR_CANCEL);
        end(x);
    }
}

static void Abort_Attached_ToldOnceWithReason(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    fill_queue(x);
    exchange_abort(x, cut_of(CUT_LOST));
    assert_int_equal(told.state, OUTGOING_ABORTED);
    assert_int_equal(told.aborted, 1);
    assert_int_equal(told.cut.cause, CUT_LOST);
    assert_null(x->instance);
    assert_int_equal(x->response.out.body.len, 0);
    assert_int_equal(outgoing_next(&x->response.out), OUTGOING_NOTHING);
    exchange_abort(x, cut_of(CUT_CLOSED));
    assert_int_equal(told.aborted, 1);
    assert_int_equal(told.detached, 0);
    end(x);
}

static void Abort_NeverStarted_NobodyTold(void **state)
{
    (void)state;
    struct exchange *x = begin();
    exchange_abort(x, cut_by_peer(ERROR_CANCEL));
    assert_int_equal(told.aborted, 0);
    assert_int_equal(x->response.out.state, OUTGOING_ABORTED);
    end(x);
}

static void assert_field(const struct exchange *x, const char *name, const char *value)
{
    const struct field *f = fields_find(&x->response.out.head, str_of(name));
    assert_non_null(f);
    assert_str(f->value, value);
}

static void Respond_BeforeHead_ReplacesAll(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    struct response *r = &x->response;
    size_t taken, n;
    assert_int_equal(outgoing_set_header(&r->out, STR("x"), STR("1")), RC_OK);
    assert_int_equal(outgoing_append_trailer(&r->out, STR("t"), STR("1")), RC_OK);
    assert_int_equal(exchange_write(x, "half", 4, &taken), RC_OK);
    struct field allow = {STR("allow"), STR("GET, HEAD")};
    exchange_respond(x, 405, STR("no\n"), &(struct fields){.list = &allow, .count = 1});
    assert_int_equal(r->out.state, OUTGOING_FINISHED);
    assert_int_equal(r->status, 405);
    assert_int_equal(r->out.trailers.count, 0);
    assert_null(fields_find(&r->out.head, STR("x")));
    assert_field(x, "content-type", "text/plain; charset=utf-8");
    assert_field(x, "allow", "GET, HEAD");
    assert_memory_equal(bytes_front(&r->out.body, &n), "no\n", 3);
    assert_false(x->reset_wanted);
    assert_int_equal(told.dirty, 2);
    assert_non_null(x->instance);
    end(x);
}

static void Respond_NoTextNoMore_HeadOnly(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    exchange_respond(x, 404, STR(""), NULL);
    assert_null(fields_find(&x->response.out.head, STR("allow")));
    assert_int_equal(outgoing_next(&x->response.out), OUTGOING_HEAD_END);
    end(x);
}

static void assert_reset(const struct exchange *x, uint32_t code)
{
    assert_true(x->reset_wanted);
    assert_int_equal(x->reset_code, code);
    assert_int_equal(x->response.out.state, OUTGOING_ABORTED);
    assert_null(x->instance);
    assert_int_equal(told.detached, 1);
    assert_int_equal(told.aborted, 0);
}

static void Respond_HeadTaken_ResetInstead(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    assert_int_equal(exchange_flush(x), RC_OK);
    take_body(x);
    exchange_respond(x, 500, STR("oops\n"), NULL);
    assert_reset(x, ERROR_INTERNAL_ERROR);
    end(x);
}

static void Respond_MemoryRunsOut_ResetInstead(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    mem_fail_at(1, 1);
    exchange_respond(x, 500, STR("oops\n"), NULL);
    mem_fail_at(0, 0);
    assert_reset(x, ERROR_INTERNAL_ERROR);
    end(x);
}

static void Reset_Twice_FirstCodeStays(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    fill_queue(x);
    told.dirty = 0;
    exchange_reset(x, ERROR_CANCEL);
    assert_reset(x, ERROR_CANCEL);
    assert_int_equal(x->response.out.body.len, 0);
    assert_int_equal(told.dirty, 1);
    exchange_reset(x, ERROR_INTERNAL_ERROR);
    assert_int_equal(x->reset_code, ERROR_CANCEL);
    assert_int_equal(told.dirty, 1);
    end(x);
}

static void Detach_Attached_HostTold(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    exchange_detach(x);
    assert_int_equal(told.detached, 1);
    exchange_abort(x, cut_by_peer(ERROR_CANCEL));
    assert_int_equal(told.aborted, 0);
    end(x);
}

static void Fini_BodiesQueued_Freed(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    fill_queue(x);
    assert_int_equal(exchange_receive(x, "body", 4), RC_OK);
    assert_non_null(arena_alloc(&x->arena, 100000));
    end(x);
}

static void Target_Forms_SplitAtFirstMark(void **state)
{
    (void)state;
    static const struct {
        const char *target, *path, *query;
    } cases[] = {{"/a?b=c", "/a", "b=c"}, {"/a", "/a", NULL}, {"/?", "/", ""},
        {"/a?b?c", "/a", "b?c"}, {"*", "*", NULL}, {"", "", NULL}};
    for (size_t i = 0; i < count_of(cases); i++) {
        struct request r;
        request_set_target(&r, str_of(cases[i].target));
        assert_str(r.path, cases[i].path);
        assert_int_equal(r.query.p == NULL, cases[i].query == NULL);
        assert_str(r.query, cases[i].query ? cases[i].query : "");
    }
}

/* What must hold. */

static void fini(void *x)
{
    exchange_fini(x);
}

static void Fini_HandlerAttached_Aborts(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    assert_aborts(fini, x, "!x->instance");
    end(x);
}

static void start(void *x)
{
    exchange_start(x);
}

static void Start_Twice_Aborts(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    assert_aborts(start, x, "!x->instance");
    end(x);
}

static void receive(void *x)
{
    (void)!exchange_receive(x, "x", 1);
}

static void receive_end(void *x)
{
    exchange_receive_end(x);
}

static void Receive_AfterEnd_Aborts(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    exchange_receive_end(x);
    assert_aborts(receive, x, "!x->request.ended");
    assert_aborts(receive_end, x, "!x->request.ended");
    end(x);
}

static void consume(void *x)
{
    exchange_consume(x, 1);
}

static void Consume_MoreThanThere_Aborts(void **state)
{
    (void)state;
    struct exchange *x = begin_started();
    assert_aborts(consume, x, "n <= b->len");
    end(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Init_Fini_CountedAsLive),
        checked(Start_Methods_OnlyHeadAnswersHead),
        checked(Receive_Attached_QueuedAndTold),
        checked(Receive_Detached_NotTold),
        checked(Receive_PastMaximum_Limit),
        checked(Receive_MemoryRunsOut_NotTold),
        checked(Consume_Part_HostIsTold),
        checked(Respond_Operations_MakeDirty),
        checked(Want_Room_MetAtLowMark),
        checked(Want_Handed_MetWithHeadAndBodyGone),
        checked(Want_Sent_MetAtTheEndAlone),
        checked(Progress_NothingWantedOrDetached_NotTold),
        checked(Progress_HandlerWoken_AnotherTurn),
        checked(WantBody_ClientWaitsForWord_HostIsTold),
        checked(Refuse_BeforeHead_HandlerToldAndStatusSent),
        checked(Refuse_HeadTakenOrNoStatus_Reset),
        checked(Abort_Attached_ToldOnceWithReason),
        checked(Abort_NeverStarted_NobodyTold),
        checked(Respond_BeforeHead_ReplacesAll),
        checked(Respond_NoTextNoMore_HeadOnly),
        checked(Respond_HeadTaken_ResetInstead),
        checked(Respond_MemoryRunsOut_ResetInstead),
        checked(Reset_Twice_FirstCodeStays),
        checked(Detach_Attached_HostTold),
        checked(Fini_BodiesQueued_Freed),
        checked(Target_Forms_SplitAtFirstMark),
        checked(Fini_HandlerAttached_Aborts),
        checked(Start_Twice_Aborts),
        checked(Receive_AfterEnd_Aborts),
        checked(Consume_MoreThanThere_Aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

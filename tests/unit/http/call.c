#include "http/call.h"

#include "tests/unit/check.h"

#include "http/code.h"

/* A host, an agent and an owner that count what they are told. */
static struct {
    int dirty, cancelled, left, writable, done;
    size_t consumed;
    uint32_t code;
    enum call_end end;
    bool retake;
} told;

static void on_dirty(struct call *c)
{
    (void)c;
    told.dirty++;
}

static void on_consumed(struct call *c, size_t n)
{
    (void)c;
    told.consumed += n;
}

static void on_cancelled(struct call *c, uint32_t code)
{
    (void)c;
    told.cancelled++;
    told.code = code;
}

static bool on_agent_done(struct call *c, enum call_end end, const char *why)
{
    (void)c, (void)end, (void)why;
    return told.retake;
}

static void on_agent_cancel(struct call *c)
{
    (void)c;
    told.left++;
}

static void on_interim(struct call *c, int status, const struct fields *fields)
{
    (void)c, (void)status, (void)fields;
}

static void on_event(struct call *c)
{
    (void)c;
}

static void on_writable(struct call *c)
{
    (void)c;
    told.writable++;
}

static void on_done(struct call *c, enum call_end end, const char *why)
{
    (void)why;
    assert_int_equal(c->state, CALL_DONE);
    assert_null(c->host);
    told.done++;
    told.end = end;
}

static const struct call_ops ops = {on_interim, on_event, on_event, on_writable, on_done};
static const struct call_host host = {"HTTP/1.1", on_dirty, on_consumed, on_cancelled};
static const struct call_agent agent = {on_agent_done, on_agent_cancel};
static struct call call;

/* A call that a session holds. */
static struct call *begin(const char *method)
{
    memset(&told, 0, sizeof told);
    call_init(&call, &ops);
    assert_int_equal(call_aim(&call, str_of(method), STR("http"), STR("a:1"), STR("/?b")), RC_OK);
    call_engage(&call, &agent, NULL);
    call_hold(&call, &host, NULL, 10);
    return &call;
}

static void write_all(struct call *c, const char *text)
{
    size_t taken;
    assert_int_equal(call_write(c, text, strlen(text), &taken), RC_OK);
    assert_int_equal(taken, strlen(text));
}

static void Write_Held_HostTold(void **state)
{
    (void)state;
    struct call *c = begin("POST");
    write_all(c, "one");
    assert_int_equal(call_flush(c), RC_OK);
    assert_int_equal(call_finish(c), RC_OK);
    assert_int_equal(told.dirty, 3);
    assert_true(call_sending(c));
    c->request.state = OUTGOING_SENT;
    assert_false(call_sending(c));
    call_cancel(c, 0);
    call_fini(c);
}

static void Write_MoreThanFits_WritableOnceThereIsRoom(void **state)
{
    (void)state;
    static char much[OUTGOING_QUEUE_HIGH + 1];
    struct call *c = begin("POST");
    size_t taken;
    call_progress(c); /* the session has begun */
    assert_int_equal(told.writable, 1);
    call_progress(c);
    assert_int_equal(told.writable, 1);
    assert_int_equal(call_write(c, much, sizeof much, &taken), RC_OK);
    assert_int_equal(taken, OUTGOING_QUEUE_HIGH);
    call_progress(c);
    assert_int_equal(told.writable, 1);
    bytes_drop(&c->request.body, OUTGOING_QUEUE_HIGH - OUTGOING_QUEUE_LOW);
    call_progress(c);
    assert_int_equal(told.writable, 2);
    call_cancel(c, 0);
    call_fini(c);
}

static void Cancel_Held_SessionAndAgentTold(void **state)
{
    (void)state;
    struct call *c = begin("GET");
    size_t taken;
    call_cancel(c, ERROR_INTERNAL_ERROR);
    assert_int_equal(c->state, CALL_DONE);
    assert_int_equal(told.cancelled, 1);
    assert_int_equal(told.code, ERROR_INTERNAL_ERROR);
    assert_int_equal(told.left, 1);
    call_cancel(c, ERROR_CANCEL);
    assert_int_equal(told.cancelled, 1);
    assert_int_equal(told.done, 0);
    assert_int_equal(call_write(c, "x", 1, &taken), RC_STATE);
    assert_int_equal(call_finish(c), RC_STATE);
    assert_int_equal(call_flush(c), RC_STATE);
    call_fini(c);
}

static void End_ResponseEnded_WholeWhateverEndedIt(void **state)
{
    (void)state;
    for (int end = CALL_WHOLE; end <= CALL_CROWDED; end++) {
        struct call *c = begin("GET");
        assert_int_equal(call_receive_head(c, "HTTP/2", 200), RC_OK);
        call_receive_end(c);
        call_end(c, (enum call_end)end, "");
        assert_int_equal(told.end, CALL_WHOLE);
        call_fini(c);
    }
}

static void End_AgentTakesItAgain_OwnerNotTold(void **state)
{
    (void)state;
    struct call *c = begin("GET");
    told.retake = true;
    call_end(c, CALL_REFUSED, "");
    assert_int_equal(c->state, CALL_HELD);
    assert_int_equal(told.done, 0);
    call_fail(c, CALL_UNREACHABLE, "");
    assert_int_equal(told.done, 1);
    assert_int_equal(told.end, CALL_UNREACHABLE);
    assert_int_equal(told.cancelled, 0);
    call_fini(c);
}

static void Body_ReadAfterTheEnd_NobodyTold(void **state)
{
    (void)state;
    struct call *c = begin("GET");
    size_t n;
    assert_int_equal(call_receive(c, "0123456789", 10), RC_OK);
    assert_int_equal(call_receive(c, "x", 1), RC_LIMIT);
    call_consume(c, 4);
    assert_int_equal(told.consumed, 4);
    call_end(c, CALL_LOST, "");
    assert_memory_equal(call_peek(c, &n), "456789", 6);
    call_consume(c, n);
    assert_int_equal(told.consumed, 4);
    call_fini(c);
}

/* Rewinding. */

static void Rewind_NothingOfTheBodyGone_AsItWas(void **state)
{
    (void)state;
    struct call *c = begin("PUT");
    write_all(c, "body");
    assert_int_equal(call_finish(c), RC_OK);
    for (int i = 0; i < 2; i++) {
        c->request.framing = FRAMING_CHUNKS;
        assert_int_equal(call_take_head(c), RC_OK);
        assert_int_equal(c->request.framing, FRAMING_LENGTH);
        assert_int_equal(c->request.head.count, 1);
        assert_int_equal(call_rewind(c), RC_STATE); /* a session has it */
        call_end(c, CALL_UNREACHABLE, "");
        assert_int_equal(call_rewind(c), RC_OK);
        assert_int_equal(c->state, CALL_IDLE);
        assert_int_equal(c->request.head.count, 0);
        assert_int_equal(outgoing_next(&c->request), OUTGOING_HEAD);
        call_hold(c, &host, NULL, 10);
    }
    call_cancel(c, 0);
    call_fini(c);
}

static void Rewind_SentWithoutABody_AsItWas(void **state)
{
    (void)state;
    struct call *c = begin("GET");
    assert_int_equal(call_finish(c), RC_OK);
    assert_int_equal(call_take_head(c), RC_OK);
    c->request.state = OUTGOING_SENT;
    call_end(c, CALL_LOST, "");
    assert_int_equal(call_rewind(c), RC_OK);
    assert_int_equal(outgoing_next(&c->request), OUTGOING_HEAD_END);
    call_fini(c);
}

/* A session has taken a part of it; the whole goes out again, and is kept again. */
static void Rewind_BytesKept_AllGoOutAgain(void **state)
{
    (void)state;
    char out[16];
    struct call *c = begin("POST");
    call_keep(c);
    write_all(c, "the body");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(outgoing_take_body(&c->request, out, 5), 5);
        call_end(c, CALL_REFUSED, "");
        assert_int_equal(call_rewind(c), RC_OK);
        call_hold(c, &host, NULL, 10);
        call_keep(c);
    }
    assert_int_equal(outgoing_take_body(&c->request, out, sizeof out), 8);
    assert_memory_equal(out, "the body", 8);
    assert_int_equal(call_receive_head(c, "HTTP/2", 200), RC_OK);
    assert_int_equal(c->kept.len, 0); /* nobody asks for it any more */
    call_cancel(c, 0);
    call_fini(c);
}

static void Rewind_MoreThanIsKept_Refused(void **state)
{
    (void)state;
    static char body[CALL_KEPT_MAX + 1];
    size_t taken;
    struct call *c = begin("POST");
    call_keep(c);
    assert_int_equal(call_write(c, body, sizeof body, &taken), RC_OK);
    assert_int_equal(outgoing_take_body(&c->request, body, sizeof body), sizeof body);
    call_end(c, CALL_REFUSED, "");
    assert_int_equal(call_rewind(c), RC_STATE);
    call_fini(c);
}

static void Rewind_BytesGoneOrResponseBegun_Refused(void **state)
{
    (void)state;
    struct call *c = begin("PUT");
    write_all(c, "body");
    bytes_drop(&c->request.body, 1);
    call_end(c, CALL_LOST, "");
    assert_int_equal(call_rewind(c), RC_STATE);
    call_fini(c);
    c = begin("GET");
    c->began = true;
    call_end(c, CALL_LOST, "");
    assert_int_equal(call_rewind(c), RC_STATE);
    call_fini(c);
}

static void IsIdempotent_Methods(void **state)
{
    (void)state;
    static const char *const yes[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
    static const char *const no[] = {"POST", "PATCH", "get", "GETS", "X"};
    for (size_t i = 0; i < count_of(yes); i++) {
        assert_true(call_is_idempotent(begin(yes[i])));
        call_cancel(&call, 0);
        call_fini(&call);
    }
    for (size_t i = 0; i < count_of(no); i++) {
        assert_false(call_is_idempotent(begin(no[i])));
        call_cancel(&call, 0);
        call_fini(&call);
    }
}

/* Whose time it is that passes, as the request and the response go on. */
static void Waits_Stages_TheirsWhereTheyOweUs(void **state)
{
    (void)state;
    struct call *c = begin("POST");
    assert_int_equal(call_flush(c), RC_OK);
    assert_false(call_waits(c)); /* the owner is to write */
    write_all(c, "body");
    assert_true(call_waits(c)); /* they are to take it */
    bytes_drop(&c->request.body, 4);
    assert_false(call_waits(c));
    assert_int_equal(call_finish(c), RC_OK);
    c->request.state = OUTGOING_SENT;
    assert_true(call_waits(c)); /* they are to answer */
    assert_int_equal(call_receive_head(c, "HTTP/2", 200), RC_OK);
    assert_true(call_waits(c));
    assert_int_equal(call_receive(c, "x", 1), RC_OK);
    assert_false(call_waits(c)); /* the owner is to read */
    call_consume(c, 1);
    assert_true(call_waits(c));
    call_cancel(c, 0);
    call_fini(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Write_Held_HostTold),
        checked(Write_MoreThanFits_WritableOnceThereIsRoom),
        checked(Cancel_Held_SessionAndAgentTold),
        checked(End_ResponseEnded_WholeWhateverEndedIt),
        checked(End_AgentTakesItAgain_OwnerNotTold),
        checked(Body_ReadAfterTheEnd_NobodyTold),
        checked(Rewind_NothingOfTheBodyGone_AsItWas),
        checked(Rewind_SentWithoutABody_AsItWas),
        checked(Rewind_BytesKept_AllGoOutAgain),
        checked(Rewind_MoreThanIsKept_Refused),
        checked(Rewind_BytesGoneOrResponseBegun_Refused),
        checked(IsIdempotent_Methods),
        checked(Waits_Stages_TheirsWhereTheyOweUs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

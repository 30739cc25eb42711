/* Each allocation fails in its turn: the client gets a response, an error or the connection's end,
 * nothing is lost, and the next connection is served. */
#include "support/wire.h"

static const char *const handlers[] = {
    /* both bodies, trailers and each wait */
    "ctx:on_abort(function() end)\n"
    "ctx:declare_trailer('a') ctx:header('x-b', ctx.headers['x-b'] or 'none')\n"
    "ctx:write(ctx:body(), ('y'):rep(30000)) ctx:flush() mt.sleep(0)\n"
    "ctx:append_trailer('a', 'b') ctx:finish(('z'):rep(70000))",
    /* errors that are caught, and a handler that goes on */
    "pcall(ctx.body, ctx, 2) mt.sleep(0) pcall(ctx.read, ctx) pcall(ctx.write, ctx, 'x')\n"
    "pcall(ctx.flush, ctx) mt.sleep(0)",
    /* a body by lengths, and the fields one by one */
    "ctx:read_exactly(2) ctx:request_header('x-b', 'x-c') ctx:write(#ctx.fields)\n"
    "ctx:write(ctx:read_exactly(10)) ctx:read_exactly(1)",
    /* the ends that are not good */
    "local guard <close> = setmetatable({}, {__close = function() ctx:header('a', 'b') end})\n"
    "ctx:append_trailer('a', 'b') error('oops')",
    "ctx:on_abort(function() ctx:aborted() end) ctx:write('x') ctx:flush() ctx:reset(2)\n"
    "ctx:on_abort(function() end) ctx:write('x')",
    "ctx:json {list = {1, 2, 3}, text = ('x'):rep(2000)} mt.log.info('done', {stream = ctx.id})",
};

/* One request with a body, to its end. */
static void exchange_once(struct wire *w)
{
    int32_t stream = wire_begin(w, "POST", "/path?query", "x-b: value");
    wire_send(w, stream, "Hello", 5);
    wire_settle(w);
    wire_send(w, stream, " you", 4);
    wire_settle(w);
    wire_end(w, stream);
    wire_settle(w);
    while (live.waits)
        wire_wait(w);
}

/* How many calls to the allocator it takes where none fails. */
static uint64_t count_allocations(const char *handler)
{
    struct wire *w = wire_handler(handler);
    uint64_t before = mem_stats()->mallocs;
    exchange_once(w);
    uint64_t count = mem_stats()->mallocs - before;
    wire_close(w);
    return count;
}

/* The log is of no interest here: what fails is logged. */
static void forget_log(void)
{
    struct text log = stage_take_log();
    text_clear(&log);
}

static void fail_nth(const char *handler, uint64_t n, int sticky)
{
    struct wire *w = wire_handler(handler);
    mem_fail_at(n, sticky);
    exchange_once(w);
    mem_fail_at(0, 0);
    wire_close(w);
    assert_int_equal(live.tasks, 0);
    assert_int_equal(live.waits, 0);
    assert_int_equal(live.exchanges, 0);
}

static void fail_each(int sticky)
{
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
        uint64_t count = count_allocations(handlers[i]);
        assert_true(count > 10);
        for (uint64_t n = 1; n <= count; n++)
            fail_nth(handlers[i], n, sticky);
        assert_int_equal(count_allocations(handlers[i]), count);
        forget_log();
    }
}

static void Allocation_EachFailsOnce_NothingLost(void **state)
{
    (void)state;
    fail_each(0);
}

static void Allocation_AllFailFromEach_NothingLost(void **state)
{
    (void)state;
    fail_each(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Allocation_EachFailsOnce_NothingLost),
        wire_test(Allocation_AllFailFromEach_NothingLost),
    };
    return cmocka_run_group_tests_name("session/memory", tests, NULL, NULL);
}

/* mt.sleep, and how tasks share a turn. */
#include "support/wire.h"

#include "core/clock.h"

#include <unistd.h>

static void Sleep_Waits_NoShorterThanAsked(void **state)
{
    (void)state;
    struct wire *w = wire_handler("mt.sleep(0.03) note('woken')");
    wire_get(w, "/");
    wire_expect_tasks(w, 1, 1);
    wire_expect_notes(w, "");
    double start = clock_monotonic();
    wire_wait(w);
    wire_expect_notes(w, "woken\n");
    assert_true(clock_monotonic() - start > 0.02);
}

/* The loop's own time is that of its last turn. */
static void Sleep_TurnWasLong_CountsFromItsCall(void **state)
{
    (void)state;
    struct wire *w = wire_handler("mt.sleep(0.03) note('woken')");
    wire_get(w, "/");
    usleep(50000);
    wire_settle(w);
    double start = clock_monotonic();
    wire_wait(w);
    wire_expect_notes(w, "woken\n");
    assert_true(clock_monotonic() - start > 0.02);
}

static void Sleep_OfSeveralTasks_EachWakesInItsTime(void **state)
{
    (void)state;
    struct wire *w = wire_handler("mt.sleep(tonumber(ctx.query)) note(ctx.query)");
    wire_get(w, "/?0.04");
    wire_get(w, "/?0.02");
    wire_get(w, "/?0");
    wire_expect_tasks(w, 3, 3);
    wire_wait(w);
    wire_expect_notes(w, "0\n");
    wire_wait(w);
    wire_expect_notes(w, "0.02\n");
    wire_wait(w);
    wire_expect_notes(w, "0.04\n");
}

static void Sleep_OneTask_OthersRunMeanwhile(void **state)
{
    (void)state;
    struct wire *w = wire_handler("if ctx.query then mt.sleep(1000) end ctx:write('x')");
    wire_get(w, "/?sleep");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=3 :status=200 date=now content-length=1\n"
                   "DATA stream=3 END_STREAM len=1 'x'\n");
    wire_expect_tasks(w, 1, 1);
}

/* What was written before the wait goes out during it. */
static void Sleep_AfterWrite_WrittenIsSentMeanwhile(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:write('tick') mt.sleep(0) ctx:write('tock')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=4 'tick'\n");
    wire_wait(w);
    wire_expect(w, "DATA stream=1 END_STREAM len=4 'tock'\n");
}

static void Sleep_BadArgument_Raises(void **state)
{
    (void)state;
    struct wire *w = wire_handler("for _, s in ipairs {-1, -1e-9, 1e9, 1/0, 0/0, 'x', {}} do\n"
                                  "    local ok, problem = pcall(mt.sleep, s)\n"
                                  "    note(ok, problem:match('%((.*)%)'))\n"
                                  "end");
    wire_get(w, "/");
    wire_expect_notes(w, "false not within 0..1e8 seconds\n"
                         "false not within 0..1e8 seconds\n"
                         "false not within 0..1e8 seconds\n"
                         "false not within 0..1e8 seconds\n"
                         "false not within 0..1e8 seconds\n"
                         "false number expected, got string\n"
                         "false number expected, got table\n");
}

static void Tasks_OneAfterTheOther_ShareACoroutineUntilOneFails(void **state)
{
    (void)state;
    struct wire *w = wire_script("local seen, count = {}, 0\n"
                                 "return function(ctx)\n"
                                 "    local co = coroutine.running()\n"
                                 "    if not seen[co] then seen[co] = true count = count + 1 end\n"
                                 "    if ctx.query == 'fail' then error('oops') end\n"
                                 "    ctx:write(count)\n"
                                 "end");
    for (int i = 0; i < 20; i++) {
        wire_get(w, i == 10 ? "/?fail" : "/");
        wire_settle(w);
    }
    text_clear(&w->frames.lines);
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=41 :status=200 date=now content-length=1\n"
                   "DATA stream=41 END_STREAM len=1 '2'\n");
    wire_expect_log(w, "oops");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Sleep_Waits_NoShorterThanAsked),
        wire_test(Sleep_TurnWasLong_CountsFromItsCall),
        wire_test(Sleep_OfSeveralTasks_EachWakesInItsTime),
        wire_test(Sleep_OneTask_OthersRunMeanwhile),
        wire_test(Sleep_AfterWrite_WrittenIsSentMeanwhile),
        wire_test(Sleep_BadArgument_Raises),
        wire_test(Tasks_OneAfterTheOther_ShareACoroutineUntilOneFails),
    };
    return cmocka_run_group_tests_name("session/sleep", tests, NULL, NULL);
}

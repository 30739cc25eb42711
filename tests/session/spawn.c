/* Tasks that scripts start, and deadlines. */
#include "support/wire.h"

#include <ev.h>
#include <unistd.h>

#define DONE(stream) "HEADERS stream=" stream " END_STREAM :status=200 date=now content-length=0\n"

static void expect_done(struct wire *w, const char *notes)
{
    wire_get(w, "/");
    for (int i = 0; i < 12; i++)
        wire_wait(w);
    wire_expect(w, DONE("1"));
    wire_expect_notes(w, notes);
}

static void Spawn_Joined_GivesResults(void **state)
{
    (void)state;
    expect_done(
        wire_handler(
            "local t = mt.spawn(function(a, b) mt.sleep(0) return a + b, nil, 'x' end, 1, 2)\n"
            "note(t:join()) note(t:join())"),
        "3 nil x\n3 nil x\n");
}

static void Spawn_Fails_JoinRaises(void **state)
{
    (void)state;
    expect_done(wire_handler("local t = mt.spawn(function() mt.sleep(0) error('boom', 0) end)\n"
                             "note(pcall(t.join, t))"),
        "false boom\n");
}

static void Spawn_FailsAndNobodyJoins_Logged(void **state)
{
    (void)state;
    struct wire *w = wire_handler("mt.spawn(function() error('lost', 0) end)");
    expect_done(w, "");
    wire_expect_log(w, "error task failed error=lost");
}

static void Spawn_OutlivesItsRequest_AndItsCtxHasEnded(void **state)
{
    (void)state;
    struct wire *w = wire_handler("mt.spawn(function() mt.sleep(0.005)\n"
                                  "    note(select(2, pcall(ctx.write, ctx, 'x'))) end)");
    expect_done(w, "request has ended\n");
}

static void Spawn_UsesLiveCtx_WritesToIt(void **state)
{
    (void)state;
    struct wire *w = wire_handler("mt.spawn(function() ctx:write('from a task') end):join()");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=11 'from a task'\n"
                   "DATA stream=1 END_STREAM len=0\n");
}

static void Spawn_ReadsWhileHandlerWrites_BothGoOn(void **state)
{
    (void)state;
    struct wire *w = wire_handler("local t = mt.spawn(function() return ctx:body() end)\n"
                                  "ctx:write('early') ctx:flush() note(t:join())");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=5 'early'\n");
    wire_send(w, stream, "body", 4);
    wire_end(w, stream);
    wire_expect(w, "DATA stream=1 END_STREAM len=0\n");
    wire_expect_notes(w, "body\n");
}

static void Read_SecondReader_Raises(void **state)
{
    (void)state;
    struct wire *w = wire_handler("mt.spawn(function() pcall(ctx.read, ctx) end) mt.sleep(0)\n"
                                  "note(select(2, pcall(ctx.read, ctx)))");
    wire_begin(w, "POST", "/", "");
    wire_wait(w);
    struct text notes = stage_take_notes();
    assert_non_null(strstr(text_of(&notes), "another task is reading this request"));
    text_clear(&notes);
}

/* The piece has woken the reader; the intruder was woken before it, and runs first. */
static void Read_BetweenWakeAndRun_Raises(void **state)
{
    (void)state;
    struct wire *w = wire_handler("mt.spawn(function() mt.sleep(0)\n"
                                  "    note(select(2, pcall(ctx.read, ctx))) end)\n"
                                  "note(ctx:body())");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect_tasks(w, 2, 2);
    ev_run(w->ev, EVRUN_ONCE);
    wire_send(w, stream, "piece", 5);
    wire_end(w, stream);
    wire_expect_notes(w, "another task is reading this request\npiece\n");
}

/* The credit wakes the writer at the end of the turn in which the intruder was woken. */
static void Write_BetweenWakeAndRun_Raises(void **state)
{
    (void)state;
    struct wire *w = wire_open(&(struct wire_options){.window = 1,
        .handler = "local first = mt.spawn(mt.sleep, 0)\n"
                   "mt.spawn(function() first:join()\n"
                   "    note(select(2, pcall(ctx.write, ctx, ('y'):rep(200000)))) end)\n"
                   "ctx:write(('x'):rep(100000)) note('written')"});
    int32_t stream = wire_get(w, "/");
    wire_expect_tasks(w, 3, 3);
    ev_run(w->ev, EVRUN_ONCE);
    wire_credit(w, stream, 1 << 20);
    wire_expect_notes(w, "another task is writing to this request\nwritten\n");
    wire_expect_body(w, stream, 'x', 100000);
}

/* The deadline interrupts the writer; before it runs, the deadline is removed and another writes.
 */
static void Deadline_RemovedBetweenInterruptAndRun_RaisesAndSlotIsHeld(void **state)
{
    (void)state;
    struct wire *w = wire_open(&(struct wire_options){.window = 1,
        .handler = "mt.spawn(function() mt.sleep(1.5) ctx:deadline(nil)\n"
                   "    note(select(2, pcall(ctx.write, ctx, ('y'):rep(200000)))) end)\n"
                   "ctx:deadline(1.9)\n"
                   "note(select(2, pcall(ctx.write, ctx, ('x'):rep(100000))))\n"
                   "ctx:reset()"});
    wire_get(w, "/");
    wire_expect_tasks(w, 2, 2);
    usleep(2000000);
    ev_run(w->ev, EVRUN_ONCE);
    wire_expect_notes(w, "another task is writing to this request\ntimeout: deadline exceeded\n");
}

static void All_MayNotWait_StartsNothing(void **state)
{
    (void)state;
    expect_done(
        wire_handler("local function f() note('started') end\n"
                     "note(pcall(string.gsub, 'x', 'x', function() mt.all(f, f) end) == false)\n"
                     "mt.sleep(0)"),
        "true\n");
}

static void Abort_TaskThatReads_IsReached(void **state)
{
    (void)state;
    struct wire *w = wire_handler("mt.spawn(function() note(select(2, pcall(ctx.read, ctx))) end)\n"
                                  "mt.sleep(9)");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect_tasks(w, 2, 2);
    wire_reset(w, stream, 8);
    wire_expect_tasks(w, 0, 0);
    wire_expect_notes(w, "request aborted: CANCEL\n");
}

static void Cancel_Waiting_RaisesInItAndInJoin(void **state)
{
    (void)state;
    expect_done(
        wire_handler(
            "local t = mt.spawn(function() local _ <close> = setmetatable({}, {\n"
            "    __close = function() note('closed') end}) mt.sleep(9) end)\n"
            "mt.sleep(0) t:cancel() note(select(2, pcall(t.join, t)):match('task cancelled'))"),
        "closed\ntask cancelled\n");
}

static void Cancel_BeforeItBegan_NeverRuns(void **state)
{
    (void)state;
    expect_done(wire_handler("local t = mt.spawn(note, 'ran') t:cancel() note(pcall(t.join, t))"),
        "false task cancelled: cancelled\n");
}

static void Cancel_Swallowed_Ended(void **state)
{
    (void)state;
    expect_done(
        wire_handler("local t = mt.spawn(function() while true do pcall(mt.sleep, 9) end end)\n"
                     "mt.sleep(0) t:cancel() note(select(2, pcall(t.join, t)))"),
        "went on after it was cancelled\n");
}

static void All_Waits_FirstResultOfEach(void **state)
{
    (void)state;
    expect_done(wire_handler("note(mt.all(function() mt.sleep(0.002) return 'a', 'lost' end,\n"
                             "    function() return 'b' end, function() end)) note(mt.all())"),
        "a b nil\n\n");
}

static void All_OneFails_OthersAreCancelled(void **state)
{
    (void)state;
    expect_done(wire_handler("note(pcall(mt.all, function() local _ <close> = setmetatable({}, {\n"
                             "    __close = function() note('closed') end}) mt.sleep(9) end,\n"
                             "    function() mt.sleep(0) error('second', 0) end)) mt.sleep(0)"),
        "false second\nclosed\n");
}

static void Abort_InAll_CancelsTheTasks(void **state)
{
    (void)state;
    struct wire *w = wire_handler("mt.all(function() mt.sleep(9) end, function() mt.sleep(9) end)");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect_tasks(w, 3, 3);
    wire_reset(w, stream, 8);
    wire_expect_tasks(w, 0, 0);
}

static void Deadline_Passed_EveryWaitRaisesAndResponseIsWritable(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:deadline(0.005) local left = ctx:deadline()\n"
                                  "note(left > 0 and left <= 0.005)\n"
                                  "note(pcall(mt.sleep, 9)) note(pcall(ctx.flush, ctx))\n"
                                  "ctx:write('late')");
    wire_get(w, "/");
    wire_wait(w);
    wire_expect(w, "HEADERS stream=1 :status=200 date=now content-length=4\n"
                   "DATA stream=1 END_STREAM len=4 'late'\n");
    struct text notes = stage_take_notes();
    assert_non_null(strstr(text_of(&notes), "true\nfalse timeout: deadline exceeded\nfalse "));
    text_clear(&notes);
}

static void Deadline_Removed_WaitsGoOn(void **state)
{
    (void)state;
    expect_done(wire_handler("ctx:deadline(0.001) ctx:deadline(nil) mt.sleep(0.005)\n"
                             "note(ctx:deadline())"),
        "nil\n");
}

static void Abort_Swallowed_Ended(void **state)
{
    (void)state;
    struct wire *w = wire_handler("while true do pcall(mt.sleep, 9) end");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect_tasks(w, 1, 1);
    wire_reset(w, stream, 8);
    wire_expect_tasks(w, 0, 0);
    wire_expect_log(w, "went on after its request was aborted");
}

/* The test's end looks that nothing is left. */
static void Spawn_WhereAllIsEnded_NeverBegins(void **state)
{
    (void)state;
    struct wire *w = wire_script("mt.spawn(function()\n"
                                 "    pcall(mt.sleep, 1000)\n"
                                 "    mt.spawn(function() note('begun') mt.sleep(1000) end)\n"
                                 "end)\n"
                                 "return function() end");
    wire_expect_tasks(w, 1, 1);
    wire_reload(w, "return function() end");
    wire_expect_tasks(w, 0, 0);
    wire_reload(w, "mt.spawn(function()\n"
                   "    pcall(mt.sleep, 1000)\n"
                   "    mt.spawn(function() note('begun') mt.sleep(1000) end)\n"
                   "end)\n"
                   "return function() end");
    wire_expect_tasks(w, 1, 1);
    wire_expect_notes(w, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Spawn_Joined_GivesResults),
        wire_test(Spawn_Fails_JoinRaises),
        wire_test(Spawn_FailsAndNobodyJoins_Logged),
        wire_test(Spawn_OutlivesItsRequest_AndItsCtxHasEnded),
        wire_test(Spawn_UsesLiveCtx_WritesToIt),
        wire_test(Spawn_ReadsWhileHandlerWrites_BothGoOn),
        wire_test(Read_SecondReader_Raises),
        wire_test(Read_BetweenWakeAndRun_Raises),
        wire_test(Write_BetweenWakeAndRun_Raises),
        wire_test(Deadline_RemovedBetweenInterruptAndRun_RaisesAndSlotIsHeld),
        wire_test(All_MayNotWait_StartsNothing),
        wire_test(Abort_TaskThatReads_IsReached),
        wire_test(Cancel_Waiting_RaisesInItAndInJoin),
        wire_test(Cancel_BeforeItBegan_NeverRuns),
        wire_test(Cancel_Swallowed_Ended),
        wire_test(All_Waits_FirstResultOfEach),
        wire_test(All_OneFails_OthersAreCancelled),
        wire_test(Abort_InAll_CancelsTheTasks),
        wire_test(Deadline_Passed_EveryWaitRaisesAndResponseIsWritable),
        wire_test(Deadline_Removed_WaitsGoOn),
        wire_test(Abort_Swallowed_Ended),
        wire_test(Spawn_WhereAllIsEnded_NeverBegins),
    };
    return cmocka_run_group_tests_name("session/spawn", tests, NULL, NULL);
}

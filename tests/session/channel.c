/* mt.channel: order, waits, and who comes away with what where tasks are aborted. */
#include "support/wire.h"

#define DONE(stream) "HEADERS stream=" stream " END_STREAM :status=200 date=now content-length=0\n"

/* Answers one request, which sleeps now and then. */
static void expect_notes_of(const char *handler, const char *notes)
{
    struct wire *w = wire_handler(handler);
    wire_get(w, "/");
    for (wire_settle(w); live.tasks;)
        wire_wait(w);
    wire_expect(w, DONE("1"));
    wire_expect_notes(w, notes);
}

static void Channel_UpToItsCapacity_GivesValuesInOrder(void **state)
{
    (void)state;
    expect_notes_of("local ch = mt.channel(3)\n"
                    "ch:send('a') ch:send(false) ch:send({}) note(ch:try_send('d'))\n"
                    "note(ch:recv(), ch:recv(), type(ch:recv()))\n"
                    "note(ch:try_send('e'), ch:recv())",
        "false\na false table\ntrue e\n");
}

static void Channel_RoundAndRound_KeepsTheOrder(void **state)
{
    (void)state;
    expect_notes_of("local ch, got = mt.channel(3), {}\n"
                    "for i = 1, 10 do\n"
                    "    ch:send(2 * i) ch:send(2 * i + 1)\n"
                    "    got[#got + 1] = ch:recv() got[#got + 1] = ch:recv()\n"
                    "    if i % 2 == 0 then ch:send('x') ch:recv() end\n"
                    "end\n"
                    "note(table.concat(got, ' '))",
        "2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21\n");
}

static void Channel_Full_SenderWaits(void **state)
{
    (void)state;
    expect_notes_of("local ch = mt.channel()\n"
                    "local sender = mt.spawn(function()\n"
                    "    for i = 1, 3 do ch:send(i) note('sent', i) end\n"
                    "    ch:close()\n"
                    "end)\n"
                    "mt.sleep(0) note('received', ch:recv())\n"
                    "for i in ch:messages() do note('received', i) end\n"
                    "note(ch:recv(), sender:join())",
        "sent 1\nreceived 1\nsent 2\nreceived 2\nsent 3\nreceived 3\nnil\n");
}

static void Channel_SeveralWait_ServedInTurn(void **state)
{
    (void)state;
    expect_notes_of("local ch, done = mt.channel(), mt.channel(9)\n"
                    "for i = 1, 3 do\n"
                    "    mt.spawn(function() note(i, ch:recv()) done:send(true) end)\n"
                    "end\n"
                    "mt.sleep(0)\n"
                    "for i = 1, 3 do ch:send('value ' .. i) end\n"
                    "for _ = 1, 3 do done:recv() end\n"
                    "for i = 1, 3 do mt.spawn(function() ch:send(i) end) end\n"
                    "mt.sleep(0) note(ch:recv(), ch:recv(), ch:recv())",
        "1 value 1\n2 value 2\n3 value 3\n1 2 3\n");
}

/* The receiver that was woken has not run yet when another asks. */
static void Channel_ReceiverWoken_NobodyComesBeforeIt(void **state)
{
    (void)state;
    expect_notes_of("local ch = mt.channel(2)\n"
                    "local first = mt.spawn(function() return ch:recv() end)\n"
                    "mt.sleep(0)\n"
                    "ch:send('one')\n"
                    "local second = mt.spawn(function() return ch:recv() end)\n"
                    "note(ch:try_send('two'), first:join(), second:join())",
        "true one two\n");
}

static void Channel_Closed_GivesWhatIsInItAndThenNil(void **state)
{
    (void)state;
    expect_notes_of("local ch = mt.channel(2)\n"
                    "ch:send(1) ch:send(2) ch:close() ch:close()\n"
                    "note(ch:try_send(3), select(2, pcall(ch.send, ch, 3)))\n"
                    "note(ch:recv(), ch:recv(), ch:recv(), ch:recv())",
        "false the channel is closed\n1 2 nil nil\n");
}

static void Channel_ClosedWhileTasksWait_EachLearnsOfIt(void **state)
{
    (void)state;
    expect_notes_of("local ch, full = mt.channel(), mt.channel()\n"
                    "full:send(1)\n"
                    "local a = mt.spawn(function() note('a', ch:recv()) end)\n"
                    "local b = mt.spawn(function() for v in ch:messages() do note(v) end end)\n"
                    "local c = mt.spawn(function() note('c', pcall(full.send, full, 2)) end)\n"
                    "mt.sleep(0) ch:close() full:close()\n"
                    "a:join() b:join() c:join() note(full:recv(), full:recv())",
        "a nil\nc false the channel is closed\n1 nil\n");
}

static void Channel_WrongArguments_Raise(void **state)
{
    (void)state;
    expect_notes_of("local ch = mt.channel()\n"
                    "local function try(...) note((select(2, pcall(...)):match('%((.*)%)'))) end\n"
                    "try(mt.channel, 0) try(mt.channel, -1) try(mt.channel, 'x')\n"
                    "try(ch.send, ch) try(ch.send, ch, nil) try(ch.try_send, ch, nil)\n"
                    "try(ch.recv) try(ch.recv, {}) try(ch.close, io.stderr)",
        "not a capacity of 1 to 2^30 values\n"
        "not a capacity of 1 to 2^30 values\n"
        "number expected, got string\n"
        "value other than nil expected, got no value\n"
        "value other than nil expected, got nil\n"
        "value other than nil expected, got nil\n"
        "channel expected, got no value\n"
        "channel expected, got table\n"
        "channel expected, got FILE*\n");
}

/* Tokens are put in while the script loads; what would have to wait raises there. */
static void Channel_WhileTheScriptLoads_WorksUpToAWait(void **state)
{
    (void)state;
    struct wire *w = wire_script("local tokens = mt.channel(2)\n"
                                 "tokens:send('a') tokens:send('b')\n"
                                 "note(select(2, pcall(tokens.send, tokens, 'c')))\n"
                                 "return function() note(tokens:recv(), tokens:recv()) end");
    wire_get(w, "/");
    wire_expect_notes(w, "cannot wait while a script loads\na b\n");
}

static void Channel_WithinOtherCalls_WaitsWhereTheyLetIt(void **state)
{
    (void)state;
    expect_notes_of("local ch = mt.channel()\n"
                    "local ok, problem = pcall(string.gsub, 'x', 'x', function() ch:recv() end)\n"
                    "note(ok, problem:match('cannot wait'))\n"
                    "ch:send(1)\n"
                    "for v in coroutine.wrap(function()\n"
                    "    coroutine.yield(ch:recv())\n"
                    "    mt.spawn(function() ch:send(2) end)\n"
                    "    coroutine.yield(ch:recv())\n"
                    "end) do note(v) end",
        "false cannot wait\n1\n2\n");
}

/* Requests that share a channel of the script's. */
static const char shared[] =
    "local ch = mt.channel()\n"
    "return function(ctx)\n"
    "    if ctx.path == '/send' then note(ch:try_send(ctx.query)) return end\n"
    "    if ctx.path == '/fill' then ch:send(ctx.query) return end\n"
    "    note(ctx.path, pcall(ch.recv, ch))\n"
    "end";

static void Channel_ClientLeavesWhileItWaits_WaitRaises(void **state)
{
    (void)state;
    struct wire *w = wire_script(shared);
    int32_t gone = wire_get(w, "/gone");
    wire_expect_tasks(w, 1, 1);
    wire_reset(w, gone, 8);
    wire_expect_notes(w, "/gone false request aborted: CANCEL\n");
    wire_expect_tasks(w, 0, 0);
    wire_get(w, "/send?one");
    wire_get(w, "/next");
    wire_expect_notes(w, "true\n/next true one\n");
}

/* Both happen in one turn: the value has woken the task, and the client is gone before it runs. */
static void Channel_ReceiverAbortedOnceWoken_ValueIsForTheNext(void **state)
{
    (void)state;
    struct wire *w = wire_script("local ch = mt.channel()\n"
                                 "return function(ctx)\n"
                                 "    if ctx.path == '/send' then\n"
                                 "        ch:send('one')\n"
                                 "        gone:reset()\n"
                                 "        return\n"
                                 "    end\n"
                                 "    gone = gone or ctx\n"
                                 "    note(ctx.path, pcall(ch.recv, ch))\n"
                                 "end");
    wire_get(w, "/gone");
    wire_settle(w);
    wire_get(w, "/next");
    wire_settle(w);
    wire_get(w, "/send");
    wire_expect_notes(w, "/gone false request aborted: reset\n/next true one\n");
    wire_expect_tasks(w, 0, 0);
}

static void Channel_SenderAbortedOnceWoken_PlaceIsForTheNext(void **state)
{
    (void)state;
    struct wire *w = wire_script("local ch = mt.channel()\n"
                                 "ch:send('zero')\n"
                                 "return function(ctx)\n"
                                 "    if ctx.path == '/recv' then\n"
                                 "        note(ch:recv())\n"
                                 "        gone:reset()\n"
                                 "        note(ch:recv())\n"
                                 "        return\n"
                                 "    end\n"
                                 "    gone = gone or ctx\n"
                                 "    note(ctx.path, pcall(ch.send, ch, ctx.path))\n"
                                 "end");
    wire_get(w, "/gone");
    wire_settle(w);
    wire_get(w, "/next");
    wire_settle(w);
    wire_get(w, "/recv");
    wire_expect_notes(w, "zero\n/gone false request aborted: reset\n/next true\n/next\n");
    wire_expect_tasks(w, 0, 0);
}

static void Channel_TaskCancelled_WaitRaises(void **state)
{
    (void)state;
    expect_notes_of("local ch = mt.channel()\n"
                    "local t = mt.spawn(function() note(pcall(ch.recv, ch)) end)\n"
                    "mt.sleep(0) t:cancel() t:join() note(ch:try_send(1), ch:recv())",
        "false task cancelled: cancelled\ntrue 1\n");
}

static void Channel_PastTheDeadline_WaitRaises(void **state)
{
    (void)state;
    struct wire *w = wire_handler("local ch = mt.channel() ctx:deadline(0.001)\n"
                                  "note(select(2, pcall(ch.recv, ch)).kind) ctx:deadline(nil)\n"
                                  "note(ch:try_send(1), ch:recv())");
    wire_get(w, "/");
    wire_wait(w);
    wire_expect_notes(w, "timeout\ntrue 1\n");
}

/* It never has to wait. */
static void Channel_LoopOfAnAbortedRequest_Ends(void **state)
{
    (void)state;
    struct wire *w = wire_handler("local ch = mt.channel(2) ctx:reset()\n"
                                  "note(select(2, pcall(function()\n"
                                  "    while true do ch:send(1) ch:recv() end\n"
                                  "end)).reason)");
    wire_get(w, "/");
    wire_expect_notes(w, "reset\n");
}

static void Channel_ScriptsLoadedAnew_TasksOfOldEndWithThem(void **state)
{
    (void)state;
    struct wire *w = wire_script("local ch = mt.channel()\n"
                                 "mt.spawn(function()\n"
                                 "    local _, e = pcall(ch.recv, ch) note(e.kind, e.reason)\n"
                                 "end)\n"
                                 "return function() end");
    wire_expect_tasks(w, 1, 1);
    wire_reload(w, shared);
    wire_expect_notes(w, "abort reload\n");
    wire_expect_tasks(w, 0, 0);
}

static void Channel_GenerationAborted_RequestsThatWaitLearnOfIt(void **state)
{
    (void)state;
    struct wire *w =
        wire_open(&(struct wire_options){.script = "local ch = mt.channel()\n"
                                                   "return function(ctx)\n"
                                                   "    local _, e = pcall(ch.recv, ch)\n"
                                                   "    note(e.kind, e.reason)\n"
                                                   "end",
            .max_generations = 1});
    wire_get(w, "/");
    wire_settle(w);
    wire_reload(w, shared);
    wire_expect_notes(w, "abort reload\n");
    wire_expect_tasks(w, 0, 0);
    wire_expect_log(w, "generation aborted");
}

/* The test's end looks that nothing is left. */
static void Channel_ServerStopsWhileTasksWait_TheyEnd(void **state)
{
    (void)state;
    struct wire *w = wire_script("local ch, full = mt.channel(), mt.channel()\n"
                                 "full:send(1)\n"
                                 "mt.spawn(function() full:send(2) end)\n"
                                 "mt.spawn(function() ch:recv() end)\n"
                                 "return function() full:send(3) end");
    wire_get(w, "/");
    wire_expect_tasks(w, 3, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Channel_UpToItsCapacity_GivesValuesInOrder),
        wire_test(Channel_RoundAndRound_KeepsTheOrder),
        wire_test(Channel_Full_SenderWaits),
        wire_test(Channel_SeveralWait_ServedInTurn),
        wire_test(Channel_ReceiverWoken_NobodyComesBeforeIt),
        wire_test(Channel_Closed_GivesWhatIsInItAndThenNil),
        wire_test(Channel_ClosedWhileTasksWait_EachLearnsOfIt),
        wire_test(Channel_WrongArguments_Raise),
        wire_test(Channel_WhileTheScriptLoads_WorksUpToAWait),
        wire_test(Channel_WithinOtherCalls_WaitsWhereTheyLetIt),
        wire_test(Channel_ClientLeavesWhileItWaits_WaitRaises),
        wire_test(Channel_ReceiverAbortedOnceWoken_ValueIsForTheNext),
        wire_test(Channel_SenderAbortedOnceWoken_PlaceIsForTheNext),
        wire_test(Channel_TaskCancelled_WaitRaises),
        wire_test(Channel_PastTheDeadline_WaitRaises),
        wire_test(Channel_LoopOfAnAbortedRequest_Ends),
        wire_test(Channel_ScriptsLoadedAnew_TasksOfOldEndWithThem),
        wire_test(Channel_GenerationAborted_RequestsThatWaitLearnOfIt),
        wire_test(Channel_ServerStopsWhileTasksWait_TheyEnd),
    };
    return cmocka_run_group_tests_name("session/channel", tests, NULL, NULL);
}

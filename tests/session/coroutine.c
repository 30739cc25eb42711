/* Waits inside coroutines that the script makes. */
#include "support/wire.h"

#define DONE(stream) "HEADERS stream=" stream " END_STREAM :status=200 date=now content-length=0\n"

static void expect_done(struct wire *w, const char *notes)
{
    wire_get(w, "/");
    for (int i = 0; i < 12; i++)
        wire_wait(w);
    wire_expect(w, DONE("1"));
    wire_expect_notes(w, notes);
}

static void Wait_InWrap_PassesThroughToTheTask(void **state)
{
    (void)state;
    expect_done(wire_handler("local f = coroutine.wrap(function(a)\n"
                             "    mt.sleep(0) local b = coroutine.yield(a + 1)\n"
                             "    mt.sleep(0) return b * 2 end)\n"
                             "note(f(1), f(21))"),
        "2 42\n");
}

static void Wait_InResume_YieldsStayTheScripts(void **state)
{
    (void)state;
    expect_done(wire_handler("local co = coroutine.create(function(...)\n"
                             "    note(...) mt.sleep(0) note(coroutine.yield('first'))\n"
                             "    mt.sleep(0) return 'second', nil end)\n"
                             "note(coroutine.resume(co, 1, 2)) note(coroutine.status(co))\n"
                             "note(coroutine.resume(co, 'in')) note(coroutine.status(co))\n"
                             "note(coroutine.resume(co))"),
        "1 2\ntrue first\nsuspended\nin\ntrue second nil\ndead\nfalse cannot resume dead "
        "coroutine\n");
}

static void Wait_InCoroutinesInCoroutines_PassesThroughAll(void **state)
{
    (void)state;
    expect_done(wire_handler("local function deep(n)\n"
                             "    if n == 0 then mt.sleep(0) return 'bottom' end\n"
                             "    return coroutine.wrap(deep)(n - 1) end\n"
                             "note(deep(20))"),
        "bottom\n");
}

static void Wait_ErrorAfterIt_ComesOutOfResume(void **state)
{
    (void)state;
    expect_done(
        wire_handler("local co = coroutine.create(function() mt.sleep(0) error('boom', 0) end)\n"
                     "note(coroutine.resume(co)) note(coroutine.close(co))\n"
                     "note(pcall(coroutine.wrap(function() mt.sleep(0) error({}) end)) == false)"
                     "note('on')"),
        "false boom\nfalse boom\ntrue\non\n");
}

/* Another task must not steal a coroutine that waits. */
static void Status_InWait_NormalAndNeitherResumedNorClosed(void **state)
{
    (void)state;
    expect_done(wire_handler("local co = coroutine.create(function() mt.sleep(0.005) end)\n"
                             "local other = mt.spawn(function()\n"
                             "    note(coroutine.status(co), coroutine.resume(co))\n"
                             "    note(pcall(coroutine.close, co)) end)\n"
                             "note(coroutine.resume(co)) other:join()"),
        "normal false cannot resume non-suspended coroutine\n"
        "false cannot close a normal coroutine\ntrue\n");
}

static void Wait_BelowCallbackOfCFunction_RaisesAndSaysWhy(void **state)
{
    (void)state;
    expect_done(
        wire_handler("local function less(a, b)\n"
                     "    return coroutine.wrap(function() mt.sleep(0) return a < b end)() end\n"
                     "local ok, problem = pcall(table.sort, {2, 1}, less)\n"
                     "note(ok, problem:match('cannot wait inside a callback of a C function'))"),
        "false cannot wait inside a callback of a C function\n");
}

static void Abort_InNestedWait_UnwindsInnermostFirst(void **state)
{
    (void)state;
    struct wire *w = wire_handler(
        "local function closing(name) return setmetatable({}, {__close = function(_, e)\n"
        "    note(name, e) end}) end\n"
        "local outer <close> = closing('outer')\n"
        "coroutine.wrap(function()\n"
        "    local middle <close> = closing('middle')\n"
        "    coroutine.wrap(function() local inner <close> = closing('inner') mt.sleep(9) end)() "
        "end)()");
    int32_t stream = wire_begin(w, "GET", "/", "");
    wire_end(w, stream);
    wire_settle(w);
    wire_expect_tasks(w, 1, 1);
    wire_reset(w, stream, 8);
    wire_expect_tasks(w, 0, 0);
    struct text notes = stage_take_notes();
    const char *inner = strstr(text_of(&notes), "inner request aborted: CANCEL");
    const char *middle = strstr(text_of(&notes), "middle");
    const char *outer = strstr(text_of(&notes), "outer");
    assert_true(inner && middle && outer && inner < middle && middle < outer);
    text_clear(&notes);
}

static void Close_InEachOther_Bounded(void **state)
{
    (void)state;
    expect_done(wire_handler("local function nest(n)\n"
                             "    local co = coroutine.create(function()\n"
                             "        local _ <close> = setmetatable({}, {__close = function()\n"
                             "            if n > 0 then nest(n - 1) end end})\n"
                             "        coroutine.yield() end)\n"
                             "    coroutine.resume(co) return coroutine.close(co) end\n"
                             "note(nest(50)) note((nest(150)))"),
        "true\ntrue\n");
}

static void Wrap_Reads_TheRequestsBody(void **state)
{
    (void)state;
    struct wire *w =
        wire_handler("for piece in coroutine.wrap(function()\n"
                     "    local piece = ctx:read()\n"
                     "    while piece do coroutine.yield(piece) piece = ctx:read() end\n"
                     "end) do note(piece) end");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_send(w, stream, "one", 3);
    wire_expect_notes(w, "one\n");
    wire_send(w, stream, "two", 3);
    wire_expect_notes(w, "two\n");
    wire_end(w, stream);
    wire_expect(w, DONE("1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Wait_InWrap_PassesThroughToTheTask),
        wire_test(Wait_InResume_YieldsStayTheScripts),
        wire_test(Wait_InCoroutinesInCoroutines_PassesThroughAll),
        wire_test(Wait_ErrorAfterIt_ComesOutOfResume),
        wire_test(Status_InWait_NormalAndNeitherResumedNorClosed),
        wire_test(Wait_BelowCallbackOfCFunction_RaisesAndSaysWhy),
        wire_test(Abort_InNestedWait_UnwindsInnermostFirst),
        wire_test(Close_InEachOther_Bounded),
        wire_test(Wrap_Reads_TheRequestsBody),
    };
    return cmocka_run_group_tests_name("session/coroutine", tests, NULL, NULL);
}

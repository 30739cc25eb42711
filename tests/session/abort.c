/* The client gives up, or vanishes, while the handler waits. */
#include "support/wire.h"

#include <ev.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A handler that waits as its query says, and notes in which order it learns of the end. */
static const char waiter[] =
    "ctx:on_abort(function(reason) note('first', reason) end)\n"
    "ctx:on_abort(function(reason) note('second', reason, ctx:aborted()) end)\n"
    "local big = ('x'):rep(100000)\n"
    "local waits = {\n"
    "    read = function() while ctx:read() do end end,\n"
    "    body = function() ctx:body() end,\n"
    "    write = function() ctx:write(big) end,\n"
    "    text = function() ctx:text(big) end,\n"
    "    flush = function() ctx:write('more than the window') ctx:flush() end,\n"
    "    finish = function() ctx:finish('more than the window') end,\n"
    "    last = function() ctx:finish(big) end,\n"
    "    sleep = function() mt.sleep(1000) end,\n"
    "}\n"
    "local ok, problem = pcall(function()\n"
    "    local guard <close> = setmetatable({}, {\n"
    "        __close = function(_, e) note('closed', ctx:aborted(), e) end})\n"
    "    waits[ctx.query]()\n"
    "end)\n"
    "note(ok, problem, ctx:aborted())";

static const char *const waits[] = {
    "read", "body", "write", "text", "flush", "finish", "last", "sleep"};

enum { WAITS = sizeof waits / sizeof *waits };

/* Opens a connection and brings the handler to the wait, with its request's body open. */
static struct wire *open_waiting(const char *handler, const char *wait)
{
    char path[20];
    struct wire *w = wire_open(&(struct wire_options){.handler = handler, .window = 10});
    snprintf(path, sizeof path, "/?%s", wait);
    wire_begin(w, "POST", path, "");
    wire_expect_tasks(w, 1, 1);
    text_clear(&w->frames.lines);
    return w;
}

static void expect_told(struct wire *w, const char *reason)
{
    struct text notes = {0};
    text_print(&notes, "first %s\nsecond %s %s\n", reason, reason, reason);
    text_print(&notes, "closed %s request aborted: %s\n", reason, reason);
    text_print(&notes, "false request aborted: %s %s\n", reason, reason);
    wire_expect_notes(w, text_of(&notes));
    text_clear(&notes);
    assert_int_equal(live.tasks, 0);
    assert_int_equal(live.waits, 0);
    assert_int_equal(live.exchanges, 0);
}

static void ClientReset_EachWait_ToldThenRaised(void **state)
{
    (void)state;
    for (size_t i = 0; i < WAITS; i++) {
        struct wire *w = open_waiting(waiter, waits[i]);
        wire_reset(w, 1, ERROR_CANCEL);
        wire_expect(w, "");
        expect_told(w, "CANCEL");
        wire_close(w);
    }
}

static void ClientReset_EachCode_ReasonIsItsName(void **state)
{
    (void)state;
    static const uint32_t codes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xffffffff};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        char name[CODE_NAME_SIZE];
        struct wire *w = open_waiting(waiter, "sleep");
        wire_reset(w, 1, codes[i]);
        expect_told(w, code_name(codes[i], name));
        wire_close(w);
    }
}

static void ConnectionLost_EachWait_ToldThenRaised(void **state)
{
    (void)state;
    for (size_t i = 0; i < WAITS; i++) {
        struct wire *w = open_waiting(waiter, waits[i]);
        wire_drop(w, cut_of(CUT_LOST));
        expect_told(w, "connection lost");
        wire_close(w);
    }
}

static void ConnectionLost_HandlerFreedRightAfter_ToldThenRaised(void **state)
{
    (void)state;
    for (size_t i = 0; i < WAITS; i++) {
        struct wire *w = open_waiting(waiter, waits[i]);
        wire_close(w);
        struct text notes = stage_take_notes();
        assert_non_null(strstr(text_of(&notes), "false request aborted: connection lost"));
        text_clear(&notes);
    }
}

static void ClientReset_Uncaught_ClosesVariablesAndIsNoFault(void **state)
{
    (void)state;
    static const char handler[] =
        "local outer <close> = setmetatable({}, {__close = function()\n"
        "    note('outer', ctx:aborted()) end})\n"
        "local inner <close> = setmetatable({}, {__close = function(_, problem)\n"
        "    note('inner', ctx:aborted(), problem, pcall(mt.sleep, 0)) end})\n"
        "ctx:read()\n"
        "note('not reached')";
    struct wire *w = open_waiting(handler, "");
    wire_reset(w, 1, ERROR_INTERNAL_ERROR);
    wire_expect(w, "");
    wire_expect_notes(w, "inner INTERNAL_ERROR request aborted: INTERNAL_ERROR false "
                         "cannot wait while the request is being closed\n"
                         "outer INTERNAL_ERROR\n");
    wire_expect_log(
        w, "debug handler stopped conn=7 stream=1 error=\"request aborted: INTERNAL_ERROR\"");
}

static void ClientReset_BeforeTaskBegins_NeverRuns(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note('ran')");
    int32_t stream = wire_get(w, "/");
    const uint8_t code[4] = {0, 0, 0, ERROR_CANCEL};
    wire_frame(w, NGHTTP2_RST_STREAM, 0, stream, code, sizeof code);
    wire_expect(w, "");
    wire_expect_notes(w, "");
    assert_int_equal(live.tasks, 0);
    assert_int_equal(live.exchanges, 0);
}

static void ConnectionLost_BeforeTaskBegins_NeverRuns(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note('ran')");
    wire_get(w, "/");
    wire_deliver(w);
    assert_int_equal(live.tasks, 1);
    wire_drop(w, cut_of(CUT_LOST));
    assert_int_equal(live.tasks, 0);
    wire_expect_notes(w, "");
}

/* The piece of the body woke the reader; the reset comes before it runs. */
static void ClientReset_ReaderAlreadyWoken_Raised(void **state)
{
    (void)state;
    struct wire *w = open_waiting(waiter, "read");
    wire_frame(w, NGHTTP2_DATA, 0, 1, "piece", 5);
    const uint8_t code[4] = {0, 0, 0, ERROR_CANCEL};
    wire_frame(w, NGHTTP2_RST_STREAM, 0, 1, code, sizeof code);
    expect_told(w, "CANCEL");
}

static void ClientReset_SleeperAlreadyWoken_Raised(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(pcall(mt.sleep, 0))");
    wire_begin(w, "POST", "/", "");
    wire_expect_tasks(w, 1, 1);
    ev_run(w->ev, EVRUN_ONCE);
    assert_int_equal(live.waits, 0);
    wire_drop(w, cut_of(CUT_LOST));
    wire_expect_notes(w, "false request aborted: connection lost\n");
}

/* The next request gets the same task, which a timer of the first one's must not wake. */
static void ClientReset_Sleeper_ItsTimerIsStopped(void **state)
{
    (void)state;
    static const char handler[] = "if ctx.query == 'sleep' then mt.sleep(0.01) end\n"
                                  "ctx:write('more than the window') ctx:flush() note('handed')";
    struct wire *w = open_waiting(handler, "sleep");
    wire_reset(w, 1, ERROR_CANCEL);
    wire_expect_tasks(w, 0, 0);
    wire_get(w, "/");
    wire_expect_tasks(w, 1, 1);
    usleep(20000);
    wire_wait(w);
    wire_expect_notes(w, "");
    wire_expect_tasks(w, 1, 1);
}

static void ClientReset_ResponseSent_HandlerGoesOn(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:on_abort(function(r) note('aborted', r) end)\n"
                                  "ctx:finish('x') mt.sleep(0.001) note('end', ctx:aborted())");
    int32_t stream = wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now content-length=1\n"
                   "DATA stream=1 END_STREAM len=1 'x'\n");
    const uint8_t code[4] = {0, 0, 0, ERROR_CANCEL};
    wire_frame(w, NGHTTP2_RST_STREAM, 0, stream, code, sizeof code);
    wire_expect_tasks(w, 1, 1);
    wire_wait(w);
    wire_expect_notes(w, "end false\n");
    wire_expect(w, "");
}

static void ClientReset_ResponseSentRequestOpen_Aborted(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:finish('x') note(pcall(ctx.read, ctx))");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect_tasks(w, 1, 1);
    wire_reset(w, stream, ERROR_NO_ERROR);
    wire_expect_notes(w, "false request aborted: NO_ERROR\n");
}

static void ConnectionLost_AfterResponse_Told(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:finish('x') note(pcall(mt.sleep, 1000))");
    wire_get(w, "/");
    wire_expect_tasks(w, 1, 1);
    wire_drop(w, cut_of(CUT_LOST));
    wire_expect_notes(w, "false request aborted: connection lost\n");
}

#define RAISED "false request aborted: CANCEL\n"

static void Aborted_LaterWaits_RaiseAtOnce(void **state)
{
    (void)state;
    static const char handler[] = "for i = 1, 3 do note(pcall(ctx.read, ctx)) end\n"
                                  "note(pcall(ctx.write, ctx, 'x')) note(pcall(ctx.flush, ctx))\n"
                                  "note(pcall(mt.sleep, 1000)) ctx:reset() note(ctx:aborted())";
    struct wire *w = open_waiting(handler, "");
    wire_reset(w, 1, ERROR_CANCEL);
    wire_expect(w, "");
    wire_expect_notes(w, RAISED RAISED RAISED RAISED RAISED RAISED "CANCEL\n");
}

static void Aborted_FieldsReadBefore_StillRead(void **state)
{
    (void)state;
    static const char handler[] =
        "local _, _, _ = ctx.method, ctx.headers, ctx.tls\n"
        "pcall(ctx.read, ctx)\n"
        "note(ctx.method, ctx.headers['x-a'], ctx.tls, pcall(function() return ctx.path end))";
    struct wire *w = wire_handler(handler);
    int32_t stream = wire_begin(w, "POST", "/", "x-a: 1");
    wire_expect_tasks(w, 1, 1);
    wire_reset(w, stream, ERROR_CANCEL);
    wire_expect_notes(w, "POST 1 nil false request aborted: CANCEL\n");
}

static void OnAbort_Raises_LoggedAndOthersRun(void **state)
{
    (void)state;
    static const char handler[] = "ctx:on_abort(function() error('oops') end)\n"
                                  "ctx:on_abort(function() error({}) end)\n"
                                  "ctx:on_abort(function() note('third') end)\n"
                                  "ctx:read()";
    struct wire *w = open_waiting(handler, "");
    wire_reset(w, 1, ERROR_CANCEL);
    wire_expect_notes(w, "third\n");
    wire_expect_log(w, "error on_abort failed conn=7 stream=1 error=");
}

static void OnAbort_Waits_Raises(void **state)
{
    (void)state;
    static const char handler[] = "ctx:on_abort(function() note(pcall(mt.sleep, 0)) end)\n"
                                  "ctx:on_abort(function() note(pcall(ctx.read, ctx)) end)\n"
                                  "ctx:read()";
    struct wire *w = open_waiting(handler, "");
    wire_reset(w, 1, ERROR_CANCEL);
    wire_expect_notes(w, "false cannot wait inside a callback of a C function (table.sort, "
                         "string.gsub and the like)\n"
                         "false request aborted: CANCEL\n");
}

static void OnAbort_RegistersAnother_RunsToo(void **state)
{
    (void)state;
    static const char handler[] =
        "ctx:on_abort(function()\n"
        "    note('first') ctx:on_abort(function(r) note('inner', r) end)\n"
        "end)\n"
        "ctx:on_abort(function() note('second') end)\n"
        "ctx:read()";
    struct wire *w = open_waiting(handler, "");
    wire_reset(w, 1, ERROR_CANCEL);
    wire_expect_notes(w, "first\ninner CANCEL\nsecond\n");
}

static void OnAbort_RequestEndsWell_NotRun(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:on_abort(function() note('aborted') end) ctx:write('x')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now content-length=1\n"
                   "DATA stream=1 END_STREAM len=1 'x'\n");
    wire_expect_notes(w, "");
}

static void OnAbort_NoFunction_Raises(void **state)
{
    (void)state;
    struct wire *w = wire_handler("local ok, problem = pcall(ctx.on_abort, ctx, 1)\n"
                                  "note(ok, problem:match('%((.*)%)'))");
    wire_get(w, "/");
    wire_expect_notes(w, "false function expected, got number\n");
}

static void ClientReset_ManyAtOnce_EachTold(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(pcall(ctx.read, ctx))");
    for (int i = 0; i < 5; i++)
        wire_begin(w, "POST", "/", "");
    wire_expect_tasks(w, 5, 5);
    for (int i = 0; i < 5; i++)
        wire_reset(w, 2 * i + 1, ERROR_CANCEL);
    wire_expect_notes(w, RAISED RAISED RAISED RAISED RAISED);
    wire_expect_tasks(w, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(ClientReset_EachWait_ToldThenRaised),
        wire_test(ClientReset_EachCode_ReasonIsItsName),
        wire_test(ConnectionLost_EachWait_ToldThenRaised),
        wire_test(ConnectionLost_HandlerFreedRightAfter_ToldThenRaised),
        wire_test(ClientReset_Uncaught_ClosesVariablesAndIsNoFault),
        wire_test(ClientReset_BeforeTaskBegins_NeverRuns),
        wire_test(ConnectionLost_BeforeTaskBegins_NeverRuns),
        wire_test(ClientReset_ReaderAlreadyWoken_Raised),
        wire_test(ClientReset_SleeperAlreadyWoken_Raised),
        wire_test(ClientReset_Sleeper_ItsTimerIsStopped),
        wire_test(ClientReset_ResponseSent_HandlerGoesOn),
        wire_test(ClientReset_ResponseSentRequestOpen_Aborted),
        wire_test(ConnectionLost_AfterResponse_Told),
        wire_test(Aborted_LaterWaits_RaiseAtOnce),
        wire_test(Aborted_FieldsReadBefore_StillRead),
        wire_test(OnAbort_Raises_LoggedAndOthersRun),
        wire_test(OnAbort_Waits_Raises),
        wire_test(OnAbort_RegistersAnother_RunsToo),
        wire_test(OnAbort_RequestEndsWell_NotRun),
        wire_test(OnAbort_NoFunction_Raises),
        wire_test(ClientReset_ManyAtOnce_EachTold),
    };
    return cmocka_run_group_tests_name("session/abort", tests, NULL, NULL);
}

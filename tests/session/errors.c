/* Handlers that fail: what the client sees, and what is logged. */
#include "support/wire.h"

#include <string.h>

#define PAGE(stream) \
    "HEADERS stream=" stream " :status=500 content-type='text/plain; charset=utf-8' date=now " \
    "content-length=22\n" \
    "DATA stream=" stream " END_STREAM len=22 'Internal Server Error\\n'\n"

static void Error_BeforeHeaders_500AndLogged(void **state)
{
    (void)state;
    struct wire *w = wire_handler("error('oops')");
    wire_get(w, "/");
    wire_expect(w, PAGE("1"));
    wire_expect_log(w, "handler.lua:1: oops\" traceback=\"stack traceback:\\n\\t[C]: in function "
                       "'error'\\n\\t");
}

static void Error_BeforeHeaders_HeadAndTrailersCleared(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:status(201) ctx:header('x-a', '1') ctx:header('date', 'x')\n"
                                  "ctx:header('content-length', '5') ctx:declare_trailer('t')\n"
                                  "ctx:append_trailer('t', '1') error('oops')");
    wire_get(w, "/");
    wire_expect(w, PAGE("1"));
    wire_expect_log(w, "handler.lua:3: oops");
}

static void Error_WrittenButNotHandedOver_500(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:write('Hello') ctx:append_trailer('a', 'b') error('oops')");
    wire_get(w, "/");
    wire_expect(w, PAGE("1"));
    wire_expect_log(w, "oops");
}

static void Error_AfterHeaders_ResetWithInternalError(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:write('kept') ctx:flush() ctx:write('lost')\n"
                                  "ctx:append_trailer('a', 'b') error('oops')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=4 'kept'\n"
                   "RST_STREAM stream=1 code=INTERNAL_ERROR\n");
    wire_expect_log(w, "error handler failed conn=7 stream=1 error=");
}

static void Error_AfterHeadersAlone_ResetWithInternalError(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:flush() error('oops')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "RST_STREAM stream=1 code=INTERNAL_ERROR\n");
    wire_expect_log(w, "oops");
}

static void Error_AfterFinish_ResponseStands(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:finish('x') error('oops')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now content-length=1\n"
                   "DATA stream=1 END_STREAM len=1 'x'\n");
    wire_expect_log(w, "oops");
}

static void Error_AnswersHead_500WithoutBody(void **state)
{
    (void)state;
    struct wire *w = wire_handler("error('oops')");
    wire_request(w, "HEAD", "/");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=500 "
                   "content-type='text/plain; charset=utf-8' date=now content-length=22\n");
    wire_expect_log(w, "oops");
}

static void Error_ClientStillSends_500ThenReset(void **state)
{
    (void)state;
    struct wire *w = wire_handler("error('oops')");
    wire_begin(w, "POST", "/", "");
    wire_expect(w, PAGE("1") "RST_STREAM stream=1 code=NO_ERROR\n");
    wire_expect_log(w, "oops");
}

static void Error_Development_PageHasTraceback(void **state)
{
    (void)state;
    struct wire *w = wire_open(&(struct wire_options){
        .handler = "local function inner() error('oops') end inner()", .dev = true});
    wire_get(w, "/");
    wire_settle(w);
    const char *page = text_of(frames_body(&w->frames, 1));
    assert_non_null(strstr(w->frames.lines.p, ":status=500 content-type='text/plain"));
    assert_non_null(strstr(page, "handler.lua:1: oops\n\nstack traceback:\n\t[C]: in function"));
    assert_non_null(strstr(page, "'inner'"));
    wire_expect_log(w, "oops");
}

static void Error_NoString_Described(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"error()", "error=nil "},
        {"error(nil)", "error=nil "},
        {"error(12)", "error=12 "},
        {"error({})", "error=\"table: 0x"},
        {"error(setmetatable({}, {__tostring = function() return 'said' end}))", "error=said "},
        {"error(setmetatable({}, {__name = 'thing'}))", "error=\"thing: 0x"},
        {"error(setmetatable({}, {__tostring = error}))",
            "error=\"table that cannot be described: table\""},
        {"error(setmetatable({}, {__tostring = function() error('deeper') end}))",
            "error=\"table that cannot be described: handler.lua:1: deeper\""},
        {"error(setmetatable({}, {__tostring = function() return {} end}))",
            "error=\"table that cannot be described: '__tostring' must return a string\""},
        {"error {message = 'no such user', code = 404}", "error=\"no such user (code 404)\""},
        {"error {message = 'no such user'}", "error=\"no such user\""},
        {"error {code = 'E1', message = {}}", "error=\"table (code E1)\""},
        {"error(setmetatable({}, {__index = error}))", "error=\"table: 0x"},
        {"local t = {} t.t, t.message = t, t error(t)", "error=\"table: 0x"},
        {"local t = {} setmetatable(t, {__tostring = function() return tostring(t) end}) error(t)",
            "error=\"table that cannot be described: "},
        {"error(coroutine.create(print))", "error=\"thread: 0x"},
        {"local t; t.x = 1", "attempt to index a nil value (local 't')"},
        {"local function f() return f() + 1 end f()", "stack overflow"},
        {"('x'):rep(1 << 62)", "resulting string too large"},
        {"error('a\\nb\\0c')", "a\\nb\\u0000c"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wire *w = wire_handler(cases[i][0]);
        wire_get(w, "/");
        wire_expect(w, PAGE("1"));
        wire_expect_log(w, cases[i][1]);
        wire_close(w);
    }
}

static void Error_CloseVariables_RunAndMayFail(void **state)
{
    (void)state;
    struct wire *w = wire_handler(
        "local a <close> = setmetatable({}, {__close = function(_, e) note('a', e) end})\n"
        "local b <close> = setmetatable({}, {__close = function() error('second', 0) end})\n"
        "error('first', 0)");
    wire_get(w, "/");
    wire_expect(w, PAGE("1"));
    wire_expect_notes(w, "a second\n");
    wire_expect_log(w, "error close failed conn=7 stream=1 error=second method=");
}

static void Error_Caught_NoFault(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(pcall(error, 'oops')) ctx:write('x')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now content-length=1\n"
                   "DATA stream=1 END_STREAM len=1 'x'\n");
    wire_expect_notes(w, "false oops\n");
}

static void Error_NextRequests_Unharmed(void **state)
{
    (void)state;
    struct wire *w = wire_handler("if ctx.query then error('oops') end ctx:write('x')");
    wire_get(w, "/?fail");
    wire_get(w, "/");
    wire_settle(w);
    wire_get(w, "/?fail");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=500 content-type='text/plain; charset=utf-8' date=now "
                   "content-length=22\n"
                   "HEADERS stream=3 :status=200 date=now content-length=1\n"
                   "DATA stream=1 END_STREAM len=22 'Internal Server Error\\n'\n"
                   "DATA stream=3 END_STREAM len=1 'x'\n"
                   "HEADERS stream=5 :status=500 content-type='text/plain; charset=utf-8' date=now "
                   "content-length=22\n"
                   "HEADERS stream=7 :status=200 date=now content-length=1\n"
                   "DATA stream=5 END_STREAM len=22 'Internal Server Error\\n'\n"
                   "DATA stream=7 END_STREAM len=1 'x'\n");
    wire_expect_log(w, "oops");
}

static void Yield_OutOfTask_RaisesAndSaysWhy(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(coroutine.isyieldable(), pcall(coroutine.yield, 1))\n"
                                  "coroutine.yield(2)");
    wire_get(w, "/");
    wire_expect(w, PAGE("1"));
    wire_expect_notes(w,
        "false false attempt to yield from outside a coroutine: a handler waits by "
        "calling a function that waits\n");
    wire_expect_log(w, "handler.lua:2: attempt to yield from outside a coroutine");
}

static void Yield_InOwnCoroutine_StaysTheScripts(void **state)
{
    (void)state;
    struct wire *w = wire_handler("local next = coroutine.wrap(function()\n"
                                  "    for i = 1, 3 do coroutine.yield(i) end end)\n"
                                  "ctx:write(next(), next(), next())");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now content-length=3\n"
                   "DATA stream=1 END_STREAM len=3 '123'\n");
}

#define WHY \
    " cannot wait inside a callback of a C function (table.sort, string.gsub and the like)\n"

static void Wait_InCallbackOfCFunction_RaisesAndSaysWhy(void **state)
{
    (void)state;
    struct wire *w = wire_handler("local function wait() mt.sleep(0) return true end\n"
                                  "note(pcall(table.sort, {1, 2}, wait))\n"
                                  "note(pcall(string.gsub, 'x', 'x', wait))\n"
                                  "note(load(wait))\n"
                                  "note(pcall(table.sort, {1, 2}, function() ctx:flush() end))\n"
                                  "note(pcall(string.gsub, 'x', 'x', function() ctx:read() end))\n"
                                  "ctx:header('x-late', 'no') ctx:write('x')");
    wire_begin(w, "POST", "/", "");
    wire_expect(w, "HEADERS stream=1 :status=200 x-late=no date=now content-length=1\n"
                   "DATA stream=1 END_STREAM len=1 'x'\n"
                   "RST_STREAM stream=1 code=NO_ERROR\n");
    wire_expect_notes(w,
        "false handler.lua:1:" WHY "false handler.lua:1:" WHY "nil handler.lua:1:" WHY
        "false handler.lua:5:" WHY "false handler.lua:6:" WHY);
}

static void Wait_InPcallAndMetamethods_Works(void **state)
{
    (void)state;
    struct wire *w = wire_handler(
        "local t = setmetatable({}, {__index = function() mt.sleep(0) return 'i' end,\n"
        "    __add = function() mt.sleep(0) return 'a' end})\n"
        "local function three() return function(_, i) mt.sleep(0) if i < 3 then return i + 1 end "
        "end,"
        "    nil, 0 end\n"
        "note(t.x, t + t, select(2, pcall(pcall, mt.sleep, 0)))\n"
        "for i in three() do note(i) end\n"
        "note(xpcall(mt.sleep, print, 0))");
    wire_get(w, "/");
    for (int i = 0; i < 8; i++)
        wire_wait(w);
    wire_expect_notes(w, "i a true\n1\n2\n3\ntrue\n");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=200 date=now content-length=0\n");
}

static void Exit_Called_Raises(void **state)
{
    (void)state;
    struct wire *w = wire_handler("os.exit(1)");
    wire_get(w, "/");
    wire_expect(w, PAGE("1"));
    wire_expect_log(w, "os.exit would end the server");
}

static void Load_Broken_SaysFileAndLine(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"\nreturn function(", "handler.lua:2: <name> or '...' expected near <eof>"},
        {"\nerror('oops')", "handler.lua:2: oops"},
        {"error({})", "handler.lua: raises an error that is no string"},
        {"error(setmetatable({}, {__name = 'x'}))",
            "handler.lua: raises an error that is no string"},
        {"error({message = 'told', code = 5})", "handler.lua: told (code 5)"},
        {"error(setmetatable({}, {__tostring = function() return 'its text' end}))",
            "handler.lua: its text"},
        {"error(setmetatable({}, {__tostring = error}))",
            "handler.lua: table that cannot be described: table"},
        {"local z = require 'moontrail.zlib' z.decompress(z.compress('abcdef'), {limit = 5})",
            "handler.lua:1: zlib: more than 5 bytes"},
        {"error()", "handler.lua: raises an error that is no string"},
        {"return 1", "handler.lua:1: returns a number, not a handler"},
        {"", "handler.lua:1: returns a nil, not a handler"},
        {"\nreturn {\n}\n", "handler.lua:3: returns an empty table"},
        {"return {GET = 1}", "handler.lua:1: has a number for the method GET, not a function"},
        {"return {function() end}", "handler.lua:1: returns a table with a number as a key"},
        {"return {['a b'] = print}", "handler.lua:1: returns a table with the key \"a b\""},
        {"mt.sleep(0) return print", "cannot wait while a script loads"},
        {"coroutine.yield() return print", "attempt to yield from outside a coroutine"},
        {"coroutine.wrap(function() mt.sleep(0) end)() return print",
            "cannot wait while a script loads"},
        {"require 'absent'", "module 'absent' not found"},
        {"os.exit()", "os.exit would end the server"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        wire_expect_unloadable(cases[i][0], cases[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Error_BeforeHeaders_500AndLogged),
        wire_test(Error_BeforeHeaders_HeadAndTrailersCleared),
        wire_test(Error_WrittenButNotHandedOver_500),
        wire_test(Error_AfterHeaders_ResetWithInternalError),
        wire_test(Error_AfterHeadersAlone_ResetWithInternalError),
        wire_test(Error_AfterFinish_ResponseStands),
        wire_test(Error_AnswersHead_500WithoutBody),
        wire_test(Error_ClientStillSends_500ThenReset),
        wire_test(Error_Development_PageHasTraceback),
        wire_test(Error_NoString_Described),
        wire_test(Error_CloseVariables_RunAndMayFail),
        wire_test(Error_Caught_NoFault),
        wire_test(Error_NextRequests_Unharmed),
        wire_test(Yield_OutOfTask_RaisesAndSaysWhy),
        wire_test(Yield_InOwnCoroutine_StaysTheScripts),
        wire_test(Wait_InCallbackOfCFunction_RaisesAndSaysWhy),
        wire_test(Wait_InPcallAndMetamethods_Works),
        wire_test(Exit_Called_Raises),
        wire_test(Load_Broken_SaysFileAndLine),
    };
    return cmocka_run_group_tests_name("session/errors", tests, NULL, NULL);
}

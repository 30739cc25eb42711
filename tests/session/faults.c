/* Errors in odd places: in what closes, in what handles errors, at the ends of the stack, in the
 * collector. Each is logged once with its place, none hides another, and the next request works. */
#include "support/wire.h"

#include <stdio.h>
#include <string.h>

#define RAISING(event, error) "error " event " conn=7 stream=1 error=\"" error

enum { PARTS = 3 };

struct fault_case {
    const char *handler;
    int status;
    const char *logged[PARTS]; /* parts of the log, one behind the other */
    const char *notes;         /* NULL for none */
};

static void expect_parts(struct wire *w, const struct fault_case *c)
{
    if (!c->logged[0])
        return;
    wire_expect_log(w, c->logged[0]);
    const char *at = w->taken.p;
    for (size_t i = 0; i < PARTS && c->logged[i]; i++) {
        const char *found = strstr(at, c->logged[i]);
        if (!found)
            stage_fail("the log has no\n  %s\nbehind\n%s", c->logged[i], w->taken.p);
        at = found + strlen(c->logged[i]);
    }
}

static void expect_status(struct wire *w, int status)
{
    char line[32];
    snprintf(line, sizeof line, " :status=%d ", status);
    wire_settle(w);
    if (!strstr(text_of(&w->frames.lines), line))
        stage_fail("no %s but\n%s", line, text_of(&w->frames.lines));
    text_clear(&w->frames.lines);
}

/* The fault is on line 2, in the first request; the second finds nothing amiss. */
static void play(const struct fault_case *c)
{
    struct text handler = {0};
    text_print(&handler, "if ctx.query then return ctx:text('next') end\n%s", c->handler);
    struct wire *w = wire_handler(text_of(&handler));
    text_clear(&handler);
    wire_get(w, "/");
    wire_settle(w);
    while (live.waits)
        wire_wait(w);
    expect_status(w, c->status);
    wire_expect_notes(w, c->notes ? c->notes : "");
    expect_parts(w, c);
    wire_get(w, "/?next");
    expect_status(w, 200);
    wire_close(w);
}

#define play_all(cases) \
    for (size_t i = 0; i < sizeof(cases) / sizeof *(cases); i++) \
    play(&(cases)[i])

/* A handler waits for its request's body when the client resets. */
static void begin_and_cancel(struct wire *w)
{
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect_tasks(w, 1, 1);
    wire_reset(w, stream, ERROR_CANCEL);
}

#define CLOSING(name, body) \
    "local " name " <close> = setmetatable({}, {__close = function(_, e) " body " end})\n"

static void Close_Raises_LoggedBesideTheFirst(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {CLOSING("a", "error('second')") "error('first')", 500,
            .logged = {RAISING("handler failed", "handler.lua:3: first\" traceback="),
                RAISING("close failed", "handler.lua:2: second\" method=")}},
        {CLOSING("a", "note(e) error(e)") "error('first', 0)", 500,
            .logged = {"error handler failed conn=7 stream=1 error=first "}, .notes = "first\n"},
        {CLOSING("a", "error {message = 'second', code = 2}") "error('first', 0)", 500,
            .logged = {"error=first ", RAISING("close failed", "second (code 2)\" method=")}},
        {CLOSING("a", "error(nil)") "error('first', 0)", 500,
            .logged = {"error=first ", "error close failed conn=7 stream=1 error=nil method="}},
        {CLOSING("a", "error(setmetatable({}, {__tostring = error}))") "error('first', 0)", 500,
            .logged = {"error=first ",
                RAISING("close failed", "table that cannot be described: table\" method=")}},
        /* where nothing was wrong before, it is the handler's error */
        {CLOSING("a", "error('only')") "ctx:write('x')", 500,
            .logged = {RAISING("handler failed", "handler.lua:2: only\" traceback=")}},
        /* what a pcall catches is the script's */
        {"note(pcall(function()\n" CLOSING("a", "error('second', 0)") "error('first') end))", 200,
            .notes = "false second\n"},
        /* a coroutine's are its resumer's */
        {"note(coroutine.resume(coroutine.create(function()\n" CLOSING(
             "a", "note('never') error('second')") "error('first', 0) end)))",
            200, .notes = "false first\n"},
        {"coroutine.wrap(function()\n" CLOSING("a", "error('second')") "error('first', 0) end)()",
            500, .logged = {RAISING("handler failed", "handler.lua:2: handler.lua:3: second\"")}},
    };
    play_all(cases);
}

static void Close_RaisesAfterAnAbort_Logged(void **state)
{
    (void)state;
    struct wire *w = wire_handler("local a <close> = setmetatable({}, {__close = function(_, e)\n"
                                  "    note(e, ctx:aborted()) error('while closing') end})\n"
                                  "local b <close> = setmetatable({}, {__close = function(_, e)\n"
                                  "    note(e) ctx:write('x') end})\n"
                                  "ctx:body()");
    begin_and_cancel(w);
    wire_expect_notes(w, "request aborted: CANCEL\nrequest aborted: CANCEL CANCEL\n");
    wire_expect_log(w, RAISING("close failed", "handler.lua:2: while closing\" method="));
}

/* The abort error again is no fault. */
static void Close_MeetsTheAbortAgain_NoFault(void **state)
{
    (void)state;
    struct wire *w = wire_handler(CLOSING("a", "ctx:write('x')") "ctx:body()");
    begin_and_cancel(w);
    wire_expect_log(
        w, "debug handler stopped conn=7 stream=1 error=\"request aborted: CANCEL\" method=");
}

static void Close_OfAFailedSpawnMeetsTheAbort_NoFault(void **state)
{
    (void)state;
    struct wire *w = wire_handler("mt.spawn(function()\n" CLOSING(
        "a", "ctx:write('x')") "pcall(ctx.body, ctx) error('first', 0) end)\nmt.sleep(60)");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect_tasks(w, 2, 2);
    wire_reset(w, stream, ERROR_CANCEL);
    wire_expect_log(w, "debug close failed error=\"request aborted: CANCEL\"");
}

static void Close_RaisesWhereACoroutineWaits_Logged(void **state)
{
    (void)state;
    struct wire *w = wire_handler(
        "coroutine.wrap(function()\n" CLOSING("a", "error('inner')") "mt.sleep(60) end)()");
    begin_and_cancel(w);
    wire_expect_log(w, RAISING("handler failed", "handler.lua:1: handler.lua:2: inner\""));
}

static void OnAbort_Raises_LoggedAndTheNextRuns(void **state)
{
    (void)state;
    struct wire *w =
        wire_handler("ctx:on_abort(function() error('first') end)\n"
                     "ctx:on_abort(function() error({message = 'second'}) end)\n"
                     "ctx:on_abort(function() error(setmetatable({}, {__tostring = error})) end)\n"
                     "ctx:on_abort(function(reason) note(reason) end)\n"
                     "ctx:body()");
    begin_and_cancel(w);
    wire_expect_notes(w, "CANCEL\n");
    wire_expect_log(w, RAISING("on_abort failed", "handler.lua:1: first\" method="));
    wire_get(w, "/");
    wire_expect(w, EMPTY_RESPONSE("3"));
}

static void OnAbort_RaisesATable_Described(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:on_abort(function() error({message = 'second'}) end)\n"
                                  "ctx:reset()");
    wire_get(w, "/");
    wire_expect_log(w, "error on_abort failed conn=7 stream=1 error=second method=");
}

static void Handlers_ThatRaise_AreCaught(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {"note(xpcall(error, function(e) return 'handled ' .. e end, 'first'))", 200,
            .notes = "false handled first\n"},
        {"local ok, e = xpcall(error, function(e) error(e, 0) end, 'first') note(ok, type(e))", 200,
            .notes = "false string\n"},
        {"local ok = xpcall(error, function(e) local t = nil return t.x end, 'first') note(ok)",
            200, .notes = "false\n"},
        {"local function h(e) return xpcall(error, h, e) end note((xpcall(error, h, 1)))", 200,
            .notes = "false\n"},
        {"note(xpcall(function() return xpcall(error, print, 1) end, print))", 200,
            .logged = {"info print text=1\n"}, .notes = "true false nil\n"},
        {"note(pcall(pcall)) note(pcall(xpcall)) note(xpcall(mt.sleep, print, 0))", 200,
            .notes = "false bad argument #1 to 'pcall' (value expected)\n"
                     "false bad argument #2 to 'xpcall' (function expected, got no value)\n"
                     "true\n"},
    };
    play_all(cases);
}

static void Stack_Overflows_AreErrors(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {"local function f() return f() + 1 end f()", 500,
            .logged = {RAISING("handler failed", "handler.lua:2: stack overflow")}},
        {"local function f() f() end local ok, e = pcall(f)\nnote(ok, e:match('overflow'))", 200,
            .notes = "false overflow\n"},
        {"local function f() local ok, e = pcall(f) error(e, 0) end f()", 500,
            .logged = {"handler failed"}},
        {"local function f() coroutine.wrap(f)() end f()", 500,
            .logged = {"handler failed", "C stack overflow"}},
        {"local function f() return (string.gsub('x', 'x', f)) end f()", 500,
            .logged = {"handler failed", "C stack overflow"}},
        {"return string.find(('x'):rep(1e6), ('x?'):rep(1e6))", 500,
            .logged = {RAISING("handler failed", "handler.lua:2: pattern too complex")}},
        {"return string.find('x', ('('):rep(40))", 500,
            .logged = {RAISING("handler failed", "handler.lua:2: too many captures")}},
        {"assert(load('return ' .. ('('):rep(1e5)))", 500,
            .logged = {"handler failed", "overflow"}},
        {"local t = setmetatable({}, {}) getmetatable(t).__index = function(_, k)\n"
         "    return t[k] end return t.x",
            500, .logged = {"handler failed", "stack overflow"}},
        {"local t = {} setmetatable(t, {__index = t}) return t.x", 500,
            .logged = {"handler failed", "'__index' chain too long; possible loop"}},
        {"local function f()\n" CLOSING("a", "f()") "error('x', 0) end f()", 500,
            .logged = {"handler failed", "close failed"}},
        {"local function f() coroutine.wrap(function()\n" CLOSING(
             "a", "f()") "error('x', 0) end)() end f()",
            500, .logged = {"handler failed", "overflow"}},
    };
    play_all(cases);
}

static void Tasks_ThatRaise_LoggedOrJoined(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {"mt.spawn(function() error('alone') end) mt.sleep(0)", 200,
            .logged =
                {"error task failed error=\"handler.lua:2: alone\" traceback=\"stack traceback:"}},
        {"mt.spawn(error, {message = 'told', code = 5}) mt.sleep(0)", 200,
            .logged = {"error task failed error=\"told (code 5)\""}},
        {"note(pcall(function() mt.spawn(error, 'joined'):join() end))", 200,
            .notes = "false joined\n"},
        {"mt.spawn(function() error({}) end):join()", 500,
            .logged = {"error handler failed conn=7 stream=1 error=\"table: 0x"}},
        {"mt.spawn(function()\n" CLOSING(
             "a", "error('second')") "error('first', 0) end) mt.sleep(0)",
            200,
            .logged = {"error task failed error=first ",
                "error close failed error=\"handler.lua:3: second\" method="}},
        {"local t = mt.spawn(function()\n" CLOSING(
             "a", "error('closing')") "mt.sleep(60) end) mt.sleep(0) t:cancel() mt.sleep(0)",
            200, .logged = {"debug close failed error=\"handler.lua:3: closing\" method="}},
        {"mt.all(function() error('one', 0) end, function() mt.sleep(60) end)", 500,
            .logged = {"error handler failed conn=7 stream=1 error=one "}},
    };
    play_all(cases);
}

static void Collector_FinalizersThatRaise_AreWarnings(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {"setmetatable({}, {__gc = function() error('in gc') end}) collectgarbage()", 200,
            .logged = {"warn lua warning text=\"error in __gc (handler.lua:2: in gc)\"\n"}},
        {"setmetatable({}, {__gc = function() error({}) end}) collectgarbage()", 200,
            .logged = {"warn lua warning text=\"error in __gc (error object is not a string)\"\n"}},
        {"setmetatable({}, {__gc = function() mt.sleep(0) end}) collectgarbage()", 200,
            .logged = {"warn lua warning", "cannot wait"}},
        {"warn('one ', 'two') warn('@off') warn('three') warn('@on') warn('four')", 200,
            .logged = {"warn lua warning text=\"one two\"\n", "warn lua warning text=four\n"}},
    };
    play_all(cases);
}

static void Collector_FinalizerAtTheVmsEnd_Warning(void **state)
{
    (void)state;
    struct wire *w = wire_handler("kept = setmetatable({}, {__gc = function() error('late') end})");
    wire_get(w, "/");
    wire_expect(w, EMPTY_RESPONSE("1"));
    wire_close(w);
    struct text log = stage_take_log();
    bool found =
        strstr(text_of(&log), "warn lua warning text=\"error in __gc (handler.lua:1: late");
    text_clear(&log);
    assert_true(found);
}

static void Fields_WhoseMetamethodsRaise_RaiseInTheHandler(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {"ctx.own = setmetatable({}, {__index = function() error('index') end}) return ctx.own.x",
            500, .logged = {RAISING("handler failed", "handler.lua:2: index\"")}},
        {"setmetatable(ctx.headers, {__index = function() error('index') end})\n"
         "return ctx.headers.x",
            500, .logged = {RAISING("handler failed", "handler.lua:2: index\"")}},
        {"setmetatable(ctx, {__index = function() error('index') end}) return ctx.method", 500,
            .logged = {RAISING("handler failed", "handler.lua:2: index\"")}},
        {"ctx:header('x', setmetatable({}, {__tostring = function() error('text') end}))", 500,
            .logged = {RAISING("handler failed", "handler.lua:2: ")}},
        {"mt.log.info('event', {x = setmetatable({}, {__tostring = function() error('text') "
         "end})})",
            500, .logged = {RAISING("handler failed", "handler.lua:2: text\"")}},
    };
    play_all(cases);
}

/* What Lua 5.4.4 does by itself is to call whatever stands where the handler stood. */
static void Xpcall_CoroutineClosedInside_HandlerForgotten(void **state)
{
    (void)state;
    struct wire *w = wire_handler(
        "local co = coroutine.create(function()\n" CLOSING("a", "note('a', e)") CLOSING(
            "b", "note('b', e) error('b fails', 0)") "    xpcall(function()\n" CLOSING("c",
            "note('c', e)") "        pcall(function()\n" CLOSING("d",
            "note('d', e)") "            coroutine.yield()\n"
                            "        note('never') end) note('never') end, function(e) return e "
                            "end) note('never') end)\n"
                            "coroutine.resume(co)\n"
                            "note(coroutine.close(co)) note(coroutine.status(co))");
    wire_get(w, "/");
    wire_expect(w, EMPTY_RESPONSE("1"));
    wire_expect_notes(w, "d handler.lua:8: coroutine closed\nc handler.lua:8: coroutine closed\n"
                         "b nil\na b fails\nfalse b fails\ndead\n");
}

static void Development_PageHasTheTableError(void **state)
{
    (void)state;
    struct wire *w = wire_open(&(struct wire_options){
        .handler = "error {message = 'no such user', code = 404}", .dev = true});
    wire_get(w, "/");
    wire_settle(w);
    const char *page = text_of(frames_body(&w->frames, 1));
    assert_non_null(strstr(page, "no such user (code 404)\n\nstack traceback:\n\t[C]: in"));
    wire_expect_log(w, "no such user");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Close_Raises_LoggedBesideTheFirst),
        wire_test(Close_RaisesAfterAnAbort_Logged),
        wire_test(Close_MeetsTheAbortAgain_NoFault),
        wire_test(Close_OfAFailedSpawnMeetsTheAbort_NoFault),
        wire_test(Close_RaisesWhereACoroutineWaits_Logged),
        wire_test(OnAbort_Raises_LoggedAndTheNextRuns),
        wire_test(OnAbort_RaisesATable_Described),
        wire_test(Handlers_ThatRaise_AreCaught),
        wire_test(Stack_Overflows_AreErrors),
        wire_test(Tasks_ThatRaise_LoggedOrJoined),
        wire_test(Collector_FinalizersThatRaise_AreWarnings),
        wire_test(Collector_FinalizerAtTheVmsEnd_Warning),
        wire_test(Fields_WhoseMetamethodsRaise_RaiseInTheHandler),
        wire_test(Xpcall_CoroutineClosedInside_HandlerForgotten),
        wire_test(Development_PageHasTheTableError),
    };
    return cmocka_run_group_tests_name("session/faults", tests, NULL, NULL);
}

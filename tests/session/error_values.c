/* Errors that are values: what happens outside of a script is raised with a kind, through each
 * door, and is taken for the text that it has. */
#include "support/other.h"

/* Notes the kind of the error that the code raises, the fields that it has, and its text. */
#define RAISES(code) \
    "do local ok, e = pcall(function() " code " end)\n" \
    "note(e.kind, e.reason or e.code or e.limit, tostring(e)) end\n"

/* The text of an error: what Lua makes of it is made of that. */
#define AS_TEXT \
    "local text = tostring(e)\n" \
    "assert(e .. '' == text and '' .. e == text and e .. e == text .. text and e .. 1 == text .. " \
    "1)\n" \
    "assert(#e == #text and e:sub(1, 4) == text:sub(1, 4) and e:upper() == text:upper())\n" \
    "assert(e:find('aborted', 1, true) == text:find('aborted', 1, true) and e:len() == #text)\n" \
    "assert(e:match('%a+') == text:match('%a+') and e:gsub('.', '') == '')\n" \
    "assert(('%s'):format(e) == text and e.nothing == nil and e[1] == nil)\n"

static struct wire *get(const char *handler)
{
    struct wire *w = other_open(handler);
    wire_get(w, "/");
    return w;
}

static void Abort_OfTheRequest_HasKindAndReason(void **state)
{
    (void)state;
    static const struct {
        struct cut cut;
        const char *notes;
    } cases[] = {
        {{CUT_LOST, 0}, "abort connection lost request aborted: connection lost\n"},
        {{CUT_SHUTDOWN, 0}, "abort shutdown request aborted: shutdown\n"},
        {{CUT_TIMEOUT, 0}, "abort timeout request aborted: timeout\n"},
        {{CUT_CLOSED, 0}, "abort connection closed request aborted: connection closed\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wire *w = get(RAISES("mt.sleep(60)"));
        wire_settle(w);
        wire_drop(w, cases[i].cut);
        wire_expect_notes(w, cases[i].notes);
        wire_close(w);
    }
}

static void Abort_ByAReset_HasTheCodeAsItsReason(void **state)
{
    (void)state;
    static const struct {
        uint32_t code;
        const char *notes;
    } cases[] = {
        {ERROR_CANCEL, "abort CANCEL request aborted: CANCEL\n"},
        {0x63, "abort 0x63 request aborted: 0x63\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wire *w = get(RAISES("mt.sleep(60)"));
        wire_settle(w);
        wire_reset(w, 1, cases[i].code);
        wire_expect_notes(w, cases[i].notes);
        wire_close(w);
    }
}

static void Abort_ByTheHandler_ReasonIsReset(void **state)
{
    (void)state;
    struct wire *w = get("ctx:reset()\n" RAISES("ctx:write('x')") RAISES("mt.sleep(0)"));
    wire_expect_notes(
        w, "abort reset request aborted: reset\nabort reset request aborted: reset\n");
}

static void Abort_AsText_IsTheTextOfBefore(void **state)
{
    (void)state;
    struct wire *w =
        get("ctx:reset() local ok, e = pcall(mt.sleep, 0)\n" AS_TEXT
            "function string.third(s) return s:sub(3, 3) end note(e:third())\n"
            "string.third = nil note(e.third, select(2, pcall(function() return e .. {} end)))");
    wire_expect_notes(w, "q\nnil attempt to concatenate a table value\n");
}

/* What a script makes of an error's fields is its own affair. */
static void Abort_ChangedByAScript_StillHasAText(void **state)
{
    (void)state;
    struct wire *w = get("ctx:reset() local ok, e = pcall(mt.sleep, 0) e.message = nil\n"
                         "note(e) e.message = 7 e.where = {} note(e) e.where = 'here' note(e)");
    wire_expect_notes(w, "an error without a message\n7\nhere: 7\n");
}

static void Abort_ThroughCoroutinesAndHandlers_IsTheSameValue(void **state)
{
    (void)state;
    struct wire *w =
        get("ctx:reset() local seen = {}\n"
            "local function see(e) seen[#seen + 1] = e return e end\n"
            "local ok, e = xpcall(function()\n"
            "    local _ <close> = setmetatable({}, {__close = function(_, e) see(e) end})\n"
            "    coroutine.wrap(function()\n"
            "        local ok, e = pcall(mt.sleep, 0) see(e) error(e) end)()\n"
            "end, see)\n"
            "for _, other in ipairs(seen) do assert(rawequal(e, other)) end\n"
            "local co = coroutine.create(function() error(e, 2) end)\n"
            "note(#seen, e.kind, rawequal(e, select(2, coroutine.resume(co))))");
    wire_expect_notes(w, "3 abort true\n");
}

static void Abort_NotCaught_LoggedAsBefore(void **state)
{
    (void)state;
    struct wire *w = get("ctx:reset() ctx:write('x')");
    wire_settle(w);
    wire_expect_log(
        w, "debug handler stopped conn=7 stream=1 error=\"request aborted: reset\" method=");
}

/* Only what the runtime has raised is an abort. */
static void Abort_AsAScriptPretends_IsAnErrorOfTheHandler(void **state)
{
    (void)state;
    struct wire *w = get("ctx:reset() pcall(mt.sleep, 0)\n"
                         "error({kind = 'abort', message = 'request aborted: reset'})");
    wire_settle(w);
    wire_expect_log(w, "error handler failed conn=7 stream=1 error=\"request aborted: reset\" ");
}

static void Deadline_Passed_IsATimeout(void **state)
{
    (void)state;
    struct wire *w =
        get("ctx:deadline(0)\n" RAISES("mt.sleep(1)") "note(select(2, pcall(mt.sleep, 1)))");
    wire_expect_notes(
        w, "timeout nil handler.lua:2: timeout: deadline exceeded\ntimeout: deadline exceeded\n");
}

static void Task_Cancelled_IsAnAbort(void **state)
{
    (void)state;
    struct wire *w =
        get("local t = mt.spawn(function() mt.sleep(60) end) mt.sleep(0) t:cancel()\n" RAISES(
            "t:join()") "local kept\n"
                        "pcall(mt.all, function() local _, e = pcall(mt.sleep, 60) kept = e end, "
                        "error)\n"
                        "mt.sleep(0) note(kept.kind, kept.reason, kept)");
    wire_wait(w);
    wire_expect_notes(w, "abort cancelled handler.lua:1: task cancelled: cancelled\n");
    wire_wait(w);
    wire_expect_notes(w, "abort cancelled task cancelled: another task of mt.all failed\n");
}

static void Task_Fails_JoinRaisesTheSameValue(void **state)
{
    (void)state;
    struct wire *w = get("ctx:deadline(0) local _, e = pcall(mt.sleep, 0) ctx:deadline(nil)\n"
                         "local t = mt.spawn(error, e) local _, joined = pcall(t.join, t)\n"
                         "note(rawequal(e, joined), joined.kind)");
    wire_expect_notes(w, "true timeout\n");
}

static void Body_OverItsLimit_IsALimit(void **state)
{
    (void)state;
    struct wire *w = other_open(RAISES("ctx:body(2)"));
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_send(w, stream, "abc", 3);
    wire_expect_notes(
        w, "limit body-limit handler.lua:1: the request's body is larger than 2 bytes\n");
}

static void Form_OfAnotherType_IsAFaultOfTheProtocol(void **state)
{
    (void)state;
    struct wire *w = get(RAISES("ctx:form()"));
    wire_expect_notes(w, "protocol nil handler.lua:1: the request's content-type is not "
                         "application/x-www-form-urlencoded\n");
}

static void Arguments_TooMany_AreALimit(void **state)
{
    (void)state;
    struct wire *w = other_open(RAISES("ctx:args()"));
    struct text path = {0};
    text_print(&path, "/?");
    for (int i = 0; i < 1001; i++)
        text_print(&path, "a&");
    wire_get(w, text_of(&path));
    text_clear(&path);
    wire_expect_notes(w, "limit arguments handler.lua:1: more than 1000 arguments\n");
}

static void Inflated_OverTheLimit_IsALimit(void **state)
{
    (void)state;
    struct wire *w = get("local z = require 'moontrail.zlib'\n" RAISES(
        "z.decompress(z.compress('abcdef'), {limit = 5})"));
    wire_expect_notes(w, "limit inflated handler.lua:2: zlib: more than 5 bytes\n");
}

static void Call_Fails_HasAKind(void **state)
{
    (void)state;
    static const struct {
        enum call_end how;
        const char *why, *notes;
    } cases[] = {
        {CALL_UNREACHABLE, "x", "unreachable nil handler.lua:1: GET http://h/: no connection: x\n"},
        {CALL_CONNECT_TIMED_OUT, "x",
            "timeout nil handler.lua:1: GET http://h/: no connection: x\n"},
        {CALL_REFUSED, "x", "refused nil handler.lua:1: GET http://h/: refused: x\n"},
        {CALL_RESET, "x", "reset NO_ERROR handler.lua:1: GET http://h/: reset: NO_ERROR\n"},
        {CALL_LOST, "x", "lost nil handler.lua:1: GET http://h/: connection lost: x\n"},
        {CALL_PROTOCOL, "x", "protocol nil handler.lua:1: GET http://h/: connection lost: x\n"},
        {CALL_TIMED_OUT, "x", "timeout nil handler.lua:1: GET http://h/: timed out: x\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wire *w = get(RAISES("mt.http.get('http://h/')"));
        other_done(w, 0, cases[i].how, cases[i].why);
        wire_expect_notes(w, cases[i].notes);
        wire_close(w);
    }
}

static void Call_InVain_MessageHasNoPlace(void **state)
{
    (void)state;
    struct wire *w = get("local _, e = pcall(function() mt.http.get('http://h/') end)\n"
                         "note(e.message) note(e.where) note(e)\n" AS_TEXT);
    other_done(w, 0, CALL_LOST, "cut");
    wire_expect_notes(w, "GET http://h/: connection lost: cut\nhandler.lua:1\n"
                         "handler.lua:1: GET http://h/: connection lost: cut\n");
}

static void Call_RefusedAtOnce_IsALimit(void **state)
{
    (void)state;
    struct wire *w = other_open(RAISES("mt.http.get('http://h/')"));
    other_refuse("too many");
    wire_get(w, "/");
    wire_expect_notes(
        w, "limit upstream-max-waiting handler.lua:1: GET http://h/: refused: too many\n");
}

static void Call_OverItsTimeout_IsATimeout(void **state)
{
    (void)state;
    struct wire *w = get(RAISES("mt.http.get('http://h/', {timeout = 0.01})"));
    wire_wait(w);
    wire_expect_notes(w, "timeout nil handler.lua:1: GET http://h/: timed out after 0.01 s\n");
}

static void Call_BodyFails_IsAnUploadWithItsCause(void **state)
{
    (void)state;
    struct wire *w = get("local cause = {code = 5, message = 'no more'}\n"
                         "local function body() error(cause) end\n"
                         "local _, e = pcall(mt.http.post, 'http://h/', body)\n"
                         "note(e.kind, rawequal(e.cause, cause), e, e.message)\n"
                         "_, e = pcall(mt.http.post, 'http://h/', function() error('oops') end)\n"
                         "note(e.kind, e.cause, e)");
    wire_expect_notes(w, "upload true no more (code 5) no more (code 5)\n"
                         "upload handler.lua:5: oops handler.lua:5: oops\n");
}

static void Call_BodyOverItsLimit_IsALimit(void **state)
{
    (void)state;
    struct wire *w = get(RAISES("mt.http.get('http://h/'):body(2)"));
    other_head(w, 0, 200, "");
    other_body(w, 0, "abc", 3);
    wire_expect_notes(w,
        "limit body-limit handler.lua:1: GET http://h/: the response's body is larger "
        "than 2 bytes\n");
}

/* What a script does wrong is told in a string, with the place. */
static void Misuse_OfEachDoor_IsAString(void **state)
{
    (void)state;
    struct wire *w = get("for _, f in ipairs {function() ctx:status(1) end,\n"
                         "    function() mt.http.get('x://') end, function() mt.sleep(-1) end,\n"
                         "    function() ctx:reset('NONE') end, function() mt.spawn(1) end} do\n"
                         "    local _, e = pcall(f) note(type(e), e:find('handler.lua:1: ', 1, "
                         "true) ~= nil or e:find('handler.lua:[23]: ') ~= nil)\n"
                         "end");
    wire_expect_notes(w, "string true\nstring true\nstring true\nstring true\nstring true\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Abort_OfTheRequest_HasKindAndReason),
        wire_test(Abort_ByAReset_HasTheCodeAsItsReason),
        wire_test(Abort_ByTheHandler_ReasonIsReset),
        wire_test(Abort_AsText_IsTheTextOfBefore),
        wire_test(Abort_ChangedByAScript_StillHasAText),
        wire_test(Abort_ThroughCoroutinesAndHandlers_IsTheSameValue),
        wire_test(Abort_NotCaught_LoggedAsBefore),
        wire_test(Abort_AsAScriptPretends_IsAnErrorOfTheHandler),
        wire_test(Deadline_Passed_IsATimeout),
        wire_test(Task_Cancelled_IsAnAbort),
        wire_test(Task_Fails_JoinRaisesTheSameValue),
        wire_test(Body_OverItsLimit_IsALimit),
        wire_test(Form_OfAnotherType_IsAFaultOfTheProtocol),
        wire_test(Arguments_TooMany_AreALimit),
        wire_test(Inflated_OverTheLimit_IsALimit),
        wire_test(Call_Fails_HasAKind),
        wire_test(Call_InVain_MessageHasNoPlace),
        wire_test(Call_RefusedAtOnce_IsALimit),
        wire_test(Call_OverItsTimeout_IsATimeout),
        wire_test(Call_BodyFails_IsAnUploadWithItsCause),
        wire_test(Call_BodyOverItsLimit_IsALimit),
        wire_test(Misuse_OfEachDoor_IsAString),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

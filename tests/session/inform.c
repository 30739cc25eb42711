/* ctx:inform: interim responses ahead of the final one. */
#include "support/wire.h"

#define EARLY_HINTS(stream) "HEADERS stream=" stream " :status=103\n"

static void Inform_ThenResponse_InOrder(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:inform(103) ctx:write('x')");
    wire_get(w, "/");
    wire_expect(w, EARLY_HINTS("1") "HEADERS stream=1 :status=200 date=now content-length=1\n"
                                    "DATA stream=1 END_STREAM len=1 'x'\n");
}

static void Inform_Several_EachAFrameInOrder(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:inform(100) ctx:inform(102) ctx:inform(103)\n"
                                  "ctx:inform(103) ctx:inform(199)");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=100\n"
                   "HEADERS stream=1 :status=102\n" EARLY_HINTS("1")
                       EARLY_HINTS("1") "HEADERS stream=1 :status=199\n" EMPTY_RESPONSE("1"));
}

static void Inform_Fields_LoweredTrimmedAndNotInTheResponse(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:header('x-final', 'yes')\n"
                                  "ctx:inform(103, {Link = ' </a.css>; rel=preload '})\n"
                                  "ctx:inform(102, {['x-number'] = 12}) ctx:inform(103, {})\n"
                                  "ctx:inform(103, nil)");
    wire_get(w, "/");
    wire_expect(w,
        "HEADERS stream=1 :status=103 link='</a.css>; rel=preload'\n"
        "HEADERS stream=1 :status=102 x-number=12\n" EARLY_HINTS("1") EARLY_HINTS(
            "1") "HEADERS stream=1 END_STREAM :status=200 x-final=yes date=now content-length=0\n");
}

static void Inform_HeadRequestAndTrailers_FinalResponseAsWithoutIt(void **state)
{
    (void)state;
    struct wire *w =
        wire_handler("ctx:inform(103) ctx:append_trailer('a', 'b') ctx:write('Hello')");
    wire_request(w, "HEAD", "/");
    wire_expect(w, EARLY_HINTS("1") "HEADERS stream=1 END_STREAM :status=200 date=now\n");
    wire_get(w, "/");
    wire_expect(w, EARLY_HINTS("3") "HEADERS stream=3 :status=200 date=now\n"
                                    "DATA stream=3 len=5 'Hello'\n"
                                    "HEADERS stream=3 END_STREAM a=b\n");
}

/* 100 tells the client to go on (RFC 9110 10.1.1). */
static void Inform_WhileBodyIsToCome_ThenRead(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:inform(100) note(ctx:body())");
    int32_t stream = wire_begin(w, "POST", "/", "expect: 100-continue");
    wire_expect(w, "HEADERS stream=1 :status=100\n");
    wire_expect_tasks(w, 1, 1);
    wire_send(w, stream, "body", 4);
    wire_end(w, stream);
    wire_expect_notes(w, "body\n");
    wire_expect(w, EMPTY_RESPONSE("1"));
}

static void Inform_ByteByByte_SameFrames(void **state)
{
    (void)state;
    struct wire *w = wire_open(&(struct wire_options){
        .handler = "ctx:inform(103, {a = 'b'}) ctx:inform(103)", .grain = 1});
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=103 a=b\n" EARLY_HINTS("1") EMPTY_RESPONSE("1"));
}

static void Inform_ClientTakesNothing_WaitsUntilHandedOver(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:inform(103) note('one') ctx:inform(102) note('two')");
    w->stuck = true;
    wire_get(w, "/");
    wire_expect_tasks(w, 1, 1);
    wire_expect_notes(w, "");
    w->stuck = false;
    wire_expect(w, EARLY_HINTS("1") "HEADERS stream=1 :status=102\n" EMPTY_RESPONSE("1"));
    wire_expect_notes(w, "one\ntwo\n");
}

static void Inform_ClientResetsMeanwhile_Raises(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(pcall(ctx.inform, ctx, 103)) note(ctx:aborted())");
    w->stuck = true;
    int32_t stream = wire_get(w, "/");
    wire_expect_tasks(w, 1, 1);
    wire_reset(w, stream, ERROR_CANCEL);
    wire_expect_notes(w, "false request aborted: CANCEL\nCANCEL\n");
    w->stuck = false;
    wire_expect(w, "");
}

static void Inform_ConnectionLostMeanwhile_Raises(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(pcall(ctx.inform, ctx, 103))");
    w->stuck = true;
    wire_get(w, "/");
    wire_expect_tasks(w, 1, 1);
    wire_drop(w, cut_of(CUT_LOST));
    wire_expect_notes(w, "false request aborted: connection lost\n");
}

#define TOO_LATE "false an interim response comes too late: the headers are sent\n"

static void Inform_AfterHeaders_Raises(void **state)
{
    (void)state;
    static const char *const starts[] = {"ctx:write('x')", "ctx:flush()", "ctx:finish()"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        struct text body = {0};
        text_print(&body, "%s note(pcall(ctx.inform, ctx, 103, {a = 'b'}))", starts[i]);
        struct wire *w = wire_handler(text_of(&body));
        text_clear(&body);
        wire_get(w, "/");
        wire_expect_notes(w, TOO_LATE);
        wire_close(w);
    }
}

#define NOT_INTERIM "false not an interim status, 100 to 199 but 101\n"

static void Status_NotInterim_RaisesAndResponseGoesOn(void **state)
{
    (void)state;
    struct wire *w = wire_handler("for _, status in ipairs {101, 99, 200, 0, -1, 103.5, 'x'} do\n"
                                  "    local ok, problem = pcall(ctx.inform, ctx, status)\n"
                                  "    note(ok, problem:match('%((.*)%)'))\n"
                                  "end");
    wire_get(w, "/");
    wire_expect(w, EMPTY_RESPONSE("1"));
    wire_expect_notes(w, NOT_INTERIM NOT_INTERIM NOT_INTERIM NOT_INTERIM NOT_INTERIM
        "false number has no integer representation\n"
        "false number expected, got string\n");
}

#define SPECIFIC "false is specific to the connection and set by the server\n"

#define NAME "false is not a valid field name\n"

#define CONTROL "false has a value with a control character (CR, LF, NUL or the like)\n"

static void Fields_MalformedOrForbidden_RaiseAndResponseGoesOn(void **state)
{
    (void)state;
    struct wire *w = wire_handler(
        "local function try(name, value)\n"
        "    local ok, problem = pcall(ctx.inform, ctx, 103, {[name] = value})\n"
        "    note(ok, (problem:gsub('^header \"[^\"]*\" ', '')))\n"
        "end\n"
        "for _, name in ipairs {'', ':status', 'a b', 'a\\n', 'ä', 'connection', 'Keep-Alive',\n"
        "    'upgrade', 'transfer-encoding', 'proxy-connection'} do try(name, 'x') end\n"
        "for _, value in ipairs {'a\\rb', 'a\\nb', 'a\\0b'} do try('name', value) end");
    wire_get(w, "/");
    wire_expect(w, EMPTY_RESPONSE("1"));
    wire_expect_notes(w, "false is empty\nfalse is a pseudo field\n" NAME NAME NAME SPECIFIC
                             SPECIFIC SPECIFIC SPECIFIC SPECIFIC CONTROL CONTROL CONTROL);
}

static void Fields_NoTableOfStrings_RaisesAndResponseGoesOn(void **state)
{
    (void)state;
    struct wire *w = wire_handler("local function try(fields)\n"
                                  "    local ok, problem = pcall(ctx.inform, ctx, 103, fields)\n"
                                  "    note(ok, problem:match('%((.*)%)') or problem)\n"
                                  "end\n"
                                  "try('x') try(1) try {'x'} try {a = {}} try {a = true}");
    wire_get(w, "/");
    wire_expect(w, EMPTY_RESPONSE("1"));
    wire_expect_notes(w, "false table expected, got string\n"
                         "false table expected, got number\n"
                         "false a header's name is a string, not a number\n"
                         "false header \"a\" has a table as its value, not a string\n"
                         "false header \"a\" has a boolean as its value, not a string\n");
}

/* What inform handed over is out: the reset takes nothing of it back. */
static void Reset_RightAfterInform_BothSeen(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:inform(103) ctx:reset('INTERNAL_ERROR')");
    wire_get(w, "/");
    wire_expect(w, EARLY_HINTS("1") "RST_STREAM stream=1 code=INTERNAL_ERROR\n");
}

static void Error_AfterInform_500AfterIt(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:header('x-a', '1') ctx:inform(103) error('oops')");
    wire_get(w, "/");
    wire_expect(w,
        EARLY_HINTS(
            "1") "HEADERS stream=1 :status=500 content-type='text/plain; charset=utf-8' date=now "
                 "content-length=22\n"
                 "DATA stream=1 END_STREAM len=22 'Internal Server Error\\n'\n");
    wire_expect_log(w, "error handler failed conn=7 stream=1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Inform_ThenResponse_InOrder),
        wire_test(Inform_Several_EachAFrameInOrder),
        wire_test(Inform_Fields_LoweredTrimmedAndNotInTheResponse),
        wire_test(Inform_HeadRequestAndTrailers_FinalResponseAsWithoutIt),
        wire_test(Inform_WhileBodyIsToCome_ThenRead),
        wire_test(Inform_ByteByByte_SameFrames),
        wire_test(Inform_ClientTakesNothing_WaitsUntilHandedOver),
        wire_test(Inform_ClientResetsMeanwhile_Raises),
        wire_test(Inform_ConnectionLostMeanwhile_Raises),
        wire_test(Inform_AfterHeaders_Raises),
        wire_test(Status_NotInterim_RaisesAndResponseGoesOn),
        wire_test(Fields_MalformedOrForbidden_RaiseAndResponseGoesOn),
        wire_test(Fields_NoTableOfStrings_RaisesAndResponseGoesOn),
        wire_test(Reset_RightAfterInform_BothSeen),
        wire_test(Error_AfterInform_500AfterIt),
    };
    return cmocka_run_group_tests_name("session/inform", tests, NULL, NULL);
}

/* ctx:reset: what the client sees, and what becomes of the request. */
#include "support/wire.h"

#include <stdio.h>

static void Reset_BeforeHeaders_OnlyRstStream(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:reset('INTERNAL_ERROR')");
    wire_get(w, "/");
    wire_expect(w, "RST_STREAM stream=1 code=INTERNAL_ERROR\n");
}

static void Reset_NoCode_Cancel(void **state)
{
    (void)state;
    struct wire *w = wire_handler("if ctx.query then ctx:reset(nil) else ctx:reset() end");
    wire_get(w, "/");
    wire_get(w, "/?nil");
    wire_expect(w, "RST_STREAM stream=1 code=CANCEL\n"
                   "RST_STREAM stream=3 code=CANCEL\n");
}

/* Asks for each code of RFC 9113 section 7 in its turn; the handler makes of the query what it
 * gives to ctx:reset. */
static void expect_each_code(struct wire *w, bool by_name)
{
    struct text expected = {0};
    char path[40], name[CODE_NAME_SIZE];
    for (uint32_t code = 0; code <= ERROR_HTTP_1_1_REQUIRED; code++) {
        snprintf(path, sizeof path, by_name ? "/?%s" : "/?%.0s%u", code_name(code, name), code);
        int32_t stream = wire_get(w, path);
        text_print(&expected, "RST_STREAM stream=%d code=%s\n", stream, code_name(code, name));
    }
    wire_expect(w, text_of(&expected));
    text_clear(&expected);
}

static void Reset_EachCodeByNumber_Sent(void **state)
{
    (void)state;
    expect_each_code(wire_handler("ctx:reset(math.tointeger(ctx.query))"), false);
}

static void Reset_EachCodeByName_Sent(void **state)
{
    (void)state;
    expect_each_code(wire_handler("ctx:reset(ctx.query)"), true);
}

static void Reset_NumberWithoutName_Sent(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:reset(ctx.query and 0xffffffff or 14.0)");
    wire_get(w, "/");
    wire_get(w, "/?max");
    wire_expect(w, "RST_STREAM stream=1 code=0xe\n"
                   "RST_STREAM stream=3 code=0xffffffff\n");
}

static void Reset_InvalidCode_RaisesAndResponseGoesOn(void **state)
{
    (void)state;
    struct wire *w = wire_handler(
        "for _, code in ipairs {-1, 1 << 32, 1.5, 'NOPE', 'cancel', '8', '', {}, true} do\n"
        "    local ok, problem = pcall(ctx.reset, ctx, code)\n"
        "    note(ok, problem:match('%((.*)%)'))\n"
        "end\n"
        "ctx:write(tostring(ctx:aborted()))");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now content-length=5\n"
                   "DATA stream=1 END_STREAM len=5 'false'\n");
    wire_expect_notes(w, "false not within 0..2^32-1\n"
                         "false not within 0..2^32-1\n"
                         "false number has no integer representation\n"
                         "false no error code has this name\n"
                         "false no error code has this name\n"
                         "false no error code has this name\n"
                         "false no error code has this name\n"
                         "false number expected, got table\n"
                         "false number expected, got boolean\n");
}

static void Reset_WrittenInTheSameTurn_Discarded(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:declare_trailer('a') ctx:write('Hello world')\n"
                                  "ctx:append_trailer('a', 'b') ctx:reset(2)");
    wire_get(w, "/");
    wire_expect(w, "RST_STREAM stream=1 code=INTERNAL_ERROR\n");
}

static void Reset_AfterFlush_OnlyWhatWasFlushedIsSent(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:write('kept') ctx:flush() ctx:write('lost')\n"
                                  "ctx:append_trailer('a', 'b') ctx:reset('ENHANCE_YOUR_CALM')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=4 'kept'\n"
                   "RST_STREAM stream=1 code=ENHANCE_YOUR_CALM\n");
}

static void Reset_DataWaitsForCredit_Discarded(void **state)
{
    (void)state;
    struct wire *w = wire_open(&(struct wire_options){
        .handler = "ctx:write('Hello world') mt.sleep(0.001) ctx:reset(7)", .window = 5});
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=5 'Hello'\n");
    wire_wait(w);
    wire_expect(w, "RST_STREAM stream=1 code=REFUSED_STREAM\n");
}

static void Reset_AfterFinish_FollowsEndStream(void **state)
{
    (void)state;
    struct wire *w =
        wire_handler("if ctx.query == 'body' then ctx:write('x') end\n"
                     "if ctx.query == 'trailer' then ctx:append_trailer('a', 'b') end\n"
                     "ctx:finish() ctx:reset('INTERNAL_ERROR')");
    wire_get(w, "/?nothing");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=200 date=now content-length=0\n"
                   "RST_STREAM stream=1 code=INTERNAL_ERROR\n");
    wire_get(w, "/?body");
    wire_expect(w, "HEADERS stream=3 :status=200 date=now content-length=1\n"
                   "DATA stream=3 END_STREAM len=1 'x'\n"
                   "RST_STREAM stream=3 code=INTERNAL_ERROR\n");
    wire_get(w, "/?trailer");
    wire_expect(w, "HEADERS stream=5 :status=200 date=now\n"
                   "HEADERS stream=5 END_STREAM a=b\n"
                   "RST_STREAM stream=5 code=INTERNAL_ERROR\n");
}

static void Reset_AfterFinishWhileClientSends_FollowsEndStream(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:finish('x') ctx:reset(8)");
    wire_begin(w, "POST", "/", "");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now content-length=1\n"
                   "DATA stream=1 END_STREAM len=1 'x'\n"
                   "RST_STREAM stream=1 code=CANCEL\n");
}

static void Reset_SecondCall_ChangesNothing(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:on_abort(function(reason) note(reason) end)\n"
                                  "ctx:reset(2) ctx:reset(3) ctx:reset('REFUSED_STREAM')\n"
                                  "note(ctx:aborted())");
    wire_get(w, "/");
    wire_expect(w, "RST_STREAM stream=1 code=INTERNAL_ERROR\n");
    wire_expect_notes(w, "reset\nreset\n");
}

static void Reset_OnAbortFunctions_RunInOrderBeforeItReturns(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:on_abort(function(r) note('first', r, ctx:aborted()) end)\n"
                                  "ctx:on_abort(function(r) note('second', r) end)\n"
                                  "ctx:reset() note('returned')\n"
                                  "ctx:on_abort(function(r) note('late', r) end) note('end')");
    wire_get(w, "/");
    wire_expect(w, "RST_STREAM stream=1 code=CANCEL\n");
    wire_expect_notes(w, "first reset reset\nsecond reset\nreturned\nlate reset\nend\n");
}

static void Reset_OtherFunctionsAfterwards_RaiseTheAbortError(void **state)
{
    (void)state;
    struct wire *w = wire_handler(
        "local method = ctx.method\n"
        "ctx:reset()\n"
        "for _, name in ipairs {'protocol', 'supports_trailers', 'declare_trailer', 'read', "
        "'body',\n"
        "    'append_trailer', 'status', 'header', 'add_header', 'write', 'flush', 'finish',\n"
        "    'text', 'html', 'json'} do\n"
        "    local ok, problem = pcall(ctx[name], ctx, 'a', 'b')\n"
        "    if ok or problem.kind ~= 'abort' then note(name, ok, problem) end\n"
        "end\n"
        "note(pcall(mt.sleep, 0))\n"
        "note(ctx:aborted(), ctx.method, pcall(function() return ctx.path end))");
    wire_get(w, "/");
    wire_expect(w, "RST_STREAM stream=1 code=CANCEL\n");
    wire_expect_notes(w, "false request aborted: reset\n"
                         "reset GET false request aborted: reset\n");
}

static void Reset_WhatHandlerDoesNext_NotAnswered(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:reset(8) ctx:write('x')");
    wire_get(w, "/");
    wire_expect(w, "RST_STREAM stream=1 code=CANCEL\n");
    wire_expect_log(w, "debug handler stopped conn=7 stream=1 error=\"request aborted: reset\"");
}

static void Reset_ErrorAfterwards_LoggedAlone(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:reset(8) error('oops')");
    wire_get(w, "/");
    wire_expect(w, "RST_STREAM stream=1 code=CANCEL\n");
    wire_expect_log(w, "error handler failed conn=7 stream=1");
}

static void Reset_ClientStillSends_RestIgnored(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(ctx:read()) ctx:reset('REFUSED_STREAM')");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_send(w, stream, "one", 3);
    wire_turn(w);
    wire_frame(w, NGHTTP2_DATA, 0, stream, "two", 3);
    wire_frame(w, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, stream, "three", 5);
    wire_get(w, "/");
    wire_expect(w, "RST_STREAM stream=1 code=REFUSED_STREAM\n"
                   "RST_STREAM stream=3 code=REFUSED_STREAM\n");
    wire_expect_notes(w, "one\nnil\n");
}

static void Reset_NeighbourStreams_GoOn(void **state)
{
    (void)state;
    struct wire *w = wire_handler("if ctx.path == '/reset' then ctx:reset() end ctx:write('x')");
    wire_get(w, "/");
    wire_get(w, "/reset");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now content-length=1\n"
                   "RST_STREAM stream=3 code=CANCEL\n"
                   "HEADERS stream=5 :status=200 date=now content-length=1\n"
                   "DATA stream=1 END_STREAM len=1 'x'\n"
                   "DATA stream=5 END_STREAM len=1 'x'\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Reset_BeforeHeaders_OnlyRstStream),
        wire_test(Reset_NoCode_Cancel),
        wire_test(Reset_EachCodeByNumber_Sent),
        wire_test(Reset_EachCodeByName_Sent),
        wire_test(Reset_NumberWithoutName_Sent),
        wire_test(Reset_InvalidCode_RaisesAndResponseGoesOn),
        wire_test(Reset_WrittenInTheSameTurn_Discarded),
        wire_test(Reset_AfterFlush_OnlyWhatWasFlushedIsSent),
        wire_test(Reset_DataWaitsForCredit_Discarded),
        wire_test(Reset_AfterFinish_FollowsEndStream),
        wire_test(Reset_AfterFinishWhileClientSends_FollowsEndStream),
        wire_test(Reset_SecondCall_ChangesNothing),
        wire_test(Reset_OnAbortFunctions_RunInOrderBeforeItReturns),
        wire_test(Reset_OtherFunctionsAfterwards_RaiseTheAbortError),
        wire_test(Reset_WhatHandlerDoesNext_NotAnswered),
        wire_test(Reset_ErrorAfterwards_LoggedAlone),
        wire_test(Reset_ClientStillSends_RestIgnored),
        wire_test(Reset_NeighbourStreams_GoOn),
    };
    return cmocka_run_group_tests_name("session/reset", tests, NULL, NULL);
}

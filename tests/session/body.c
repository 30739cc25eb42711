/* The request's body: how it is read, and what reading does to the windows. */
#include "support/wire.h"

#include <stdlib.h>
#include <string.h>

static void Read_PiecesAsTheyArrive_ThenNil(void **state)
{
    (void)state;
    struct wire *w = wire_handler("repeat local piece = ctx:read() note(piece) until not piece\n"
                                  "note(ctx:read())");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect_tasks(w, 1, 1);
    wire_send(w, stream, "one", 3);
    wire_expect_notes(w, "one\n");
    wire_send(w, stream, "two", 3);
    wire_expect_notes(w, "two\n");
    wire_expect(w, "");
    wire_end(w, stream);
    wire_expect_notes(w, "nil\nnil\n");
    wire_expect(w, EMPTY_RESPONSE("1"));
}

static void Read_NoBody_NilAtOnce(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(ctx:read(), ctx:body(), ctx:read())");
    wire_get(w, "/");
    wire_expect(w, EMPTY_RESPONSE("1"));
    wire_expect_notes(w, "nil  nil\n");
}

static void Read_WithMaximum_NoLongerPieces(void **state)
{
    (void)state;
    struct wire *w = wire_handler("repeat local piece = ctx:read(4) note(piece) until not piece");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_send(w, stream, "abcdefghij", 10);
    wire_end(w, stream);
    wire_expect_notes(w, "abcd\nefgh\nij\nnil\n");
}

static void Read_BadMaximum_Raises(void **state)
{
    (void)state;
    struct wire *w = wire_handler("for _, max in ipairs {0, -1, 1.5, 'x', {}} do\n"
                                  "    local ok, problem = pcall(ctx.read, ctx, max)\n"
                                  "    note(ok, problem:match('%((.*)%)'))\n"
                                  "end\n"
                                  "note(ctx:read())");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_send(w, stream, "body", 4);
    wire_end(w, stream);
    wire_expect_notes(w, "false not above 0\n"
                         "false not above 0\n"
                         "false number has no integer representation\n"
                         "false number expected, got string\n"
                         "false number expected, got table\n"
                         "body\n");
}

static void Read_AnyBytes_AsSent(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:write(ctx:body())");
    char all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_send(w, stream, all, sizeof all);
    wire_end(w, stream);
    wire_expect(w, "HEADERS stream=1 :status=200 date=now content-length=256\n"
                   "DATA stream=1 END_STREAM len=256\n");
    assert_memory_equal(frames_body(&w->frames, stream)->p, all, sizeof all);
}

static void Read_RequestTrailers_EndTheBody(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(ctx:body(), ctx.headers.sum)");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_send(w, stream, "one", 3);
    wire_expect_tasks(w, 1, 1);
    wire_end_with_trailers(w, stream, "sum: 12");
    wire_expect_notes(w, "one nil\n");
    wire_expect(w, EMPTY_RESPONSE("1"));
}

static void Read_ByteByByte_WholeBody(void **state)
{
    (void)state;
    struct wire *w = wire_open(&(struct wire_options){
        .handler = "local n = 0 for piece in ctx.read do n = n + 1 ctx:write(piece) end note(n)",
        .grain = 1});
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_send(w, stream, "Hello world", 11);
    wire_settle(w);
    wire_end(w, stream);
    wire_expect_notes(w, "11\n");
    assert_string_equal(text_of(frames_body(&w->frames, stream)), "Hello world");
}

static void Read_AfterFinish_StillWorks(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:finish('x') note(ctx:body())");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now content-length=1\n"
                   "DATA stream=1 END_STREAM len=1 'x'\n");
    wire_send(w, stream, "late", 4);
    wire_end(w, stream);
    wire_expect_notes(w, "late\n");
    wire_expect(w, "");
    wire_expect_tasks(w, 0, 0);
}

static void Echo_BothDirections_Flow(void **state)
{
    (void)state;
    struct wire *w = wire_handler("for piece in ctx.read do ctx:write(piece) ctx:flush() end\n"
                                  "ctx:append_trailer('end', 'yes')");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_send(w, stream, "one", 3);
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=3 'one'\n");
    wire_send(w, stream, "two", 3);
    wire_expect(w, "DATA stream=1 len=3 'two'\n");
    wire_end(w, stream);
    wire_expect(w, "HEADERS stream=1 END_STREAM end=yes\n");
}

/* Sends n bytes and the end; the frames are for the caller. */
static void post(struct wire *w, const char *path, size_t n)
{
    char *bytes = malloc(n + 1);
    memset(bytes, 'x', n);
    int32_t stream = wire_begin(w, "POST", path, "");
    wire_send(w, stream, bytes, n);
    wire_end(w, stream);
    free(bytes);
    wire_settle(w);
}

static void Body_AtLimit_Whole(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(#ctx:body(tonumber(ctx.query)), #ctx:body())");
    post(w, "/", 1 << 20);
    post(w, "/?10", 10);
    post(w, "/?0", 0);
    wire_expect_notes(w, "1048576 0\n10 0\n0 0\n");
}

#define TOO_LARGE(stream) \
    "HEADERS stream=" stream " :status=413 content-type='text/plain; charset=utf-8' date=now " \
    "content-length=18\n" \
    "DATA stream=" stream " END_STREAM len=18 'Content Too Large\\n'\n"

static void Body_OverLimit_413(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:header('x-a', '1') ctx:append_trailer('a', 'b')\n"
                                  "ctx:body(10) note('not reached')");
    post(w, "/", 11);
    wire_expect(w, TOO_LARGE("1"));
    wire_expect_notes(w, "");
    wire_expect_log(w, "debug handler stopped conn=7 stream=1");
}

static void Body_OverDefaultLimit_413(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:body()");
    post(w, "/", (1 << 20) + 1);
    assert_non_null(strstr(w->frames.lines.p, TOO_LARGE("1")));
}

static void Body_OverLimitWhileClientSends_413ThenReset(void **state)
{
    (void)state;
    struct wire *w = wire_handler("local ok, problem = pcall(ctx.body, ctx, 10)\n"
                                  "note(ok, problem) note(ctx:aborted()) error(problem)");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_send(w, stream, "12345", 5);
    wire_expect_tasks(w, 1, 1);
    wire_send(w, stream, "678901", 6);
    wire_expect(w, TOO_LARGE("1") "RST_STREAM stream=1 code=NO_ERROR\n");
    wire_expect_notes(w, "false the request's body is larger than 10 bytes\n"
                         "false\n");
}

static void Body_OverLimitAfterHeaders_Reset(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:flush() ctx:body(10)");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_send(w, stream, "12345678901", 11);
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "RST_STREAM stream=1 code=CANCEL\n");
}

static void EarlyEnd_ClientStillSends_EndStreamThenNoError(void **state)
{
    (void)state;
    struct wire *w = wire_handler("if ctx.query then ctx:append_trailer('a', 'b') end\n"
                                  "ctx:write('enough')");
    wire_begin(w, "POST", "/", "");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now content-length=6\n"
                   "DATA stream=1 END_STREAM len=6 'enough'\n"
                   "RST_STREAM stream=1 code=NO_ERROR\n");
    wire_begin(w, "POST", "/?trailers", "");
    wire_expect(w, "HEADERS stream=3 :status=200 date=now\n"
                   "DATA stream=3 len=6 'enough'\n"
                   "HEADERS stream=3 END_STREAM a=b\n"
                   "RST_STREAM stream=3 code=NO_ERROR\n");
}

static void EarlyEnd_HeadersAlone_EndStreamThenNoError(void **state)
{
    (void)state;
    struct wire *w = wire_handler("");
    wire_begin(w, "POST", "/", "");
    wire_expect(w, EMPTY_RESPONSE("1") "RST_STREAM stream=1 code=NO_ERROR\n");
}

/* The reset must not overtake the body, which goes out only when the client gives credit. */
static void EarlyEnd_ResponseWaitsForCredit_ResetComesLast(void **state)
{
    (void)state;
    struct wire *w =
        wire_open(&(struct wire_options){.handler = "ctx:write('enough')", .window = 3});
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now content-length=6\n"
                   "DATA stream=1 len=3 'eno'\n");
    wire_credit(w, stream, 3);
    wire_expect(w, "DATA stream=1 END_STREAM len=3 'ugh'\n"
                   "RST_STREAM stream=1 code=NO_ERROR\n");
}

static void EarlyEnd_RequestEndsMeanwhile_NoReset(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:finish('x') mt.sleep(0)");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now content-length=1\n"
                   "DATA stream=1 END_STREAM len=1 'x'\n");
    wire_end(w, stream);
    wire_wait(w);
    wire_expect(w, "");
    assert_int_equal(live.exchanges, 0);
}

/* Credit for the connection comes back on receipt, credit for the stream when it is read. */
static void Windows_UnreadBody_NeighbourGoesOn(void **state)
{
    (void)state;
    struct wire_limits limits = wire_limits();
    limits.http.stream_window = 40000;
    limits.h2.conn_window = 131070;
    struct wire *w = wire_open(&(struct wire_options){
        .handler = "if ctx.path == '/slow' then mt.sleep(0.001) end note(ctx.path, #ctx:body())",
        .limits = &limits});
    char bytes[60000];
    memset(bytes, 'x', sizeof bytes);
    int32_t slow = wire_begin(w, "POST", "/slow", "");
    wire_send(w, slow, bytes, sizeof bytes);
    int32_t fast = wire_begin(w, "POST", "/fast", "");
    wire_send(w, fast, bytes, 30000);
    wire_end(w, fast);
    wire_expect_notes(w, "/fast 30000\n");
    wire_expect(w, "WINDOW_UPDATE stream=0 increment=70000\n"
                   "WINDOW_UPDATE stream=3 increment=30000\n"
                   "HEADERS stream=3 END_STREAM :status=200 date=now content-length=0\n");
    wire_wait(w);
    assert_non_null(strstr(text_of(&w->frames.lines), "WINDOW_UPDATE stream=1 "));
    wire_end(w, slow);
    wire_expect_notes(w, "/slow 60000\n");
}

/* All that the streams' windows let come is more than the connection's window. */
static void Windows_ManyUnreadBodies_NeighbourGoesOn(void **state)
{
    (void)state;
    enum { UNREAD = 7 };
    struct wire_limits limits = wire_limits();
    limits.http.stream_window = 40000;
    limits.h2.conn_window = 70000;
    struct wire *w = wire_open(&(struct wire_options){
        .handler = "if ctx.path == '/slow' then mt.sleep(60) end note(ctx.path, #ctx:body())",
        .limits = &limits});
    char bytes[40000];
    memset(bytes, 'x', sizeof bytes);
    for (int i = 0; i < UNREAD; i++)
        wire_send(w, wire_begin(w, "POST", "/slow", ""), bytes, sizeof bytes);
    wire_settle(w);
    int32_t fast = wire_begin(w, "POST", "/fast", "");
    wire_send(w, fast, bytes, sizeof bytes);
    wire_end(w, fast);
    wire_expect_notes(w, "/fast 40000\n");
}

/* More bytes than the window has: credit for those that have come lets the rest come. */
static void Windows_ReadExactlyMoreThanTheWindow_GoesOn(void **state)
{
    (void)state;
    struct wire_limits limits = wire_limits();
    limits.http.stream_window = 1000;
    struct wire *w = wire_open(&(struct wire_options){
        .handler = "note(#ctx:read_exactly(29999), #ctx:read_exactly(10), ctx:read_exactly(1))",
        .limits = &limits});
    char bytes[500];
    memset(bytes, 'x', sizeof bytes);
    int32_t stream = wire_begin(w, "POST", "/", "");
    for (int i = 0; i < 60; i++) {
        wire_send(w, stream, bytes, sizeof bytes);
        wire_settle(w);
    }
    wire_end(w, stream);
    wire_expect_notes(w, "29999 1 nil\n");
}

static void Windows_BodyAfterReset_ConnectionCreditComesBack(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:reset()");
    char bytes[16384];
    memset(bytes, 'x', sizeof bytes);
    wire_begin(w, "POST", "/", "");
    wire_turn(w);
    for (int i = 0; i < 4; i++)
        wire_frame(w, NGHTTP2_DATA, 0, 1, bytes, sizeof bytes);
    wire_expect(w, "RST_STREAM stream=1 code=CANCEL\n");
    for (int i = 0; i < 28; i++)
        wire_frame(w, NGHTTP2_DATA, 0, 1, bytes, sizeof bytes);
    wire_expect(w, "WINDOW_UPDATE stream=0 increment=524288\n");
}

static void Length_BodyDiffers_ResetWithProtocolError(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(pcall(ctx.body, ctx))");
    int32_t stream = wire_begin(w, "POST", "/", "content-length: 5");
    wire_send(w, stream, "123", 3);
    wire_end(w, stream);
    wire_expect(w, "RST_STREAM stream=1 code=PROTOCOL_ERROR\n");
    wire_expect_notes(w, "false request aborted: PROTOCOL_ERROR\n");
    wire_expect_log(w, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Read_PiecesAsTheyArrive_ThenNil),
        wire_test(Read_NoBody_NilAtOnce),
        wire_test(Read_WithMaximum_NoLongerPieces),
        wire_test(Read_BadMaximum_Raises),
        wire_test(Read_AnyBytes_AsSent),
        wire_test(Read_RequestTrailers_EndTheBody),
        wire_test(Read_ByteByByte_WholeBody),
        wire_test(Read_AfterFinish_StillWorks),
        wire_test(Echo_BothDirections_Flow),
        wire_test(Body_AtLimit_Whole),
        wire_test(Body_OverLimit_413),
        wire_test(Body_OverDefaultLimit_413),
        wire_test(Body_OverLimitWhileClientSends_413ThenReset),
        wire_test(Body_OverLimitAfterHeaders_Reset),
        wire_test(EarlyEnd_ClientStillSends_EndStreamThenNoError),
        wire_test(EarlyEnd_HeadersAlone_EndStreamThenNoError),
        wire_test(EarlyEnd_ResponseWaitsForCredit_ResetComesLast),
        wire_test(EarlyEnd_RequestEndsMeanwhile_NoReset),
        wire_test(Windows_UnreadBody_NeighbourGoesOn),
        wire_test(Windows_ManyUnreadBodies_NeighbourGoesOn),
        wire_test(Windows_ReadExactlyMoreThanTheWindow_GoesOn),
        wire_test(Windows_BodyAfterReset_ConnectionCreditComesBack),
        wire_test(Length_BodyDiffers_ResetWithProtocolError),
    };
    return cmocka_run_group_tests_name("session/body", tests, NULL, NULL);
}

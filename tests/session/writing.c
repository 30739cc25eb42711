/* The response's body: how it is written, and how a slow client holds the writer. */
#include "support/wire.h"

#include "http/response.h"

#include <string.h>

static struct wire *open_narrow(const char *handler, int32_t window)
{
    return wire_open(&(struct wire_options){.handler = handler, .window = window});
}

static void Write_NoBody_EndStreamOnHeaders(void **state)
{
    (void)state;
    struct wire *w = wire_handler("if ctx.query == 'write' then ctx:write() end\n"
                                  "if ctx.query == 'finish' then ctx:finish() end\n"
                                  "if ctx.query == 'empty' then ctx:write('') end");
    static const char *const paths[] = {"/", "/?write", "/?finish", "/?empty"};
    for (int i = 0; i < 4; i++)
        wire_get(w, paths[i]);
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=200 date=now content-length=0\n"
                   "HEADERS stream=3 END_STREAM :status=200 date=now content-length=0\n"
                   "HEADERS stream=5 END_STREAM :status=200 date=now content-length=0\n"
                   "HEADERS stream=7 END_STREAM :status=200 date=now content-length=0\n");
}

static void Write_WholeResponse_OneDataFrameAndLength(void **state)
{
    (void)state;
    struct wire *w =
        wire_handler("ctx:write('Hello', ' ') ctx:write('world', 1, ' ', -2, ' ', 2.5)");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now content-length=19\n"
                   "DATA stream=1 END_STREAM len=19 'Hello world1 -2 2.5'\n");
}

static void Write_WrongArgument_RaisesAndWritesNothing(void **state)
{
    (void)state;
    struct wire *w =
        wire_handler("note(pcall(ctx.write, ctx, 'a', {}))\n"
                     "note(pcall(ctx.write, ctx, nil)) note(pcall(ctx.write, ctx, true))\n"
                     "ctx:status(201) ctx:write('b')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=201 date=now content-length=1\n"
                   "DATA stream=1 END_STREAM len=1 'b'\n");
}

static void Write_OneMebibyte_ArrivesWhole(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:write(('x'):rep(1 << 20)) note('written')");
    int32_t stream = wire_get(w, "/");
    wire_expect_body(w, stream, 'x', 1 << 20);
    wire_expect_notes(w, "written\n");
}

static void Write_OneMebibyteAndTrailers_ArriveWhole(void **state)
{
    (void)state;
    struct wire *w = wire_open(&(struct wire_options){
        .handler = "ctx:append_trailer('a', 'b') ctx:write(('x'):rep(1 << 20))", .grain = 1000});
    int32_t stream = wire_get(w, "/");
    wire_settle(w);
    assert_non_null(strstr(w->frames.lines.p, "\nHEADERS stream=1 END_STREAM a=b\n"));
    wire_expect_body(w, stream, 'x', 1 << 20);
}

static void Write_AfterFinish_Raises(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:finish('x')\n"
                                  "note(pcall(ctx.write, ctx, 'y')) note(pcall(ctx.finish, ctx))\n"
                                  "note(pcall(ctx.flush, ctx)) note(pcall(ctx.text, ctx, 'y'))");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now content-length=1\n"
                   "DATA stream=1 END_STREAM len=1 'x'\n");
    wire_expect_notes(w, "false the response has ended\n"
                         "false the response has ended\n"
                         "false the response has ended\n"
                         "false ctx:text: a response was sent already\n");
}

static void Flush_Alone_HeadersGoOut(void **state)
{
    (void)state;
    struct wire *w =
        wire_handler("ctx:flush() note('handed') ctx:flush() note('again') ctx:read()");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n");
    wire_expect_notes(w, "handed\nagain\n");
    wire_end(w, stream);
    wire_expect(w, "DATA stream=1 END_STREAM len=0\n");
}

static void Flush_EachPiece_AFrameOfItsOwn(void **state)
{
    (void)state;
    struct wire *w = wire_handler("for i = 1, 3 do ctx:write(i) ctx:flush() end");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=1 '1'\n"
                   "DATA stream=1 len=1 '2'\n"
                   "DATA stream=1 len=1 '3'\n"
                   "DATA stream=1 END_STREAM len=0\n");
}

static void Flush_NoCredit_WaitsForAllOfIt(void **state)
{
    (void)state;
    struct wire *w = open_narrow("ctx:write('Hello world') ctx:flush() note('handed')", 5);
    int32_t stream = wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=5 'Hello'\n");
    wire_credit(w, stream, 5);
    wire_expect(w, "DATA stream=1 len=5 ' worl'\n");
    wire_expect_notes(w, "");
    wire_expect_tasks(w, 1, 1);
    wire_credit(w, stream, 2);
    wire_expect_notes(w, "handed\n");
    wire_expect(w, "DATA stream=1 len=1 'd'\n"
                   "DATA stream=1 END_STREAM len=0\n");
}

static void Finish_NoCredit_WaitsForTheEnd(void **state)
{
    (void)state;
    struct wire *w = open_narrow("ctx:append_trailer('a', 'b')\n"
                                 "ctx:finish('Hello world') note('sent')",
        5);
    int32_t stream = wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=5 'Hello'\n");
    wire_expect_notes(w, "");
    wire_expect_tasks(w, 1, 1);
    wire_credit(w, stream, 6);
    wire_expect(w, "DATA stream=1 len=6 ' world'\n"
                   "HEADERS stream=1 END_STREAM a=b\n");
    wire_expect_notes(w, "sent\n");
}

/* Each piece is noted once it is queued. The queue takes OUTGOING_QUEUE_HIGH bytes, and goes on at
 * OUTGOING_QUEUE_LOW. */
static void SlowClient_Writer_WaitsBetweenTheMarks(void **state)
{
    (void)state;
    struct wire *w = open_narrow("for i = 1, 12 do ctx:write(('x'):rep(8192)) note(i) end", 1);
    int32_t stream = wire_get(w, "/");
    wire_expect_notes(w, "1\n2\n3\n4\n5\n6\n7\n8\n");
    wire_expect_tasks(w, 1, 1);
    wire_credit(w, stream, OUTGOING_QUEUE_HIGH - OUTGOING_QUEUE_LOW - 2);
    wire_expect_notes(w, "");
    wire_credit(w, stream, 1);
    wire_expect_notes(w, "9\n10\n11\n12\n");
    wire_expect_tasks(w, 0, 0);
    wire_credit(w, stream, 1 << 20);
    wire_expect_body(w, stream, 'x', 12 * 8192);
}

/* The whole of the server's memory for a response that is larger than the queue. */
static void SlowClient_LargeResponse_MemoryIsBounded(void **state)
{
    (void)state;
    struct wire *w = open_narrow("for i = 1, 1000 do ctx:write(('x'):rep(65536)) end", 1);
    wire_get(w, "/");
    wire_expect_tasks(w, 1, 1);
    assert_true(mem_stats()->bytes < 1 << 20);
}

static void SlowClient_Neighbour_GoesOn(void **state)
{
    (void)state;
    struct wire *w = open_narrow("ctx:write(ctx.query or ('x'):rep(100000))", 5);
    int32_t slow = wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=5 'xxxxx'\n");
    wire_get(w, "/?quick");
    wire_expect(w, "HEADERS stream=3 :status=200 date=now content-length=5\n"
                   "DATA stream=3 END_STREAM len=5 'quick'\n");
    wire_credit(w, slow, 1 << 20);
    wire_expect_body(w, slow, 'x', 100000);
}

/* The connection takes nothing at all: the session is not asked for bytes. */
static void StuckClient_Writer_WaitsThenGoesOn(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:write(('x'):rep(100000)) note('written')\n"
                                  "ctx:finish() note('sent')");
    w->stuck = true;
    int32_t stream = wire_get(w, "/");
    wire_expect_notes(w, "");
    wire_expect_tasks(w, 1, 1);
    w->stuck = false;
    wire_expect_body(w, stream, 'x', 100000);
    wire_expect_notes(w, "written\nsent\n");
}

static void Head_LargeBody_NoWait(void **state)
{
    (void)state;
    struct wire *w = open_narrow("ctx:write(('x'):rep(1 << 20)) note('written') ctx:flush()\n"
                                 "note('handed') ctx:finish() note('sent')",
        1);
    wire_request(w, "HEAD", "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 END_STREAM len=0\n");
    wire_expect_notes(w, "written\nhanded\nsent\n");
}

static void Length_SetAndMatched_Kept(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:header('Content-Length', '5') ctx:write('He')\n"
                                  "ctx:flush() ctx:write('llo')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 content-length=5 date=now\n"
                   "DATA stream=1 len=2 'He'\n"
                   "DATA stream=1 END_STREAM len=3 'llo'\n");
}

static void Length_MoreWritten_Raises(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:header('content-length', 5) ctx:write('Hel')\n"
                                  "note(pcall(ctx.write, ctx, 'lo!')) ctx:write('lo')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 content-length=5 date=now\n"
                   "DATA stream=1 END_STREAM len=5 'Hello'\n");
    wire_expect_notes(w, "false more is written than content-length says\n");
}

static void Length_LessWritten_500(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:header('content-length', 5) ctx:write('Hel')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=500 content-type='text/plain; charset=utf-8' date=now "
                   "content-length=22\n"
                   "DATA stream=1 END_STREAM len=22 'Internal Server Error\\n'\n");
    wire_expect_log(w, "error=\"less is written than content-length says\" written=3 "
                       "content_length=5");
}

static void Length_LessWrittenAfterHeaders_Reset(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:header('content-length', 5) ctx:write('Hel') ctx:flush()\n"
                                  "note(pcall(ctx.finish, ctx))");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 content-length=5 date=now\n"
                   "DATA stream=1 len=3 'Hel'\n"
                   "RST_STREAM stream=1 code=INTERNAL_ERROR\n");
    wire_expect_notes(w, "false less is written than content-length says\n");
    wire_expect_log(w, "less is written than content-length says");
}

static void Length_WithoutContent_NotChecked(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:status(ctx.query and 304 or 200)\n"
                                  "ctx:header('content-length', 500)");
    wire_request(w, "HEAD", "/");
    wire_get(w, "/?304");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=200 content-length=500 date=now\n"
                   "HEADERS stream=3 END_STREAM :status=304 content-length=500 date=now\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Write_NoBody_EndStreamOnHeaders),
        wire_test(Write_WholeResponse_OneDataFrameAndLength),
        wire_test(Write_WrongArgument_RaisesAndWritesNothing),
        wire_test(Write_OneMebibyte_ArrivesWhole),
        wire_test(Write_OneMebibyteAndTrailers_ArriveWhole),
        wire_test(Write_AfterFinish_Raises),
        wire_test(Flush_Alone_HeadersGoOut),
        wire_test(Flush_EachPiece_AFrameOfItsOwn),
        wire_test(Flush_NoCredit_WaitsForAllOfIt),
        wire_test(Finish_NoCredit_WaitsForTheEnd),
        wire_test(SlowClient_Writer_WaitsBetweenTheMarks),
        wire_test(SlowClient_LargeResponse_MemoryIsBounded),
        wire_test(SlowClient_Neighbour_GoesOn),
        wire_test(StuckClient_Writer_WaitsThenGoesOn),
        wire_test(Head_LargeBody_NoWait),
        wire_test(Length_SetAndMatched_Kept),
        wire_test(Length_MoreWritten_Raises),
        wire_test(Length_LessWritten_500),
        wire_test(Length_LessWrittenAfterHeaders_Reset),
        wire_test(Length_WithoutContent_NotChecked),
    };
    return cmocka_run_group_tests_name("session/writing", tests, NULL, NULL);
}

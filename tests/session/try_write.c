/* ctx:try_write: all of it or nothing, and never a wait. */
#include "support/wire.h"

#include <string.h>

static struct wire *open_narrow(const char *handler, int32_t window)
{
    return wire_open(&(struct wire_options){.handler = handler, .window = window});
}

static void TryWrite_Room_PiecesGoOutTogether(void **state)
{
    (void)state;
    struct wire *w =
        wire_handler("note(ctx:try_write('Hello', ' ', 1, ' ', 2.5), ctx:try_write())\n"
                     "ctx:write('!') note(ctx:try_write('?'))");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now content-length=13\n"
                   "DATA stream=1 END_STREAM len=13 'Hello 1 2.5!?'\n");
    wire_expect_notes(w, "true true\ntrue\n");
}

/* What is queued goes out at the end of the turn, whatever the handler waits for then. */
static void TryWrite_HandlerWaitsForSomethingElse_PiecesGoOut(void **state)
{
    (void)state;
    struct wire *w =
        wire_handler("note(ctx:try_write('one')) ctx:read() note(ctx:try_write('two'))");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=3 'one'\n");
    wire_end(w, stream);
    wire_expect(w, "DATA stream=1 END_STREAM len=3 'two'\n");
    wire_expect_notes(w, "true\ntrue\n");
}

static void TryWrite_NothingQueued_AnyLengthIsTaken(void **state)
{
    (void)state;
    struct wire *w = open_narrow("note(ctx:try_write(('x'):rep(1 << 20)), ctx:try_write('x'))\n"
                                 "ctx:flush() note(ctx:try_write('x'))",
        1);
    int32_t stream = wire_get(w, "/");
    wire_expect_notes(w, "true false\n");
    wire_credit(w, stream, 1 << 21);
    wire_expect_notes(w, "true\n");
    wire_expect_body(w, stream, 'x', (1 << 20) + 1);
}

static void TryWrite_DoesNotFit_NothingIsTaken(void **state)
{
    (void)state;
    struct wire *w = open_narrow("ctx:write(('x'):rep(60000))\n"
                                 "note(ctx:try_write(('x'):rep(5537)))\n"
                                 "note(ctx:try_write(('x'):rep(5500), ('x'):rep(36)))\n"
                                 "note(ctx:try_write('x'), ctx:try_write(''))",
        1);
    int32_t stream = wire_get(w, "/");
    wire_expect_notes(w, "false\ntrue\nfalse true\n");
    wire_credit(w, stream, 1 << 20);
    wire_expect_body(w, stream, 'x', 65536);
}

/* The queue is as long as ever once what was longer is out. */
static void TryWrite_LongerThanTheQueue_WriteWaitsForRoom(void **state)
{
    (void)state;
    struct wire *w = open_narrow("ctx:try_write(('x'):rep(300000)) ctx:write(('x'):rep(70000))\n"
                                 "note('written')",
        1);
    int32_t stream = wire_get(w, "/");
    wire_expect_tasks(w, 1, 1);
    wire_credit(w, stream, 280000);
    wire_expect_notes(w, "");
    wire_credit(w, stream, 20000);
    wire_expect_notes(w, "");
    wire_credit(w, stream, 50000);
    wire_expect_notes(w, "written\n");
    wire_credit(w, stream, 1 << 20);
    wire_expect_body(w, stream, 'x', 370000);
}

static void TryWrite_WhileAnotherTaskWrites_NothingIsTaken(void **state)
{
    (void)state;
    struct wire *w = open_narrow("local t = mt.spawn(function() ctx:write(('x'):rep(100000)) end)\n"
                                 "ctx:read() note(ctx:try_write('y')) t:join()\n"
                                 "note(ctx:try_write('x'))",
        1);
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect_tasks(w, 2, 2);
    wire_send(w, stream, "go", 2);
    wire_expect_notes(w, "false\n");
    wire_credit(w, stream, 1 << 20);
    wire_expect_notes(w, "true\n");
    wire_end(w, stream);
    wire_expect_body(w, stream, 'x', 100001);
}

static void TryWrite_TooLateOrTooMuch_Raises(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:header('content-length', 3)\n"
                                  "note(pcall(ctx.try_write, ctx, 'a', {}))\n"
                                  "note(pcall(ctx.try_write, ctx, 'four'))\n"
                                  "note(ctx:try_write('one'))\n"
                                  "ctx:finish() note(pcall(ctx.try_write, ctx, ''))");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 content-length=3 date=now\n"
                   "DATA stream=1 END_STREAM len=3 'one'\n");
    wire_expect_notes(w, "false bad argument #2 to '?' (string expected, got table)\n"
                         "false more is written than content-length says\n"
                         "true\n"
                         "false the response has ended\n");
}

static void TryWrite_Aborted_Raises(void **state)
{
    (void)state;
    struct wire *w =
        wire_handler("local ok, e = pcall(function() ctx:reset() ctx:try_write('x') end)\n"
                     "note(e.kind, e.reason)");
    wire_get(w, "/");
    wire_expect_notes(w, "abort reset\n");
}

static void TryWrite_NoContent_Taken(void **state)
{
    (void)state;
    struct wire *w = wire_handler("for _ = 1, 9 do assert(ctx:try_write(('x'):rep(50000))) end");
    wire_request(w, "HEAD", "/");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=200 date=now content-length=450000\n");
}

static void TryWrite_Http1_Chunks(void **state)
{
    (void)state;
    struct wire *w = wire_open(&(struct wire_options){.http_1 = true,
        .handler = "note(ctx:try_write(('x'):rep(70000))) note(ctx:try_write('x'))\n"
                   "ctx:flush() note(ctx:try_write('end'))"});
    w->stuck = true;
    wire_say(w, "GET / HTTP/1.1\nhost: a\n\n");
    wire_expect_notes(w, "true\nfalse\n");
    w->stuck = false;
    wire_expect_notes(w, "true\n");
    const char *text = text_of(&w->down);
    assert_non_null(strstr(text, "\r\n11170\r\nxxx"));
    assert_non_null(strstr(text, "xxx\r\n3\r\nend\r\n0\r\n\r\n"));
    text_clear(&w->down);
}

/* Who writes to all is held up by none of them. */
static void TryWrite_OneReaderIsSlow_OthersGetAll(void **state)
{
    (void)state;
    struct wire *w = wire_open(&(struct wire_options){.window = 1,
        .script = "local all, stay = {}, mt.channel()\n"
                  "return function(ctx)\n"
                  "    if ctx.path ~= '/say' then\n"
                  "        all[ctx.path] = ctx ctx:flush() stay:recv() all[ctx.path] = nil\n"
                  "        return\n"
                  "    end\n"
                  "    local missed = { ['/quick'] = 0, ['/slow'] = 0 }\n"
                  "    for i = 1, 100 do\n"
                  "        for path, other in pairs(all) do\n"
                  "            local ok = other:try_write(('x'):rep(1000))\n"
                  "            missed[path] = missed[path] + (ok and 0 or 1)\n"
                  "        end\n"
                  "        mt.sleep(0)\n"
                  "    end\n"
                  "    note(missed['/quick'], missed['/slow']) stay:close()\n"
                  "end"});
    int32_t slow = wire_get(w, "/slow"), quick = wire_get(w, "/quick");
    wire_settle(w);
    wire_credit(w, quick, 1 << 20);
    wire_settle(w);
    wire_get(w, "/say");
    for (wire_settle(w); live.waits > 2;)
        wire_wait(w);
    wire_expect_notes(w, "0 35\n");
    wire_expect_body(w, quick, 'x', 100000);
    wire_credit(w, slow, 1 << 20);
    wire_expect_body(w, slow, 'x', 65000);
}

/* The test's end looks that nothing is left. */
static void TryWrite_ConnectionLostWithMuchQueued_NothingIsLeft(void **state)
{
    (void)state;
    struct wire *w = open_narrow("ctx:try_write(('x'):rep(1 << 20)) ctx:flush()", 1);
    wire_get(w, "/");
    wire_expect_tasks(w, 1, 1);
    wire_drop(w, cut_of(CUT_LOST));
    wire_expect_tasks(w, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(TryWrite_Room_PiecesGoOutTogether),
        wire_test(TryWrite_HandlerWaitsForSomethingElse_PiecesGoOut),
        wire_test(TryWrite_NothingQueued_AnyLengthIsTaken),
        wire_test(TryWrite_DoesNotFit_NothingIsTaken),
        wire_test(TryWrite_LongerThanTheQueue_WriteWaitsForRoom),
        wire_test(TryWrite_WhileAnotherTaskWrites_NothingIsTaken),
        wire_test(TryWrite_TooLateOrTooMuch_Raises),
        wire_test(TryWrite_Aborted_Raises),
        wire_test(TryWrite_NoContent_Taken),
        wire_test(TryWrite_Http1_Chunks),
        wire_test(TryWrite_OneReaderIsSlow_OthersGetAll),
        wire_test(TryWrite_ConnectionLostWithMuchQueued_NothingIsLeft),
    };
    return cmocka_run_group_tests_name("session/try_write", tests, NULL, NULL);
}

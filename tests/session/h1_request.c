/* HTTP/1.x: requests and their bodies, one behind the other. */
#include "support/wire.h"

#include "h1/server_private.h"

#include <stdlib.h>
#include <string.h>

#define GET        "GET / HTTP/1.1\nhost: test.example\n\n"
#define EMPTY      "HTTP/1.1 200 OK\ndate: now\ncontent-length: 0\n\n"
#define EMPTY_LAST "HTTP/1.1 200 OK\ndate: now\ncontent-length: 0\nconnection: close\n\n"

static struct wire *open_1(const char *handler)
{
    return wire_open(&(struct wire_options){.handler = handler, .http_1 = true});
}

static void Request_Fields_AsOverHttp2(void **state)
{
    (void)state;
    struct wire *w = open_1("note(ctx.method, ctx.path, ctx.query, ctx.scheme, ctx.authority)\n"
                            "local names = {}\n"
                            "for name, value in pairs(ctx.headers) do\n"
                            "    names[#names + 1] = name .. '=' .. value\n"
                            "end\n"
                            "table.sort(names)\n"
                            "note(table.concat(names, ' '))");
    wire_say(w, "GET /a%20b?c=d HTTP/1.1\nHost: Test.example:81\nX-One:1\nx-one: \t 2\t\n"
                "Connection: close, x-two\nKeep-Alive: 5\nUpgrade: h2c\nx-two:\nTE: trailers\n\n");
    wire_expect_notes(w, "GET /a%20b c=d http Test.example:81\n"
                         "host=Test.example:81 te=trailers x-one=1, 2 x-two=\n");
}

static void Request_AbsoluteForm_ReplacesHost(void **state)
{
    (void)state;
    struct wire *w =
        open_1("note(ctx.scheme, ctx.authority, ctx.headers.host, ctx.path, ctx.query)");
    wire_say(w, "GET https://b.example HTTP/1.1\nhost: a\n\n"
                "GET HTTP://b.example?c HTTP/1.1\nhost: a\n\n"
                "OPTIONS http://b.example HTTP/1.1\nhost: a\n\n"
                "OPTIONS * HTTP/1.1\nhost: a\n\n"
                "GET / HTTP/1.0\n\n");
    wire_expect_notes(w, "http b.example b.example / nil\n"
                         "http b.example b.example / c\n"
                         "http b.example b.example * nil\n"
                         "http a a * nil\n"
                         "http  nil / nil\n");
}

static void Body_OfLength_Read(void **state)
{
    (void)state;
    struct wire *w = open_1("repeat local piece = ctx:read() note(piece) until not piece");
    wire_say(w, "POST / HTTP/1.1\nhost: a\ncontent-length: 7\n\none");
    wire_expect_notes(w, "one\n");
    wire_say(w, "more" GET);
    wire_expect_notes(w, "more\nnil\nnil\n");
    wire_expect_text(w, EMPTY EMPTY);
}

static void Body_InChunks_ReadWithItsTrailers(void **state)
{
    (void)state;
    struct wire *w = wire_open(&(struct wire_options){
        .handler = "note(ctx:body()) for name, value in pairs(ctx:request_trailers()) do\n"
                   "    note(name, value)\n"
                   "end",
        .http_1 = true,
        .grain = 1});
    wire_say(w, "POST / HTTP/1.1\nhost: a\ntransfer-encoding: Chunked\n\n"
                "5;a=\"b c\"\nHello\n1 ; x\n \n00a\n0123456789\n0\n"
                "Sum: 12\nhost: b\ncontent-length: 3\n\n");
    wire_expect_notes(w, "Hello 0123456789\nsum 12\n");
    wire_expect_text(w, EMPTY);
}

static void Body_NobodyReads_SocketIsLeftAlone(void **state)
{
    (void)state;
    struct wire_limits limits = wire_limits();
    limits.http.stream_window = 1000;
    struct wire *w = wire_open(&(struct wire_options){.handler = "mt.sleep(0) note(#ctx:body())",
        .http_1 = true,
        .limits = &limits,
        .grain = 600});
    wire_say(w, "POST / HTTP/1.1\nhost: a\ncontent-length: 5000\n\n");
    for (int i = 0; i < 500; i++)
        wire_say(w, "0123456789");
    for (int i = 0; i < 20; i++)
        wire_deliver(w);
    assert_true(w->up.n > 3000);
    wire_wait(w);
    wire_expect_notes(w, "5000\n");
    wire_expect_text(w, EMPTY);
}

static void Continue_HandlerReads_Sent(void **state)
{
    (void)state;
    struct wire *w = open_1("note(ctx:body())");
    wire_say(w, "POST / HTTP/1.1\nhost: a\ncontent-length: 2\nexpect: 100-Continue\n\n");
    wire_expect_text(w, "HTTP/1.1 100 Continue\n\n");
    wire_say(w, "ab");
    wire_expect_text(w, EMPTY);
    wire_expect_notes(w, "ab\n");
}

static void Continue_BodyIsThere_NotSent(void **state)
{
    (void)state;
    struct wire *w = open_1("note(ctx:body())");
    wire_say(w, "POST / HTTP/1.1\nhost: a\ncontent-length: 2\nexpect: 100-continue\n\nab");
    wire_expect_text(w, EMPTY);
    wire_expect_notes(w, "ab\n");
}

static void Continue_HandlerDoesNotRead_Closes(void **state)
{
    (void)state;
    struct wire *w = open_1("");
    wire_say(w, "POST / HTTP/1.1\nhost: a\ncontent-length: 2\nexpect: 100-continue\n\n");
    wire_expect_last(w, EMPTY_LAST);
}

static void Continue_From10_Ignored(void **state)
{
    (void)state;
    struct wire *w = open_1("note(ctx:body())");
    wire_say(w, "POST / HTTP/1.0\ncontent-length: 2\nexpect: 100-continue\n\n");
    wire_expect_text(w, "");
    wire_say(w, "ab");
    wire_expect_last(w, EMPTY_LAST);
    wire_expect_notes(w, "ab\n");
}

static void Expect_SomethingElse_417(void **state)
{
    (void)state;
    struct wire *w = open_1("note('ran')");
    wire_say(w, "GET / HTTP/1.1\nhost: a\nexpect: a-miracle\n\n");
    wire_expect_last(w, "HTTP/1.1 417 Expectation Failed\n"
                        "content-type: text/plain; charset=utf-8\n"
                        "date: now\n"
                        "content-length: 19\n"
                        "connection: close\n"
                        "\n"
                        "Expectation Failed\\n");
    wire_expect_notes(w, "");
}

static void Pipelined_SlowHandler_KeepOrder(void **state)
{
    (void)state;
    struct wire *w = open_1("note(ctx.path) if ctx.path == '/1' then mt.sleep(0.01) end\n"
                            "note('end', ctx.path)");
    wire_say(w, "GET /1 HTTP/1.1\nhost: a\n\nGET /2 HTTP/1.1\nhost: a\n\n"
                "POST /3 HTTP/1.1\nhost: a\ncontent-length: 1\n\nxGET /4 HTTP/1.1\nhost: a\n\n");
    wire_expect_notes(w, "/1\n");
    wire_wait(w);
    wire_expect_notes(w, "end /1\n/2\nend /2\n/3\nend /3\n/4\nend /4\n");
    wire_expect_text(w, EMPTY EMPTY EMPTY EMPTY);
}

static void Pipelined_TooMuch_SocketIsLeftAlone(void **state)
{
    (void)state;
    struct wire *w = wire_open(
        &(struct wire_options){.handler = "mt.sleep(0.01)", .http_1 = true, .grain = 1000});
    for (int i = 0; i < 3000; i++)
        wire_say(w, GET);
    for (int i = 0; i < 200; i++)
        wire_turn(w);
    assert_true(w->up.n > 1000);
    wire_drop(w, cut_of(CUT_LOST));
}

static void Unread_LittleBody_DrainedAndKept(void **state)
{
    (void)state;
    struct wire *w = open_1("note('ran')");
    wire_say(w, "POST / HTTP/1.1\nhost: a\ncontent-length: 4\n\n");
    wire_turn(w);
    wire_say(w, "body" GET);
    wire_expect_text(w, EMPTY EMPTY);
    wire_expect_notes(w, "ran\nran\n");
}

static void Unread_LargeBody_Closes(void **state)
{
    (void)state;
    struct wire *w = open_1("note('ran')");
    wire_say(w, "POST / HTTP/1.1\nhost: a\ncontent-length: 1000000\n\n");
    wire_expect_last(w, EMPTY_LAST);
}

static void Unread_EndlessBody_ClosesInTime(void **state)
{
    (void)state;
    struct wire *w = open_1("");
    wire_say(w, "POST / HTTP/1.1\nhost: a\ntransfer-encoding: chunked\n\n40000\n");
    char *zeros = calloc(1, 0x40000);
    wire_turn(w);
    wire_turn(w);
    assert_true(w->alarm > 0);
    w->alarm = 0;
    wire_raw(w, zeros, 0x40000);
    wire_say(w, "\n1\nx\n");
    free(zeros);
    wire_expect_last(w, EMPTY);
}

static void Client_EndsItsSide_IsAnswered(void **state)
{
    (void)state;
    struct wire *w = open_1("mt.sleep(0.01)");
    wire_say(w, GET GET);
    wire_settle(w);
    assert_true(w->session->ops->end_input(w->session));
    wire_wait(w);
    wire_wait(w);
    wire_expect_last(w, EMPTY EMPTY_LAST);
}

static void Client_EndsItsSideInABody_IsLost(void **state)
{
    (void)state;
    struct wire *w = open_1("note(pcall(ctx.body, ctx))");
    wire_say(w, "POST / HTTP/1.1\nhost: a\ncontent-length: 4\n\nbo");
    wire_settle(w);
    assert_false(w->session->ops->end_input(w->session));
    wire_drop(w, cut_of(CUT_LOST));
    wire_settle(w);
    wire_expect_notes(w, "false request aborted: connection lost\n");
}

static void ShutDown_Idle_OverAtOnce(void **state)
{
    (void)state;
    struct wire *w = open_1("");
    wire_say(w, GET);
    wire_expect_text(w, EMPTY);
    w->session->ops->shut_down(w->session, END_NOTICE);
    wire_expect_last(w, "");
}

static void ShutDown_BeforeTheFirstRequest_ItIsAnswered(void **state)
{
    (void)state;
    struct wire *w = open_1("");
    w->session->ops->shut_down(w->session, END_NOTICE);
    wire_settle(w);
    assert_false(w->session->ops->is_over(w->session));
    wire_say(w, GET);
    wire_expect_last(w, EMPTY_LAST);
}

static void ShutDownTwice_NoRequest_Over(void **state)
{
    (void)state;
    struct wire *w = open_1("");
    w->session->ops->shut_down(w->session, END_NOTICE);
    w->session->ops->shut_down(w->session, END_NOW);
    wire_expect_last(w, "");
}

static void ShutDown_Busy_LastResponseSaysSo(void **state)
{
    (void)state;
    struct wire *w = open_1("mt.sleep(0.01)");
    wire_say(w, GET GET);
    wire_settle(w);
    w->session->ops->shut_down(w->session, END_NOTICE);
    wire_wait(w);
    wire_expect_last(w, EMPTY_LAST);
}

/* Else a connection whose client does not read would never rest. */
static void Over_ReapedAgain_AsksForNothing(void **state)
{
    (void)state;
    uint8_t out[1000];
    struct wire *w = open_1("");
    wire_say(w, "GET / HTTP/1.1\nhost: a\nconnection: close\n\n");
    w->stuck = true;
    wire_settle(w);
    assert_true(w->session->ops->fill(w->session, out, sizeof out) > 0);
    assert_true(w->session->ops->is_over(w->session));
    w->dirty = false;
    w->session->ops->reap(w->session);
    assert_false(w->dirty);
}

static void Head_Slow_TimedOut(void **state)
{
    (void)state;
    struct wire *w = open_1("note('ran')");
    wire_say(w, "GET / HTTP");
    wire_settle(w);
    for (int i = 0; i < 32; i++)
        w->session->ops->sweep(w->session, 1);
    wire_expect_last(w, "HTTP/1.1 408 Request Timeout\n"
                        "content-type: text/plain; charset=utf-8\n"
                        "date: now\n"
                        "content-length: 16\n"
                        "connection: close\n"
                        "\n"
                        "Request Timeout\\n");
    wire_expect_log(w, "warn request timed out limit=header-timeout conn=7 stream=1");
}

static void Idle_Swept_Stays(void **state)
{
    (void)state;
    struct wire *w = open_1("");
    wire_say(w, GET);
    wire_settle(w);
    for (int i = 0; i < 1000; i++)
        w->session->ops->sweep(w->session, 1);
    assert_true(w->session->ops->is_idle(w->session));
    wire_expect_text(w, EMPTY);
}

static void Body_Slow_TimedOut(void **state)
{
    (void)state;
    struct wire *w = open_1("note(pcall(ctx.body, ctx))");
    wire_say(w, "POST / HTTP/1.1\nhost: a\ncontent-length: 4\n\nbo");
    wire_settle(w);
    for (int i = 0; i < 7; i++)
        w->session->ops->sweep(w->session, 1);
    wire_expect_notes(w, "false request aborted: timeout\n");
    wire_expect_log(w, "warn request timed out limit=min-body-rate conn=7 stream=1");
    assert_non_null(strstr(text_of(&w->down), "HTTP/1.1 408 Request Timeout\r\n"));
    assert_non_null(strstr(text_of(&w->down), "\r\nconnection: close\r\n"));
}

/* So many bytes of a chunked body in each of so many seconds. */
static void trickle(struct wire *w, const char *chunk, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        wire_say(w, chunk);
        wire_settle(w);
        w->session->ops->sweep(w->session, 1);
    }
}

static void Body_SlowButFastEnough_GoesOn(void **state)
{
    (void)state;
    struct wire_limits limits = wire_limits();
    limits.http.min_body_rate = 5;
    struct wire *w = wire_open(
        &(struct wire_options){.handler = "note(#ctx:body())", .http_1 = true, .limits = &limits});
    wire_say(w, "POST / HTTP/1.1\nhost: a\ntransfer-encoding: chunked\n\n");
    trickle(w, "5\nbytes\n", 100);
    wire_say(w, "0\n\n");
    wire_expect_notes(w, "500\n");
    wire_expect_text(w, EMPTY);
}

static void Body_SlowOfAGrpcCall_OnlyBodyTimeout(void **state)
{
    (void)state;
    struct wire *w = open_1("note(pcall(ctx.body, ctx))");
    wire_say(w, "POST / HTTP/1.1\nhost: a\ncontent-type: application/grpc\n"
                "transfer-encoding: chunked\n\n");
    trickle(w, "1\nb\n", 100);
    for (int i = 0; i < 310; i++)
        w->session->ops->sweep(w->session, 1);
    wire_expect_notes(w, "false request aborted: timeout\n");
    wire_expect_log(w, "warn request timed out limit=body-timeout conn=7 stream=1");
}

static void Fault_InTheHead_RefusedAndOver(void **state)
{
    (void)state;
    struct wire *w = open_1("note('ran')");
    wire_say(w, GET "GET / HTTP/1.1\nhost : a\n\n" GET);
    wire_expect_last(w, EMPTY "HTTP/1.1 400 Bad Request\n"
                              "content-type: text/plain; charset=utf-8\n"
                              "date: now\n"
                              "content-length: 12\n"
                              "connection: close\n"
                              "\n"
                              "Bad Request\\n");
    wire_expect_notes(w, "ran\n");
    wire_expect_log(w, "warn request refused reason=\"a malformed field\" status=400 conn=7 "
                       "remote=127.0.0.1:51234");
}

static void Fault_InTheBody_HandlerStopsAndClientIsTold(void **state)
{
    (void)state;
    struct wire *w = open_1("note(pcall(ctx.body, ctx))");
    wire_say(w, "POST / HTTP/1.1\nhost: a\ntransfer-encoding: chunked\n\n");
    wire_settle(w);
    wire_say(w, "x\n");
    wire_settle(w);
    assert_null(w->session);
    assert_non_null(strstr(text_of(&w->down), "HTTP/1.1 400 Bad Request\r\n"));
    wire_expect_notes(w, "false request aborted: PROTOCOL_ERROR\n");
    wire_expect_log(w, "warn request refused reason=\"a malformed chunk\"");
}

static void Fault_BehindTheHead_CutsTheResponse(void **state)
{
    (void)state;
    struct wire *w = open_1("ctx:write('x') ctx:flush() note(pcall(ctx.body, ctx))");
    wire_say(w, "POST / HTTP/1.1\nhost: a\ntransfer-encoding: chunked\n\n");
    wire_settle(w);
    wire_say(w, "x\n");
    wire_expect_last(w, "HTTP/1.1 200 OK\ndate: now\ntransfer-encoding: chunked\n\n1\nx\n");
    wire_expect_log(w, "warn request refused reason=\"a malformed chunk\"");
}

static void Memory_Short_NothingLeaks(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 60; n++) {
        struct wire *w = open_1("ctx:write(ctx:body()) ctx:append_trailer('a', 'b')");
        w->grain = 7;
        wire_say(w, "POST / HTTP/1.1\nhost: a\nte: trailers\ntransfer-encoding: chunked\n\n"
                    "5\nHello\n0\nsum: 12\n\n" GET);
        mem_fail_at(n, 0);
        wire_settle(w);
        mem_fail_at(0, 0);
        struct text log = stage_take_log();
        text_clear(&log);
        wire_close(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Request_Fields_AsOverHttp2),
        wire_test(Request_AbsoluteForm_ReplacesHost),
        wire_test(Body_OfLength_Read),
        wire_test(Body_InChunks_ReadWithItsTrailers),
        wire_test(Body_NobodyReads_SocketIsLeftAlone),
        wire_test(Continue_HandlerReads_Sent),
        wire_test(Continue_BodyIsThere_NotSent),
        wire_test(Continue_HandlerDoesNotRead_Closes),
        wire_test(Continue_From10_Ignored),
        wire_test(Expect_SomethingElse_417),
        wire_test(Pipelined_SlowHandler_KeepOrder),
        wire_test(Pipelined_TooMuch_SocketIsLeftAlone),
        wire_test(Unread_LittleBody_DrainedAndKept),
        wire_test(Unread_LargeBody_Closes),
        wire_test(Unread_EndlessBody_ClosesInTime),
        wire_test(Client_EndsItsSide_IsAnswered),
        wire_test(Client_EndsItsSideInABody_IsLost),
        wire_test(ShutDown_Idle_OverAtOnce),
        wire_test(ShutDown_BeforeTheFirstRequest_ItIsAnswered),
        wire_test(ShutDownTwice_NoRequest_Over),
        wire_test(ShutDown_Busy_LastResponseSaysSo),
        wire_test(Over_ReapedAgain_AsksForNothing),
        wire_test(Head_Slow_TimedOut),
        wire_test(Idle_Swept_Stays),
        wire_test(Body_Slow_TimedOut),
        wire_test(Body_SlowButFastEnough_GoesOn),
        wire_test(Body_SlowOfAGrpcCall_OnlyBodyTimeout),
        wire_test(Fault_InTheHead_RefusedAndOver),
        wire_test(Fault_InTheBody_HandlerStopsAndClientIsTold),
        wire_test(Fault_BehindTheHead_CutsTheResponse),
        wire_test(Memory_Short_NothingLeaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

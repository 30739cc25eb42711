/* HTTP/1.x: how responses are framed, and what they say of the connection. */
#include "support/wire.h"

#define GET          "GET / HTTP/1.1\nhost: test.example\n\n"
#define GET_TRAILERS "GET / HTTP/1.1\nhost: test.example\nte: trailers\n\n"

#define CHUNKS \
    "HTTP/1.1 200 OK\n" \
    "date: now\n" \
    "transfer-encoding: chunked\n" \
    "\n" \
    "6\nHello \n" \
    "5\nworld\n" \
    "0\n\n"

static struct wire *open_1(const char *handler)
{
    return wire_open(&(struct wire_options){.handler = handler, .http_1 = true});
}

static void Response_Whole_HasItsLength(void **state)
{
    (void)state;
    struct wire *w = open_1("ctx:text('Hello world')");
    for (int i = 0; i < 2; i++) {
        wire_say(w, GET);
        wire_expect_text(w, "HTTP/1.1 200 OK\n"
                            "content-type: text/plain; charset=utf-8\n"
                            "date: now\n"
                            "content-length: 11\n"
                            "\n"
                            "Hello world");
    }
}

static void Response_Empty_HasLengthZero(void **state)
{
    (void)state;
    struct wire *w = open_1("");
    wire_say(w, GET);
    wire_expect_text(w, "HTTP/1.1 200 OK\ndate: now\ncontent-length: 0\n\n");
}

static void Response_Flushed_GoesInChunks(void **state)
{
    (void)state;
    struct wire *w = open_1("ctx:write('Hello ') ctx:flush() ctx:write('wor') ctx:write('ld')");
    wire_say(w, GET);
    wire_expect_text(w, CHUNKS);
}

static void Response_ByteByByte_SameBytes(void **state)
{
    (void)state;
    struct wire *w = wire_open(
        &(struct wire_options){.handler = "ctx:write('Hello ') ctx:flush() ctx:finish('world')",
            .http_1 = true,
            .grain = 1});
    wire_say(w, GET GET);
    wire_expect_text(w, CHUNKS CHUNKS);
}

static void Response_LengthSetByScript_NoChunks(void **state)
{
    (void)state;
    struct wire *w =
        open_1("ctx:header('content-length', 5) ctx:write('He') ctx:flush() ctx:write('llo')");
    wire_say(w, GET);
    wire_expect_text(w, "HTTP/1.1 200 OK\ncontent-length: 5\ndate: now\n\nHello");
    assert_non_null(w->session);
}

static void Response_WithoutContent_NeitherLengthNorBody(void **state)
{
    (void)state;
    struct wire *w = open_1("ctx:status(tonumber(ctx.query)) ctx:write('x') ctx:flush()");
    wire_say(w, "GET /?204 HTTP/1.1\nhost: a\n\nGET /?304 HTTP/1.1\nhost: a\n\n");
    wire_expect_text(w, "HTTP/1.1 204 No Content\ndate: now\n\n"
                        "HTTP/1.1 304 Not Modified\ndate: now\n\n");
}

static void Response_ToHead_NoBody(void **state)
{
    (void)state;
    struct wire *w = open_1("ctx:write('Hello') if ctx.query then ctx:flush() end");
    wire_say(w, "HEAD / HTTP/1.1\nhost: a\n\nHEAD /?flush HTTP/1.1\nhost: a\n\n");
    wire_expect_text(w, "HTTP/1.1 200 OK\ndate: now\ncontent-length: 5\n\n"
                        "HTTP/1.1 200 OK\ndate: now\n\n");
    assert_non_null(w->session);
}

static void Response_StatusWithoutPhrase_KeepsTheSpace(void **state)
{
    (void)state;
    struct wire *w = open_1("ctx:status(299)");
    wire_say(w, GET);
    wire_expect_text(w, "HTTP/1.1 299 \ndate: now\ncontent-length: 0\n\n");
}

static void Response_To10_ClosesAfterIt(void **state)
{
    (void)state;
    struct wire *w = open_1("ctx:write('Hello')");
    wire_say(w, "GET / HTTP/1.0\n\n");
    wire_expect_last(
        w, "HTTP/1.1 200 OK\ndate: now\ncontent-length: 5\nconnection: close\n\nHello");
}

static void Response_To10KeepAlive_Kept(void **state)
{
    (void)state;
    struct wire *w = open_1("ctx:write('Hello')");
    wire_say(w, "GET / HTTP/1.0\nconnection: Keep-Alive\n\n");
    wire_expect_text(
        w, "HTTP/1.1 200 OK\ndate: now\ncontent-length: 5\nconnection: keep-alive\n\nHello");
    assert_non_null(w->session);
}

static void Response_To10OfUnknownLength_EndsWithTheConnection(void **state)
{
    (void)state;
    struct wire *w = open_1("ctx:write('Hello ') ctx:flush() ctx:write('world')");
    wire_say(w, "GET / HTTP/1.0\nconnection: keep-alive\n\n");
    wire_expect_last(w, "HTTP/1.1 200 OK\ndate: now\nconnection: close\n\nHello world");
}

static void Response_ToConnectionClose_IsTheLast(void **state)
{
    (void)state;
    struct wire *w = open_1("note('ran')");
    wire_say(w, "GET / HTTP/1.1\nhost: a\nconnection: te, Close\n\n" GET);
    wire_expect_last(w, "HTTP/1.1 200 OK\ndate: now\ncontent-length: 0\nconnection: close\n\n");
    wire_expect_notes(w, "ran\n");
}

static void Trailers_Asked_FollowTheChunks(void **state)
{
    (void)state;
    struct wire *w = open_1("note(ctx:supports_trailers())\n"
                            "ctx:declare_trailer('sum')\n"
                            "ctx:write('Hello')\n"
                            "ctx:append_trailer('sum', '12')\n"
                            "ctx:append_trailer('Other', 'x')");
    wire_say(w, GET_TRAILERS);
    wire_expect_text(w, "HTTP/1.1 200 OK\n"
                        "trailer: sum\n"
                        "date: now\n"
                        "transfer-encoding: chunked\n"
                        "\n"
                        "5\nHello\n"
                        "0\nsum: 12\nother: x\n\n");
    wire_expect_notes(w, "true\n");
}

static void Trailers_AskedWithoutBody_FollowTheLastChunk(void **state)
{
    (void)state;
    struct wire *w = open_1("ctx:append_trailer('sum', '0')");
    wire_say(w, GET_TRAILERS);
    wire_expect_text(w, "HTTP/1.1 200 OK\ndate: now\ntransfer-encoding: chunked\n\n"
                        "0\nsum: 0\n\n");
}

static void Trailers_BeforeLength_LengthGivesWay(void **state)
{
    (void)state;
    struct wire *w = open_1("ctx:append_trailer('sum', '12')\n"
                            "ctx:header('content-length', 2)\n"
                            "note(ctx:supports_trailers())\n"
                            "ctx:write('Hi')\n"
                            "note((pcall(ctx.write, ctx, '!')))");
    wire_say(w, GET_TRAILERS);
    wire_expect_text(w, "HTTP/1.1 200 OK\ndate: now\ntransfer-encoding: chunked\n\n"
                        "2\nHi\n"
                        "0\nsum: 12\n\n");
    wire_expect_notes(w, "true\nfalse\n");
}

static void Trailers_NotAsked_Raises(void **state)
{
    (void)state;
    struct wire *w = open_1("note(ctx:supports_trailers())\n"
                            "ctx:declare_trailer('sum')\n"
                            "ctx:write('Hello')\n"
                            "local _, problem = pcall(ctx.append_trailer, ctx, 'sum', '12')\n"
                            "note(problem)");
    wire_say(w, GET);
    wire_expect_text(w, "HTTP/1.1 200 OK\ndate: now\ncontent-length: 5\n\nHello");
    wire_expect_notes(w, "false\ntrailer \"sum\" cannot be sent: see ctx:supports_trailers()\n");
}

static void Trailers_Support_TellsTheTruth(void **state)
{
    (void)state;
    struct wire *w = open_1("note(ctx:protocol(), ctx:supports_trailers())\n"
                            "ctx:header('content-length', 0)\n"
                            "note(ctx:supports_trailers())");
    wire_say(w, "GET / HTTP/1.1\nhost: a\nte: deflate, Trailers\n\n"
                "GET / HTTP/1.1\nhost: a\nte: xtrailers\n\n"
                "HEAD / HTTP/1.1\nhost: a\nte: trailers\n\n"
                "GET / HTTP/1.0\nte: trailers\n\n");
    wire_expect_notes(w, "HTTP/1.1 true\nfalse\n"
                         "HTTP/1.1 false\nfalse\n"
                         "HTTP/1.1 true\nfalse\n"
                         "HTTP/1.0 false\nfalse\n");
}

static void Trailers_OfHead_DeclaredAndDropped(void **state)
{
    (void)state;
    struct wire *w = open_1("ctx:declare_trailer('sum') ctx:write('Hello')\n"
                            "ctx:append_trailer('sum', '12')");
    wire_say(w, "HEAD / HTTP/1.1\nhost: a\nte: trailers\n\n");
    wire_expect_text(w, "HTTP/1.1 200 OK\ntrailer: sum\ndate: now\n\n");
}

static void Inform_Sent_BeforeTheResponse(void **state)
{
    (void)state;
    struct wire *w = open_1("ctx:inform(103, {link = '</a.css>'}) ctx:write('x')");
    wire_say(w, GET);
    wire_expect_text(w, "HTTP/1.1 103 Early Hints\nlink: </a.css>\n\n"
                        "HTTP/1.1 200 OK\ndate: now\ncontent-length: 1\n\nx");
    wire_say(w, "GET / HTTP/1.0\n\n");
    wire_expect_last(w, "HTTP/1.1 200 OK\ndate: now\ncontent-length: 1\nconnection: close\n\nx");
}

static void Error_BeforeTheHead_500(void **state)
{
    (void)state;
    struct wire *w = open_1("ctx:write('x') error('broken')");
    wire_say(w, GET_TRAILERS);
    wire_expect_text(w, "HTTP/1.1 500 Internal Server Error\n"
                        "content-type: text/plain; charset=utf-8\n"
                        "date: now\n"
                        "content-length: 22\n"
                        "\n"
                        "Internal Server Error\\n");
    wire_expect_log(w, "handler failed");
}

static void Error_AfterTheHead_CutsTheChunks(void **state)
{
    (void)state;
    struct wire *w = open_1("ctx:write('x') ctx:flush() error('broken')");
    wire_say(w, GET GET);
    wire_expect_last(w, "HTTP/1.1 200 OK\ndate: now\ntransfer-encoding: chunked\n\n1\nx\n");
    assert_true(w->cut);
    wire_expect_log(w, "handler failed");
}

static void Reset_AtOnce_NothingSent(void **state)
{
    (void)state;
    struct wire *w = open_1("ctx:write('x') ctx:reset() note(ctx:aborted())");
    wire_say(w, GET GET);
    wire_expect_last(w, "");
    wire_expect_notes(w, "reset\n");
}

static void Reset_AfterFinish_FollowsTheEnd(void **state)
{
    (void)state;
    struct wire *w = open_1("ctx:finish('x') ctx:reset()");
    wire_say(w, GET);
    wire_expect_last(w, "HTTP/1.1 200 OK\ndate: now\ncontent-length: 1\n\nx");
    assert_false(w->cut);
}

static void Write_SlowClient_Waits(void **state)
{
    (void)state;
    struct wire *w = open_1("ctx:flush() ctx:write(('x'):rep(200000)) note('written')");
    w->stuck = true;
    wire_say(w, GET);
    wire_expect_tasks(w, 1, 1);
    w->stuck = false;
    wire_expect_notes(w, "written\n");
    assert_true(w->down.n > 200000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Response_Whole_HasItsLength),
        wire_test(Response_Empty_HasLengthZero),
        wire_test(Response_Flushed_GoesInChunks),
        wire_test(Response_ByteByByte_SameBytes),
        wire_test(Response_LengthSetByScript_NoChunks),
        wire_test(Response_WithoutContent_NeitherLengthNorBody),
        wire_test(Response_ToHead_NoBody),
        wire_test(Response_StatusWithoutPhrase_KeepsTheSpace),
        wire_test(Response_To10_ClosesAfterIt),
        wire_test(Response_To10KeepAlive_Kept),
        wire_test(Response_To10OfUnknownLength_EndsWithTheConnection),
        wire_test(Response_ToConnectionClose_IsTheLast),
        wire_test(Trailers_Asked_FollowTheChunks),
        wire_test(Trailers_AskedWithoutBody_FollowTheLastChunk),
        wire_test(Trailers_BeforeLength_LengthGivesWay),
        wire_test(Trailers_NotAsked_Raises),
        wire_test(Trailers_Support_TellsTheTruth),
        wire_test(Trailers_OfHead_DeclaredAndDropped),
        wire_test(Inform_Sent_BeforeTheResponse),
        wire_test(Error_BeforeTheHead_500),
        wire_test(Error_AfterTheHead_CutsTheChunks),
        wire_test(Reset_AtOnce_NothingSent),
        wire_test(Reset_AfterFinish_FollowsTheEnd),
        wire_test(Write_SlowClient_Waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

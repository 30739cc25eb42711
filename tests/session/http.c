/* mt.http: calls of other servers from a handler. */
#include "support/other.h"

#include <ev.h>
#include <string.h>
#include <unistd.h>

#define DONE(stream) "HEADERS stream=" stream " END_STREAM :status=200 date=now content-length=0\n"

/* Notes the error that the code raises, without its line. */
#define TRY(code) \
    " note((select(2, pcall(function() " code " end)):gsub('^.-handler.lua:%d+: ', ''))) "

static struct wire *get(const char *handler)
{
    struct wire *w = other_open(handler);
    wire_get(w, "/");
    return w;
}

static void Get_Answered_GivesResponse(void **state)
{
    (void)state;
    struct wire *w = get("local r = mt.http.get('http://example.org/a?b=1')\n"
                         "note(r.status, r.protocol, r.headers['x-a'], r:body(), r:read())");
    other_expect(w, 0, "GET http://example.org/a?b=1\n\n|");
    wire_expect_tasks(w, 1, 1);
    other_head(w, 0, 201, "x-a: 1\nx-a: 2\n");
    other_body(w, 0, "hello", 5);
    other_end(w, 0, "");
    wire_expect_notes(w, "201 HTTP/2 1, 2 hello nil\n");
    wire_expect(w, DONE("1"));
}

static void Get_HeadIsThere_ReadsTheBodyAsItComes(void **state)
{
    (void)state;
    struct wire *w = get("local r = mt.http.get('http://h/')\n"
                         "note(r.status)\n"
                         "for piece in function() return r:read(3) end do note(piece) end\n"
                         "note('end')");
    other_expect(w, 0, "GET http://h/\n\n|");
    other_head(w, 0, 200, "");
    wire_expect_notes(w, "200\n");
    other_body(w, 0, "hello", 5);
    wire_expect_notes(w, "hel\nlo\n");
    other_body(w, 0, "!", 1);
    wire_expect_notes(w, "!\n");
    other_end(w, 0, "");
    wire_expect_notes(w, "end\n");
}

static void Read_Exactly_WaitsForAllOfIt(void **state)
{
    (void)state;
    struct wire *w = get("local r = mt.http.get('http://h/')\n"
                         "note(r:read_exactly(4), r:read_exactly(1), r:read_exactly(9),\n"
                         "     r:read_exactly(1))");
    other_head(w, 0, 200, "");
    other_body(w, 0, "he", 2);
    other_body(w, 0, "llo", 3);
    other_body(w, 0, "rest", 4);
    other_expect(w, 0, "GET http://h/\n\n|");
    other_end(w, 0, "");
    wire_expect_notes(w, "hell o rest nil\n");
}

static void Post_String_SentWithItsLength(void **state)
{
    (void)state;
    struct wire *w = get("note(mt.http.post('http://h/', 'data').status)\n"
                         "note(mt.http.post('http://h/', nil).status)");
    other_expect(w, 0, "POST http://h/\ncontent-length: 4\n\ndata|");
    other_answer(w, 0, 200, "");
    other_expect(w, 1, "POST http://h/\ncontent-length: 0\n\n|");
    other_answer(w, 1, 204, "");
    wire_expect_notes(w, "200\n204\n");
}

static void Post_LongString_SentAsTheOtherServerTakesIt(void **state)
{
    (void)state;
    enum { SIZE = 1000000 };
    static const char head[] = "POST http://h/\ncontent-length: 1000000\n\n";
    struct wire *w = get("note(mt.http.post('http://h/', ('x'):rep(1000000)):body())");
    wire_expect_tasks(w, 2, 2);
    assert_int_equal(other_take(w, 0), strlen(head) + SIZE + 1);
    wire_expect_tasks(w, 1, 1);
    other_answer(w, 0, 200, "thanks");
    wire_expect_notes(w, "thanks\n");
}

static void Post_Function_SentAsItGivesPieces(void **state)
{
    (void)state;
    struct wire *w = get("local n = 0\n"
                         "note(mt.http.post('http://h/', function(...)\n"
                         "    n = n + 1 mt.sleep(0)\n"
                         "    return n <= 2 and n .. select('#', ...) or nil\n"
                         "end):body())");
    other_expect(w, 0, "POST http://h/\n\n");
    for (int i = 0; i < 3; i++)
        wire_wait(w);
    other_expect(w, 0, "1020|");
    other_answer(w, 0, 200, "thanks");
    wire_expect_notes(w, "thanks\n");
}

static void Post_FunctionGivesMuch_WaitsForTheOtherServer(void **state)
{
    (void)state;
    struct wire *w = get("local n = 0\n"
                         "mt.http.post('http://h/', function()\n"
                         "    n = n + 1 note(n)\n"
                         "    return n <= 4 and ('x'):rep(40000) or nil\n"
                         "end)");
    wire_expect_notes(w, "1\n2\n");
    assert_true(other_take(w, 0) >= 160001);
    wire_expect_notes(w, "3\n4\n5\n");
    other_answer(w, 0, 200, "");
}

static void Upload_Fails_ResponseRaisesItsErrorAndTheCallIsReset(void **state)
{
    (void)state;
    struct wire *w = get(TRY("mt.http.post('http://h/', function() error('no data', 0) end)"));
    wire_expect_notes(w, "no data\n");
    other_expect_cancelled(w, 0, ERROR_CANCEL);
    wire_expect(w, DONE("1"));
}

static void Upload_GivesNoString_ResponseRaises(void **state)
{
    (void)state;
    struct wire *w = get(TRY("mt.http.post('http://h/', function() return {} end)"));
    wire_expect_notes(w, "moontrail/http/upload.lua:9: bad argument #1 to 'write' (string "
                         "expected, got table)\n");
    other_expect_cancelled(w, 0, ERROR_CANCEL);
}

static void Upload_ResponseIsWholeFirst_GoesOnUntilNobodyWantsIt(void **state)
{
    (void)state;
    struct wire *w = get("local n = 0\n"
                         "local r = mt.http.post('http://h/', function()\n"
                         "    n = n + 1 mt.sleep(0) return 'x'\n"
                         "end)\n"
                         "note(r:body()) mt.sleep(0) mt.sleep(0) note(n > 1) note(r:read())");
    other_expect(w, 0, "POST http://h/\n\n");
    other_head(w, 0, 413, "");
    other_end(w, 0, "");
    wire_expect_notes(w, "\n");
    wire_wait(w);
    wire_wait(w);
    wire_wait(w);
    wire_expect_notes(w, "true\nnil\n");
    wire_wait(w);
    wire_expect_tasks(w, 0, 0);
    other_expect_cancelled(w, 0, ERROR_NO_ERROR);
}

static void Open_RequestIsWritten_BothStream(void **state)
{
    (void)state;
    struct wire *w = get("local c = mt.http.open{url = 'h2c://h/chat', method = 'POST'}\n"
                         "note(c.status, c:write('one', 2))\n"
                         "note(c:read())\n"
                         "c:append_trailer('x-sum', '7')\n"
                         "note(c:finish('three'))\n"
                         "note(c:response() == c, c.status, c:body(), c:trailers()['x-end'])");
    other_expect(w, 0, "POST http://h/chat\n\none2");
    wire_expect_notes(w, "nil true\n");
    other_head(w, 0, 200, "");
    other_body(w, 0, "pong", 4);
    wire_expect_notes(w, "pong\ntrue\n");
    other_expect(w, 0, "three|x-sum: 7\n");
    other_body(w, 0, "bye", 3);
    other_end(w, 0, "x-end: yes\n");
    wire_expect_notes(w, "true 200 bye yes\n");
}

static void Open_OtherServerWantsNoMore_WriteTells(void **state)
{
    (void)state;
    struct wire *w = get("local c = mt.http.open{url = 'http://h/', method = 'POST'}\n"
                         "note(c:body()) mt.sleep(0) note(c:write('x'), c:finish())");
    other_expect(w, 0, "POST http://h/\n\n");
    other_head(w, 0, 200, "");
    other_end(w, 0, "");
    other_done(w, 0, CALL_WHOLE, "");
    wire_wait(w);
    wire_expect_notes(w, "\nfalse false\n");
}

static void Options_AreTaken(void **state)
{
    (void)state;
    struct wire *w = get("mt.http.request{url = 'https://h:1/', method = 'PUT', path = '/p?q',\n"
                         "    headers = {host = 'other', ['X-A'] = 1, ['x-b'] = {'2', '3'}},\n"
                         "    body = 'b', connect_timeout = 2, idle_timeout = 3, version = '1.1',\n"
                         "    verify = false, ca = '/ca.pem'}");
    wire_settle(w);
    const struct call_options *o = other_options(0);
    assert_int_equal(o->version, CALL_HTTP_1);
    assert_true(o->insecure);
    assert_true(o->connect_timeout > 1.9 && o->connect_timeout < 2.1);
    assert_true(o->idle_timeout > 2.9 && o->response_timeout > 2.9);
    assert_int_equal(other_take(w, 0), strlen("PUT https://other/p?q\n"
                                              "x-a: 1\nx-b: 2\nx-b: 3\n"
                                              "content-length: 1\n\n"
                                              "b|"));
    other_answer(w, 0, 200, "");
}

static void Options_Wrong_Raise(void **state)
{
    (void)state;
    struct wire *w =
        get("local function try(o)\n"
            "    note((select(2, pcall(mt.http.request, o)):gsub('^[^:]*:%d+: ', '')))\n"
            "end\n"
            "try{} try{url = 1} try{url = 'ftp://h/'} try{url = 'http://h/', nix = 1}\n"
            "try{url = 'http://h/', headers = {['a b'] = 'x'}}\n"
            "try{url = 'http://h/', headers = {a = 'x\\r\\ny: z'}}\n"
            "try{url = 'http://h/', headers = {connection = 'x'}}\n"
            "try{url = 'http://h/', headers = {['content-length'] = 'x'}}\n"
            "try{url = 'http://h/', headers = {['content-length'] = '3'}, body = 'four'}\n"
            "try{url = 'http://h/', timeout = 0} try{url = 'http://h/', version = '3'}\n"
            "try{url = 'http://h/', body = 1} try{url = 'http://h/', verify = 'no'}\n"
            "note((select(2, pcall(mt.http.open, {url = 'http://h/', body = 'x'}))))");
    other_expect_none(w);
    wire_expect_notes(w,
        "url is missing\n"
        "url is a string, not a number\n"
        "GET ftp://h/: upstream \"ftp://h/\" begins with none of http://, https://, h2c://, "
        "unix:\n"
        "a request has no option nix\n"
        "header \"a b\" is not a valid field name\n"
        "header \"a\" has a value with a control character (CR, LF, NUL or the "
        "like)\n"
        "header \"connection\" is specific to the connection and set by the server\n"
        "header \"content-length\" is not a number\n"
        "the body has not the length that content-length says\n"
        "timeout is not above 0, or over 1e8 seconds\n"
        "version is \"1.1\" or \"2\"\n"
        "body is a string or a function, not a number\n"
        "verify is true or false, not a string\n"
        "open takes no body: write it with call:write\n");
}

static void expect_failure(enum call_end how, const char *why, const char *notes)
{
    struct wire *w = get(TRY("mt.http.get('http://h/x')"));
    other_done(w, 0, how, why);
    wire_expect_notes(w, notes);
    wire_close(w);
}

static void Call_Fails_ErrorNamesTheUrlAndWhy(void **state)
{
    (void)state;
    expect_failure(CALL_UNREACHABLE, "connection refused",
        "GET http://h/x: no connection: connection refused\n");
    expect_failure(CALL_CONNECT_TIMED_OUT, "connect-timeout",
        "GET http://h/x: no connection: connect-timeout\n");
    expect_failure(
        CALL_TIMED_OUT, "response-timeout", "GET http://h/x: timed out: response-timeout\n");
    expect_failure(CALL_REFUSED, "GOAWAY", "GET http://h/x: refused: GOAWAY\n");
    expect_failure(CALL_RESET, "", "GET http://h/x: reset: NO_ERROR\n");
    expect_failure(CALL_LOST, "end of file", "GET http://h/x: connection lost: end of file\n");
}

static void Call_FailsWithinTheBody_WhatCameIsReadFirst(void **state)
{
    (void)state;
    struct wire *w =
        get("local r = mt.http.get('http://h/x')\n"
            "mt.sleep(0) note(r:read())\n" TRY("r:read()") "\n" TRY("r:body()") "\n"
                                                                                "note(r.failure)");
    other_head(w, 0, 200, "");
    other_body(w, 0, "part", 4);
    other_done(w, 0, CALL_LOST, "cut");
    wire_wait(w);
    wire_expect_notes(w, "part\n"
                         "GET http://h/x: connection lost: cut\n"
                         "GET http://h/x: connection lost: cut\n"
                         "lost\n");
}

static void Call_FailsWhileExactBytesAreAwaited_Raises(void **state)
{
    (void)state;
    struct wire *w = get("local r = mt.http.get('http://h/x')\n" TRY("r:read_exactly(9)"));
    other_head(w, 0, 200, "");
    other_body(w, 0, "part", 4);
    other_expect_held(w, 0);
    other_done(w, 0, CALL_LOST, "cut");
    wire_expect_notes(w, "GET http://h/x: connection lost: cut\n");
}

static void Call_RefusedAtOnce_Raises(void **state)
{
    (void)state;
    struct wire *w = other_open(TRY("mt.http.get('http://h/x')"));
    other_refuse("too many calls wait");
    wire_get(w, "/");
    wire_expect_notes(w, "GET http://h/x: refused: too many calls wait\n");
    wire_expect(w, DONE("1"));
}

static void Call_OpenedAndRefusedAtOnce_RaisesWhereItIsUsed(void **state)
{
    (void)state;
    struct wire *w = other_open("local c = mt.http.open({url='http://h/x', method='POST'})\n"
                                "note(c.failure)\n" TRY("c:write('a')") "\n" TRY("c:response()"));
    other_refuse("too many calls wait");
    wire_get(w, "/");
    wire_expect_notes(w, "refused\n"
                         "POST http://h/x: refused: too many calls wait\n"
                         "POST http://h/x: refused: too many calls wait\n");
    wire_expect(w, DONE("1"));
}

static void Timeout_Passes_RaisesAndResets(void **state)
{
    (void)state;
    struct wire *w = get(
        TRY("mt.http.get('http://h/x', {timeout = 0.01})") "\n"
                                                           "local r = mt.http.get('http://h/y', "
                                                           "{timeout = 0.01})\n" TRY("r:body()"));
    wire_wait(w);
    wire_expect_notes(w, "GET http://h/x: timed out after 0.01 s\n");
    other_expect_cancelled(w, 0, ERROR_CANCEL);
    other_head(w, 1, 200, "");
    wire_wait(w);
    wire_expect_notes(w, "GET http://h/y: timed out after 0.01 s\n");
    other_expect_cancelled(w, 1, ERROR_CANCEL);
}

static void Timeout_CallIsWholeInTime_NothingIsLeftOfIt(void **state)
{
    (void)state;
    struct wire *w = get("local r = mt.http.get('http://h/x', {timeout = 0.01})\n"
                         "mt.sleep(0.03) note(r:body(), r.failure)");
    other_expect(w, 0, "GET http://h/x\n\n|");
    other_answer(w, 0, 200, "in time");
    wire_wait(w);
    wire_expect_notes(w, "in time nil\n");
}

static void Deadline_OfTheRequestPasses_CallIsReset(void **state)
{
    (void)state;
    struct wire *w = get("ctx:deadline(0.01)" TRY("mt.http.get('http://h/x')"));
    wire_wait(w);
    wire_expect_notes(w, "timeout: deadline exceeded\n");
    other_expect_cancelled(w, 0, ERROR_CANCEL);
}

static void Request_IsAborted_CallsAreReset(void **state)
{
    (void)state;
    struct wire *w = get("local r = mt.http.get('http://h/first')\n"
                         "mt.http.get('http://h/second')");
    other_head(w, 0, 200, "");
    other_expect_held(w, 1);
    wire_reset(w, 1, ERROR_CANCEL);
    other_expect_cancelled(w, 1, ERROR_CANCEL);
    other_expect_cancelled(w, 0, ERROR_CANCEL);
    wire_expect_tasks(w, 0, 0);
}

static void Request_IsAbortedBeforeItsHandlerHasRun_NoCallIsMade(void **state)
{
    (void)state;
    struct wire *w = get("mt.http.get('http://h/')");
    wire_reset(w, 1, ERROR_CANCEL);
    other_expect_none(w);
}

static void Handler_ReturnsWithTheResponseUnread_CallIsReset(void **state)
{
    (void)state;
    struct wire *w = get("kept = mt.http.get('http://h/')");
    other_head(w, 0, 200, "");
    wire_expect(w, DONE("1"));
    other_expect_cancelled(w, 0, ERROR_CANCEL);
}

static void Response_IsKeptAfterItsRequest_IsClosed(void **state)
{
    (void)state;
    struct wire *w = get("if ctx.query then " TRY("kept:body()") TRY(
        "return kept.headers.a") " note(kept.status) else kept = mt.http.get('http://h/') end");
    other_head(w, 0, 200, "a: b\n");
    wire_get(w, "/?x");
    wire_expect_notes(w, "GET http://h/: the response is closed\n"
                         "GET http://h/: the response is closed\n200\n");
}

static void Response_Collected_CallIsReset(void **state)
{
    (void)state;
    struct wire *w = get("mt.http.get('http://h/') collectgarbage() mt.sleep(1000)");
    other_head(w, 0, 200, "");
    other_expect_cancelled(w, 0, ERROR_CANCEL);
    wire_expect_tasks(w, 1, 1);
}

static void Response_Closed_CallIsResetAndReadersAreTold(void **state)
{
    (void)state;
    struct wire *w = get("local r = mt.http.get('http://h/')\n"
                         "local t = mt.spawn(function() " TRY("r:read()") " end) mt.sleep(0)\n" TRY(
                             "r:read()") "r:close() r:close() t:join()\n" TRY("r:read()"));
    other_head(w, 0, 200, "");
    wire_wait(w);
    wire_expect_notes(w, "another task is reading this response\n"
                         "GET http://h/: the response is closed\n"
                         "GET http://h/: the response is closed\n");
    other_expect_cancelled(w, 0, ERROR_CANCEL);
}

static void Response_EndsWithItsVariable_CallIsReset(void **state)
{
    (void)state;
    struct wire *w = get("do local r <close> = mt.http.get('http://h/') end mt.sleep(1000)");
    other_head(w, 0, 200, "");
    other_expect_cancelled(w, 0, ERROR_CANCEL);
}

static void Response_IsReadWhole_NothingIsReset(void **state)
{
    (void)state;
    struct wire *w = get("note(mt.http.get('http://h/'):body())");
    other_expect(w, 0, "GET http://h/\n\n|");
    other_answer(w, 0, 200, "all");
    wire_expect_notes(w, "all\n");
    wire_expect(w, DONE("1"));
}

static void Body_OverItsLimit_RaisesAndResets(void **state)
{
    (void)state;
    struct wire *w = get("local r = mt.http.get('http://h/')" TRY("r:body(4)"));
    other_head(w, 0, 200, "");
    other_body(w, 0, "hello", 5);
    wire_expect_notes(w, "GET http://h/: the response's body is larger than 4 bytes\n");
    other_expect_cancelled(w, 0, ERROR_CANCEL);
}

static void Trailers_BeforeTheEnd_Raise(void **state)
{
    (void)state;
    struct wire *w = get("local r = mt.http.get('http://h/')\n" TRY(
        "r:trailers()") "\n"
                        "r:body() local joined, list = r:trailers()\n"
                        "note(joined.a, #list, list[2][1], list[2][2])");
    other_expect(w, 0, "GET http://h/\n\n|");
    other_head(w, 0, 200, "");
    other_end(w, 0, "a: 1\na: 2\n");
    wire_expect_notes(w, "the response's trailers come after its body, which is not read to its "
                         "end\n1, 2 2 a 2\n");
}

static void All_SeveralAtOnce_ResponsesAreTheCallersToRead(void **state)
{
    (void)state;
    struct wire *w = get("local a, b = mt.all(function() return mt.http.get('http://a/') end,\n"
                         "                    function() return mt.http.get('http://b/') end)\n"
                         "note(a:body(), b:body())");
    other_expect(w, 0, "GET http://a/\n\n|");
    other_expect(w, 1, "GET http://b/\n\n|");
    other_answer(w, 1, 200, "two");
    other_head(w, 0, 200, "");
    wire_expect_notes(w, "");
    other_body(w, 0, "one", 3);
    other_end(w, 0, "");
    wire_expect_notes(w, "one two\n");
}

static void All_OneFails_TheOthersAreReset(void **state)
{
    (void)state;
    struct wire *w = get(TRY("mt.all(function() return mt.http.get('http://a/') end,\n"
                             "       function() return mt.http.get('http://b/') end)"));
    other_expect_held(w, 1);
    other_done(w, 0, CALL_LOST, "cut");
    wire_expect_notes(w, "GET http://a/: connection lost: cut\n");
    other_expect_cancelled(w, 1, ERROR_CANCEL);
}

static void Spawn_OutlivesItsRequest_ItsCallGoesOn(void **state)
{
    (void)state;
    struct wire *w = get("mt.spawn(function() note(mt.http.get('http://h/'):body()) end)");
    wire_expect(w, DONE("1"));
    other_expect(w, 0, "GET http://h/\n\n|");
    other_answer(w, 0, 200, "late");
    wire_expect_notes(w, "late\n");
}

static void Spawn_Joined_ResponseIsTheJoinersToRead(void **state)
{
    (void)state;
    struct wire *w = get("local t = mt.spawn(mt.http.get, 'http://h/') mt.sleep(0)\n"
                         "note(t:join():body())");
    other_expect(w, 0, "GET http://h/\n\n|");
    other_head(w, 0, 200, "");
    wire_wait(w);
    other_body(w, 0, "x", 1);
    other_end(w, 0, "");
    wire_expect_notes(w, "x\n");
}

static void Spawn_Cancelled_CallIsReset(void **state)
{
    (void)state;
    struct wire *w = get("local t = mt.spawn(mt.http.get, 'http://h/') mt.sleep(0) t:cancel()\n"
                         "mt.sleep(1000)");
    wire_wait(w);
    other_expect_cancelled(w, 0, ERROR_CANCEL);
}

static void Generation_Closes_CallsOfItsTasksAreReset(void **state)
{
    (void)state;
    struct wire *w = get("mt.spawn(function() mt.http.get('http://h/') end)");
    other_expect_held(w, 0);
    wire_reload(w, "return function() end");
    other_expect_cancelled(w, 0, ERROR_CANCEL);
    wire_expect_tasks(w, 0, 0);
}

static void Server_Stops_CallsUnderWayAreReset(void **state)
{
    (void)state;
    struct wire *w = get("mt.http.post('http://h/', function() mt.sleep(1000) end)");
    other_expect_held(w, 0);
    wire_drop(w, cut_of(CUT_SHUTDOWN));
    other_expect_cancelled(w, 0, ERROR_CANCEL);
}

static void Script_Loads_CallsAreNotPossible(void **state)
{
    (void)state;
    wire_expect_unloadable("mt.http.get('http://h/')", "cannot wait while a script loads");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Get_Answered_GivesResponse),
        wire_test(Get_HeadIsThere_ReadsTheBodyAsItComes),
        wire_test(Read_Exactly_WaitsForAllOfIt),
        wire_test(Post_String_SentWithItsLength),
        wire_test(Post_LongString_SentAsTheOtherServerTakesIt),
        wire_test(Post_Function_SentAsItGivesPieces),
        wire_test(Post_FunctionGivesMuch_WaitsForTheOtherServer),
        wire_test(Upload_Fails_ResponseRaisesItsErrorAndTheCallIsReset),
        wire_test(Upload_GivesNoString_ResponseRaises),
        wire_test(Upload_ResponseIsWholeFirst_GoesOnUntilNobodyWantsIt),
        wire_test(Open_RequestIsWritten_BothStream),
        wire_test(Open_OtherServerWantsNoMore_WriteTells),
        wire_test(Options_AreTaken),
        wire_test(Options_Wrong_Raise),
        wire_test(Call_Fails_ErrorNamesTheUrlAndWhy),
        wire_test(Call_FailsWithinTheBody_WhatCameIsReadFirst),
        wire_test(Call_FailsWhileExactBytesAreAwaited_Raises),
        wire_test(Call_RefusedAtOnce_Raises),
        wire_test(Call_OpenedAndRefusedAtOnce_RaisesWhereItIsUsed),
        wire_test(Timeout_Passes_RaisesAndResets),
        wire_test(Timeout_CallIsWholeInTime_NothingIsLeftOfIt),
        wire_test(Deadline_OfTheRequestPasses_CallIsReset),
        wire_test(Request_IsAborted_CallsAreReset),
        wire_test(Request_IsAbortedBeforeItsHandlerHasRun_NoCallIsMade),
        wire_test(Handler_ReturnsWithTheResponseUnread_CallIsReset),
        wire_test(Response_IsKeptAfterItsRequest_IsClosed),
        wire_test(Response_Collected_CallIsReset),
        wire_test(Response_Closed_CallIsResetAndReadersAreTold),
        wire_test(Response_EndsWithItsVariable_CallIsReset),
        wire_test(Response_IsReadWhole_NothingIsReset),
        wire_test(Body_OverItsLimit_RaisesAndResets),
        wire_test(Trailers_BeforeTheEnd_Raise),
        wire_test(All_SeveralAtOnce_ResponsesAreTheCallersToRead),
        wire_test(All_OneFails_TheOthersAreReset),
        wire_test(Spawn_OutlivesItsRequest_ItsCallGoesOn),
        wire_test(Spawn_Joined_ResponseIsTheJoinersToRead),
        wire_test(Spawn_Cancelled_CallIsReset),
        wire_test(Generation_Closes_CallsOfItsTasksAreReset),
        wire_test(Server_Stops_CallsUnderWayAreReset),
        wire_test(Script_Loads_CallsAreNotPossible),
    };
    return cmocka_run_group_tests_name("session/http", tests, NULL, NULL);
}

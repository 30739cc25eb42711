/* HTTP/1.x in the client role: requests as they go out, responses as they are taken. */
#include "support/caller.h"

#include <string.h>

#define GET "GET /a?b HTTP/1.1\nhost: test.example\n\n"

static void add_header(struct call *c, const char *name, const char *value)
{
    assert_int_equal(outgoing_set_header(&c->request, str_of(name), str_of(value)), RC_OK);
}

static void Request_Whole_AsSaid(void **state)
{
    (void)state;
    struct caller *c = caller_open_1(0);
    struct call *call = caller_aim(c, 0, "GET", "/a?b");
    add_header(call, "X-One", " 1 ");
    add_header(call, "te", "trailers");
    add_header(call, "host", "other.example");
    assert_int_equal(call_finish(call), RC_OK);
    caller_begin(c, 0);
    caller_expect_sent(c, "GET /a?b HTTP/1.1\nhost: test.example\nx-one: 1\nte: trailers\n"
                          "connection: te\n\n");
}

static void Request_EmptyBody_LengthWhereContentIsMeant(void **state)
{
    (void)state;
    static const struct {
        const char *method, *length;
    } cases[] = {{"POST", "content-length: 0\n"}, {"PUT", "content-length: 0\n"},
        {"PATCH", "content-length: 0\n"}, {"GET", ""}, {"HEAD", ""}, {"DELETE", ""},
        {"OPTIONS", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct caller *c = caller_open_1(0);
        struct text expected = {0};
        caller_aim(c, 0, cases[i].method, "/");
        caller_finish(c, 0);
        caller_begin(c, 0);
        text_print(
            &expected, "%s / HTTP/1.1\nhost: test.example\n%s\n", cases[i].method, cases[i].length);
        caller_expect_sent(c, text_of(&expected));
        text_clear(&expected);
        caller_close(c);
    }
}

static void Request_BodyWholeBeforeHead_Length(void **state)
{
    (void)state;
    struct caller *c = caller_open_1(1);
    caller_aim(c, 0, "POST", "/");
    caller_write(c, 0, "Hello");
    caller_finish(c, 0);
    caller_begin(c, 0);
    caller_expect_sent(c, "POST / HTTP/1.1\nhost: test.example\ncontent-length: 5\n\nHello");
}

static void Request_BodyOfUnknownLength_ChunksAndTrailers(void **state)
{
    (void)state;
    struct caller *c = caller_open_1(0);
    struct call *call = caller_aim(c, 0, "POST", "/");
    caller_begin(c, 0);
    caller_expect_sent(c, "");
    caller_write(c, 0, "Hello");
    caller_expect_sent(
        c, "POST / HTTP/1.1\nhost: test.example\ntransfer-encoding: chunked\n\n5\nHello\n");
    assert_int_equal(outgoing_append_trailer(&call->request, STR("Sum"), STR("1")), RC_OK);
    caller_finish(c, 0);
    caller_expect_sent(c, "0\nsum: 1\n\n");
}

static void Request_LengthSet_NoChunks(void **state)
{
    (void)state;
    struct caller *c = caller_open_1(0);
    struct call *call = caller_aim(c, 0, "PUT", "/");
    add_header(call, "content-length", "5");
    caller_begin(c, 0);
    caller_write(c, 0, "Hel");
    caller_expect_sent(c, "PUT / HTTP/1.1\nhost: test.example\ncontent-length: 5\n\nHel");
    caller_write(c, 0, "lo");
    caller_finish(c, 0);
    caller_expect_sent(c, "lo");
}

static void Aim_WhatWouldSplitARequest_Refused(void **state)
{
    (void)state;
    static const struct {
        const char *method, *authority, *target;
    } cases[] = {
        {"GET ", "a", "/"},
        {"G\r\nX", "a", "/"},
        {"", "a", "/"},
        {"CONNECT", "a", "/"},
        {"GET", "", "/"},
        {"GET", "a b", "/"},
        {"GET", "a\r\nx: y", "/"},
        {"GET", "a/b", "/"},
        {"GET", "u@a", "/"},
        {"GET", "a:x", "/"},
        {"GET", "a", ""},
        {"GET", "a", "b"},
        {"GET", "a", "/ b"},
        {"GET", "a", "/\r\n"},
        {"GET", "a", "/#"},
        {"GET", "a", "/\x80"},
        {"GET", "a", "http://b/"},
        {"GET", "a", "*b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct call call;
        call_init(&call, NULL);
        enum rc rc = call_aim(&call, str_of(cases[i].method), STR("http"),
            str_of(cases[i].authority), str_of(cases[i].target));
        if (rc != RC_INVALID)
            stage_fail("case %zu gives %d", i, rc);
        call_fini(&call);
    }
}

static void Response_OfLength_TakenAndConnectionKept(void **state)
{
    (void)state;
    for (size_t grain = 0; grain < 3; grain++) {
        struct caller *c = caller_open_1(grain);
        caller_get(c, 0, "/a?b");
        caller_expect_sent(c, GET);
        caller_expect_room(c, 0);
        caller_say(c, "HTTP/1.1 200 OK\nX-One: 1\nContent-Length: 5\n\nHello");
        caller_expect(
            c, "0 head HTTP/1.1 200 x-one=1 content-length=5\n0 body 'Hello'\n0 done whole\n");
        caller_expect_room(c, 1);
        caller_get(c, 1, "/a?b");
        caller_expect_sent(c, GET);
        caller_say(c, "HTTP/1.1 404 \n\n");
        caller_expect(c, "1 head HTTP/1.1 404\n");
        caller_end_input(c);
        caller_expect(c, "1 done whole\n");
        assert_null(c->session);
        caller_close(c);
    }
}

static void Response_InChunks_TakenWithItsTrailers(void **state)
{
    (void)state;
    for (size_t grain = 0; grain < 3; grain++) {
        struct caller *c = caller_open_1(grain);
        caller_get(c, 0, "/a?b");
        caller_settle(c);
        caller_say(c, "HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n5;x\nHello\n1\n!\n0\n"
                      "Sum: 1\ncontent-length: 3\n\n");
        caller_expect(c, "0 head HTTP/1.1 200\n0 body 'Hello!'\n0 trailers sum=1\n0 done whole\n");
        caller_expect_room(c, 1);
        caller_close(c);
    }
}

static void Response_Interim_TakenEach(void **state)
{
    (void)state;
    struct caller *c = caller_open_1(1);
    caller_get(c, 0, "/a?b");
    caller_settle(c);
    caller_say(c, "HTTP/1.1 100 Continue\n\nHTTP/1.1 103 Early Hints\nlink: x\n\n"
                  "HTTP/1.1 204 No Content\ny: z\n\n");
    caller_expect(
        c, "0 interim 100\n0 interim 103 link=x\n0 head HTTP/1.1 204 y=z\n0 done whole\n");
    caller_expect_room(c, 1);
}

static void Response_WithoutContent_LengthMeansNothing(void **state)
{
    (void)state;
    struct caller *c = caller_open_1(0);
    caller_aim(c, 0, "HEAD", "/");
    caller_finish(c, 0);
    caller_begin(c, 0);
    caller_settle(c);
    caller_say(c, "HTTP/1.1 200 OK\ncontent-length: 5\n\n");
    caller_expect(c, "0 head HTTP/1.1 200 content-length=5\n0 done whole\n");
    caller_get(c, 1, "/");
    caller_settle(c);
    caller_say(c, "HTTP/1.1 304 Not Modified\ncontent-length: 5\n\n");
    caller_expect(c, "1 head HTTP/1.1 304 content-length=5\n1 done whole\n");
    caller_expect_room(c, 1);
}

static void Response_UntilClose_EndsWithTheConnection(void **state)
{
    (void)state;
    struct caller *c = caller_open_1(0);
    caller_get(c, 0, "/");
    caller_settle(c);
    caller_say(c, "HTTP/1.0 200 OK\n\nHel");
    caller_expect(c, "0 head HTTP/1.0 200\n0 body 'Hel'\n");
    caller_say(c, "lo");
    caller_end_input(c);
    caller_expect(c, "0 body 'lo'\n0 done whole\n");
    assert_null(c->session);
}

static void Response_ConnectionFields_Dropped(void **state)
{
    (void)state;
    struct caller *c = caller_open_1(0);
    caller_get(c, 0, "/");
    caller_settle(c);
    caller_say(c, "HTTP/1.1 200 OK\nConnection: X-Hop, keep-alive\nx-hop: 1\nKeep-Alive: 5\n"
                  "Upgrade: h2c\nx-end: 2\nconnection: x-two\nx-two: 3\ncontent-length: 0\n\n");
    caller_expect(c, "0 head HTTP/1.1 200 x-end=2 content-length=0\n0 done whole\n");
    caller_expect_room(c, 1);
}

/* Connections that are not used again. */

static void Response_EndsConnection_NotKept(void **state)
{
    (void)state;
    static const char *const responses[] = {
        "HTTP/1.1 200 OK\nconnection: close\ncontent-length: 0\n\n",
        "HTTP/1.0 200 OK\ncontent-length: 0\n\n",
        "HTTP/1.1 200 OK\ncontent-length: 0\n\nHTTP/1.1 200 OK\ncontent-length: 0\n\n",
        "HTTP/1.1 200 OK\ncontent-length: 0\n\n\n",
    };
    for (size_t i = 0; i < sizeof responses / sizeof *responses; i++) {
        struct caller *c = caller_open_1(0);
        caller_get(c, 0, "/");
        caller_settle(c);
        caller_say(c, responses[i]);
        caller_settle(c);
        assert_non_null(strstr(text_of(&c->notes), "0 done whole\n"));
        assert_null(c->session);
        caller_close(c);
    }
}

static void Response_KeepAliveOf10_Kept(void **state)
{
    (void)state;
    struct caller *c = caller_open_1(0);
    caller_get(c, 0, "/");
    caller_settle(c);
    caller_say(c, "HTTP/1.0 200 OK\nconnection: keep-alive\ncontent-length: 0\n\n");
    caller_expect(c, "0 head HTTP/1.0 200 content-length=0\n0 done whole\n");
    caller_expect_room(c, 1);
}

static void Response_NobodyAsked_ConnectionEnds(void **state)
{
    (void)state;
    struct caller *c = caller_open_1(0);
    caller_say(c, "HTTP/1.1 408 Request Timeout\n\n");
    caller_expect(c, "");
    assert_null(c->session);
    caller_close(c);
    c = caller_open_1(0);
    caller_get(c, 0, "/");
    caller_say(c, "HTTP/1.1 200 OK\ncontent-length: 0\n\n"); /* before the request went */
    caller_expect(c, "0 done lost: a response that nobody asked for\n");
    assert_false(c->calls[0].call.began);
}

/* Requests and responses that overlap. */

static void Response_BeforeRequestEnds_RequestGoesOn(void **state)
{
    (void)state;
    struct caller *c = caller_open_1(0);
    caller_aim(c, 0, "POST", "/");
    caller_begin(c, 0);
    caller_write(c, 0, "one");
    caller_settle(c);
    caller_say(c, "HTTP/1.1 200 OK\ncontent-length: 2\n\nok");
    caller_expect(c, "0 head HTTP/1.1 200 content-length=2\n0 body 'ok'\n0 ended\n");
    assert_true(call_sending(&c->calls[0].call));
    caller_expect_room(c, 0);
    caller_write(c, 0, "two");
    caller_finish(c, 0);
    caller_expect(c, "0 done whole\n");
    caller_expect_room(c, 1);
    caller_expect_sent(c, "POST / HTTP/1.1\nhost: test.example\ntransfer-encoding: chunked\n\n"
                          "3\none\n3\ntwo\n0\n\n");
}

static void Response_BeforeRequestEndsWithClose_NoMoreIsSent(void **state)
{
    (void)state;
    struct caller *c = caller_open_1(0);
    caller_aim(c, 0, "POST", "/");
    caller_begin(c, 0);
    caller_write(c, 0, "one");
    caller_settle(c);
    caller_say(c, "HTTP/1.1 413 Too Large\nconnection: close\ncontent-length: 0\n\n");
    caller_expect(c, "0 head HTTP/1.1 413 content-length=0\n0 done whole\n");
    assert_null(c->session);
    assert_false(call_sending(&c->calls[0].call));
}

static void Cancel_UnderWay_ConnectionEnds(void **state)
{
    (void)state;
    struct caller *c = caller_open_1(0);
    caller_get(c, 0, "/");
    caller_settle(c);
    caller_say(c, "HTTP/1.1 200 OK\ncontent-length: 5\n\nHel");
    caller_expect(c, "0 head HTTP/1.1 200 content-length=5\n0 body 'Hel'\n");
    call_cancel(&c->calls[0].call, ERROR_CANCEL);
    assert_int_equal(c->calls[0].call.state, CALL_DONE);
    caller_expect(c, "");
    assert_null(c->session);
}

/* Of what is not read no more is taken than fits. */
static void Response_OwnerDoesNotRead_HeldUp(void **state)
{
    (void)state;
    enum { PIECE = 10000 };
    struct caller *c = caller_open_1(0);
    struct text body = {0};
    caller_get(c, 0, "/");
    c->calls[0].unread = true;
    caller_settle(c);
    caller_say(c, "HTTP/1.1 200 OK\ncontent-length: 200000\n\n");
    text_print(&body, "%0*d", PIECE, 0);
    size_t said = 0;
    while (c->session->ops->wants_input(c->session)) {
        caller_raw(c, body.p, PIECE);
        said += PIECE;
    }
    assert_int_equal(c->calls[0].call.body.len, c->http.stream_window);
    assert_int_equal(said, 70000);
    caller_end_input(c);
    assert_non_null(c->session);
    c->calls[0].unread = false;
    caller_settle(c);
    assert_null(c->session);
    assert_non_null(strstr(text_of(&c->notes), "done lost: the response is cut short"));
    text_clear(&body);
}

/* The same with chunks, whose lines come in one piece with what is behind them. */
static void Response_InChunksNobodyReads_HeldUpAndWhole(void **state)
{
    (void)state;
    enum { CHUNK = 10000, CHUNKS = 20 };
    struct caller *c = caller_open_1(0);
    struct text body = {0};
    caller_get(c, 0, "/");
    c->calls[0].unread = true;
    caller_settle(c);
    text_print(&body, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    for (int i = 0; i < CHUNKS; i++)
        text_print(&body, "%x\r\n%0*d\r\n", CHUNK, CHUNK, 0);
    text_print(&body, "0\r\n\r\n");
    caller_raw(c, body.p, body.n);
    text_clear(&body);
    caller_expect(c, "0 head HTTP/1.1 200\n");
    assert_int_equal(c->calls[0].call.body.len, c->http.stream_window);
    c->calls[0].unread = false;
    caller_expect(c, "0 body '(200000 bytes)'\n0 done whole\n");
    caller_expect_room(c, 1);
}

/* The owner may free a call as it is told of the end, whatever that is. Only a sanitizer can fail
 * it. */
static void Done_CallFreedAtOnce_NotLookedAt(void **state)
{
    (void)state;
    static const char *const responses[] = {
        "HTTP/1.1 200 OK\ncontent-length: 5\n\nHello",
        "HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n1\na\n0\na: b\n\n",
        "HTTP/1.1 200 OK\ncontent-length: 5\n\nHello and more",
        "HTTP/1.1 200 OK\nconnection: close\ncontent-length: 0\n\n",
        "HTTP/1.1 200 OK\n\nHel",
        "HTTP/1.1 200 OK\na b\n\n",
        "HTTP/1.1 100 Continue\n\n",
        "",
    };
    for (size_t i = 0; i < sizeof responses / sizeof *responses; i++)
        for (int way = 0; way < 6; way++) {
            struct caller *c = caller_open_1(way % 2);
            c->frees = true;
            caller_aim(c, 0, "POST", "/");
            caller_write(c, 0, "body");
            if (way < 4)
                caller_finish(c, 0);
            caller_begin(c, 0);
            caller_settle(c);
            caller_say(c, responses[i]);
            if (way > 1 && c->session)
                caller_end_input(c);
            caller_close(c);
        }
}

/* Responses that are none. */

static const struct {
    const char *bytes, *why;
} malformed[] = {
    {"HTTP/1.1 200 OK\n\x01: a\n\n", "a malformed field"},
    {"HTTP/1.1 200 OK\na b: c\n\n", "a malformed field"},
    {"HTTP/1.1 200 OK\na\n\n", "a malformed field"},
    {"HTTP/1.1 200 OK\na: b\n c\n\n", "a field on several lines"},
    {"HTTP/1.1 200 OK\na: b\001\n\n", "a control character in a line"},
    {"HTTP/1.1 200 OK\ncontent-length: 1\ncontent-length: 1\n\n", "content-length twice"},
    {"HTTP/1.1 200 OK\ncontent-length: +1\n\n", "a malformed content-length"},
    {"HTTP/1.1 200 OK\ncontent-length: 1\ntransfer-encoding: chunked\n\n",
        "content-length and transfer-encoding"},
    {"HTTP/1.1 200 OK\ntransfer-encoding: gzip\n\n",
        "a transfer-encoding that does not end in one chunked"},
    {"HTTP/1.1 200 OK\ntransfer-encoding: gzip, chunked\n\n", "a transfer coding beside chunked"},
    {"HTTP/1.0 200 OK\ntransfer-encoding: chunked\n\n", "transfer-encoding in HTTP/1.0"},
    {"HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\nx\n", "a malformed chunk"},
    {"HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n1\nab", "a malformed chunk"},
    {"HTTP/1.1 20 OK\n\n", "a malformed start line"},
    {"HTTP/1.1  200 OK\n\n", "a malformed start line"},
    {"HTTP/2.0 200 OK\n\n", "a version that is not of HTTP/1"},
    {"\nHTTP/1.1 200 OK\n\n", "empty lines before a request"},
    {"HTTP/1.1 101 Switching Protocols\nupgrade: x\n\n", "it switches protocols"},
    {"{\"no\": \"http\"}", "a malformed start line"},
};

static void Malformed_Each_CallAndConnectionEnd(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
        for (size_t grain = 0; grain < 2; grain++) {
            struct caller *c = caller_open_1(grain);
            caller_get(c, 0, "/");
            caller_settle(c);
            caller_say(c, malformed[i].bytes);
            caller_settle(c);
            struct text expected = {0};
            text_print(&expected, "done no HTTP: %s\n", malformed[i].why);
            if (!strstr(text_of(&c->notes), text_of(&expected)))
                stage_fail("case %zu: no\n  %s\nin\n%s", i, text_of(&expected), text_of(&c->notes));
            assert_null(c->session);
            text_clear(&expected);
            caller_close(c);
        }
}

/* A response that is cut off at each of its bytes. */
static void CutShort_AtEachByte_CallLost(void **state)
{
    (void)state;
    static const char whole[] = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                                "3\r\nabc\r\n0\r\nsum: 1\r\n\r\n";
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        struct caller *c = caller_open_1(0);
        caller_get(c, 0, "/");
        caller_settle(c);
        caller_raw(c, whole, n);
        caller_end_input(c);
        const char *why =
            n ? "0 done lost: the response is cut short\n" : "0 done lost: no response\n";
        if (!strstr(text_of(&c->notes), why))
            stage_fail("cut at %zu:\n%s", n, text_of(&c->notes));
        assert_int_equal(c->calls[0].call.began, n > 0);
        assert_null(c->session);
        caller_close(c);
    }
}

/* They cost the server nothing, and us a look at each. */
static void Interims_TooMany_CallLost(void **state)
{
    (void)state;
    struct caller *c = caller_open_1(0);
    struct call *call = caller_get(c, 0, "/a?b");
    caller_settle(c);
    call->progressed = 1;
    for (int i = 0; i < CALL_INTERIMS_MAX; i++)
        caller_say(c, i % 2 ? "HTTP/1.1 100 Continue\n\n" : "HTTP/1.1 102 Processing\n\n");
    caller_settle(c);
    assert_int_equal(call->state, CALL_HELD);
    assert_true(call->progressed == 1);
    text_clear(&c->notes);
    caller_say(c, "HTTP/1.1 102 Processing\n\n");
    caller_expect(c, "0 done no HTTP: too many interim responses\n");
}

static void TooLarge_HeadAndEndlessInterims_CallLost(void **state)
{
    (void)state;
    struct caller *c = caller_open_1(0);
    caller_get(c, 0, "/");
    caller_settle(c);
    caller_say(c, "HTTP/1.1 200 OK\n");
    for (int i = 0; i < 5000 && c->session; i++)
        caller_say(c, "name: value\n");
    caller_expect(c, "0 done too large: more than max-header-fields\n");
    caller_close(c);
    c = caller_open_1(0);
    caller_get(c, 0, "/");
    caller_settle(c);
    struct text interim = {0};
    text_print(&interim, "HTTP/1.1 103 Early Hints\nlink: %010000d\n\n", 0);
    for (int i = 0; i < 200 && c->session && !c->refused; i++)
        caller_say(c, text_of(&interim));
    text_clear(&interim);
    caller_settle(c);
    assert_non_null(strstr(text_of(&c->notes), "0 done lost: out of memory\n"));
}

/* Ends. */

static void ShutDown_Idle_Over(void **state)
{
    (void)state;
    struct caller *c = caller_open_1(0);
    c->session->ops->shut_down(c->session, END_NOTICE);
    caller_expect_room(c, 0);
    assert_null(c->session);
}

static void ShutDown_UnderWay_OverBehindTheCall(void **state)
{
    (void)state;
    struct caller *c = caller_open_1(0);
    caller_get(c, 0, "/");
    caller_settle(c);
    c->session->ops->shut_down(c->session, END_NOTICE);
    caller_settle(c);
    assert_non_null(c->session);
    caller_say(c, "HTTP/1.1 200 OK\ncontent-length: 0\n\n");
    caller_expect(c, "0 head HTTP/1.1 200 content-length=0\n0 done whole\n");
    assert_null(c->session);
}

static void Drop_UnderWay_CallLost(void **state)
{
    (void)state;
    struct caller *c = caller_open_1(0);
    caller_get(c, 0, "/");
    caller_settle(c);
    caller_drop(c);
    caller_expect(c, "0 done lost: connection lost\n");
}

/* Once each allocation has failed, all is well. */
static void Memory_RunsOutAnywhere_CallEndsAndNothingIsLeft(void **state)
{
    (void)state;
    for (uint64_t i = 1; i < 40; i++) {
        struct caller *c = caller_open_1(0);
        caller_aim(c, 0, "POST", "/");
        mem_fail_at(i, 1);
        size_t taken;
        if (call_write(&c->calls[0].call, "Hello", 5, &taken) == RC_OK &&
            c->session->client->begin(c->session, &c->calls[0].call) == RC_OK) {
            caller_settle(c);
            caller_say(c, "HTTP/1.1 200 OK\nlong-field: of a value that takes memory\n"
                          "transfer-encoding: chunked\n\n5\nHello\n0\nsum: 1\n\n");
            caller_settle(c);
        }
        mem_fail_at(0, 0);
        caller_close(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        caller_test(Request_Whole_AsSaid),
        caller_test(Request_EmptyBody_LengthWhereContentIsMeant),
        caller_test(Request_BodyWholeBeforeHead_Length),
        caller_test(Request_BodyOfUnknownLength_ChunksAndTrailers),
        caller_test(Request_LengthSet_NoChunks),
        caller_test(Aim_WhatWouldSplitARequest_Refused),
        caller_test(Response_OfLength_TakenAndConnectionKept),
        caller_test(Response_InChunks_TakenWithItsTrailers),
        caller_test(Response_Interim_TakenEach),
        caller_test(Response_WithoutContent_LengthMeansNothing),
        caller_test(Response_UntilClose_EndsWithTheConnection),
        caller_test(Response_ConnectionFields_Dropped),
        caller_test(Response_EndsConnection_NotKept),
        caller_test(Response_KeepAliveOf10_Kept),
        caller_test(Response_NobodyAsked_ConnectionEnds),
        caller_test(Response_BeforeRequestEnds_RequestGoesOn),
        caller_test(Response_BeforeRequestEndsWithClose_NoMoreIsSent),
        caller_test(Cancel_UnderWay_ConnectionEnds),
        caller_test(Response_OwnerDoesNotRead_HeldUp),
        caller_test(Response_InChunksNobodyReads_HeldUpAndWhole),
        caller_test(Done_CallFreedAtOnce_NotLookedAt),
        caller_test(Malformed_Each_CallAndConnectionEnd),
        caller_test(CutShort_AtEachByte_CallLost),
        caller_test(Interims_TooMany_CallLost),
        caller_test(TooLarge_HeadAndEndlessInterims_CallLost),
        caller_test(ShutDown_Idle_Over),
        caller_test(ShutDown_UnderWay_OverBehindTheCall),
        caller_test(Drop_UnderWay_CallLost),
        caller_test(Memory_RunsOutAnywhere_CallEndsAndNothingIsLeft),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

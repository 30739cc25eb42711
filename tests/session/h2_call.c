/* HTTP/2 in the client role: requests as they go out, responses as they are taken. */
#include "support/caller.h"

#include <string.h>

enum { END_STREAM = NGHTTP2_FLAG_END_STREAM };

#define REQUEST(stream, method, rest) \
    "HEADERS stream=" stream rest " :method=" method \
    " :scheme=http :authority=test.example :path=/a?b"
#define GET(stream) REQUEST(stream, "GET", " END_STREAM") "\n"

/* A whole request, sent. */
static struct caller *open_with_get(size_t grain)
{
    struct caller *c = caller_open_2(grain);
    caller_get(c, 0, "/a?b");
    caller_expect_frames(c, GET("1"));
    return c;
}

static void send_code(struct caller *c, uint8_t type, int32_t stream, uint32_t last, uint32_t code)
{
    const uint8_t payload[8] = {(uint8_t)(last >> 24), (uint8_t)(last >> 16), (uint8_t)(last >> 8),
        (uint8_t)last, 0, 0, 0, (uint8_t)code};
    if (type == NGHTTP2_GOAWAY)
        caller_frame(c, type, 0, 0, payload, 8);
    else
        caller_frame(c, type, 0, stream, payload + 4, 4);
}

static void send_reset(struct caller *c, int32_t stream, uint32_t code)
{
    send_code(c, NGHTTP2_RST_STREAM, stream, 0, code);
}

static void send_goaway(struct caller *c, uint32_t last, uint32_t code)
{
    send_code(c, NGHTTP2_GOAWAY, 0, last, code);
}

static void Open_Preface_NoPush(void **state)
{
    (void)state;
    struct caller *c = caller_open_2(0);
    caller_expect_room(c, 100 < c->h2.max_streams ? c->h2.max_streams : 100);
}

static void Request_Whole_OneFrame(void **state)
{
    (void)state;
    struct caller *c = caller_open_2(1);
    struct call *call = caller_aim(c, 0, "GET", "/a?b");
    assert_int_equal(outgoing_set_header(&call->request, STR("X-One"), STR("1")), RC_OK);
    assert_int_equal(outgoing_set_header(&call->request, STR("te"), STR("trailers")), RC_OK);
    assert_int_equal(outgoing_set_header(&call->request, STR("host"), STR("other")), RC_OK);
    caller_finish(c, 0);
    caller_begin(c, 0);
    caller_expect_frames(c, REQUEST("1", "GET", " END_STREAM") " x-one=1 te=trailers\n");
}

static void Request_BodyAndTrailers_Sent(void **state)
{
    (void)state;
    struct caller *c = caller_open_2(0);
    struct call *call = caller_aim(c, 0, "POST", "/a?b");
    caller_begin(c, 0);
    caller_expect_frames(c, "");
    assert_int_equal(call_flush(call), RC_OK);
    caller_expect_frames(c, REQUEST("1", "POST", "") "\n");
    caller_write(c, 0, "Hello");
    caller_expect_frames(c, "DATA stream=1 len=5 'Hello'\n");
    assert_int_equal(outgoing_append_trailer(&call->request, STR("sum"), STR("1")), RC_OK);
    caller_finish(c, 0);
    caller_expect_frames(c, "HEADERS stream=1 END_STREAM sum=1\n");
}

static void Request_BodyWholeBeforeHead_Length(void **state)
{
    (void)state;
    struct caller *c = caller_open_2(0);
    caller_aim(c, 0, "POST", "/a?b");
    caller_write(c, 0, "Hello");
    caller_finish(c, 0);
    caller_begin(c, 0);
    caller_expect_frames(c, REQUEST("1", "POST", "") " content-length=5\n"
                                                     "DATA stream=1 END_STREAM len=5 'Hello'\n");
}

static void Response_BodyAndTrailers_Taken(void **state)
{
    (void)state;
    for (size_t grain = 0; grain < 2; grain++) {
        struct caller *c = open_with_get(grain);
        caller_headers(c, 1, 0, ":status: 103\nlink: x\n");
        caller_headers(c, 1, 0, ":status: 200\nx-one: 1\n");
        caller_data(c, 1, 0, "Hello");
        caller_headers(c, 1, END_STREAM, "sum: 1\nset-cookie: a\n");
        caller_expect(c, "0 interim 103 link=x\n0 head HTTP/2 200 x-one=1\n0 body 'Hello'\n"
                         "0 trailers sum=1\n0 done whole\n");
        caller_expect_frames(c, "");
        caller_expect_room(c, 128);
        caller_close(c);
    }
}

/* Those that are no answer at all leave the time of the call running. */
static void Interims_TooMany_StreamReset(void **state)
{
    (void)state;
    struct caller *c = open_with_get(0);
    struct call *call = &c->calls[0].call;
    call->progressed = 1;
    for (int i = 0; i < CALL_INTERIMS_MAX; i++)
        caller_headers(c, 1, 0, i % 2 ? ":status: 100\n" : ":status: 103\nlink: x\n");
    caller_settle(c);
    assert_int_equal(call->state, CALL_HELD);
    assert_true(call->progressed == 1);
    text_clear(&c->notes);
    caller_headers(c, 1, 0, ":status: 103\n");
    caller_expect(c, "0 done no HTTP: too many interim responses\n");
    caller_expect_frames(c, "RST_STREAM stream=1 code=ENHANCE_YOUR_CALM\n");
}

static void Response_HeadAlone_Taken(void **state)
{
    (void)state;
    struct caller *c = open_with_get(0);
    caller_headers(c, 1, END_STREAM, ":status: 204\n");
    caller_expect(c, "0 head HTTP/2 204\n0 done whole\n");
    caller_aim(c, 1, "HEAD", "/a?b");
    caller_finish(c, 1);
    caller_begin(c, 1);
    caller_expect_frames(c, REQUEST("3", "HEAD", " END_STREAM") "\n");
    caller_headers(c, 3, END_STREAM, ":status: 200\ncontent-length: 7\n");
    caller_expect(c, "1 head HTTP/2 200 content-length=7\n1 done whole\n");
}

static void Calls_AtOnce_UpToWhatTheServerAllows(void **state)
{
    (void)state;
    static const nghttp2_settings_entry two = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 2};
    struct caller *c = caller_open_2(0);
    caller_settings(c, &two, 1);
    caller_expect_frames(c, "SETTINGS ACK\n");
    caller_expect_room(c, 2);
    caller_get(c, 0, "/a?b");
    caller_get(c, 1, "/a?b");
    caller_expect_room(c, 0);
    caller_expect_frames(c, GET("1") GET("3"));
    caller_headers(c, 3, END_STREAM, ":status: 200\n");
    caller_expect(c, "1 head HTTP/2 200\n1 done whole\n");
    caller_expect_room(c, 1);
    caller_headers(c, 1, END_STREAM, ":status: 200\n");
    caller_expect(c, "0 head HTTP/2 200\n0 done whole\n");
}

static void Response_BeforeRequestEnds_WholeWithEither(void **state)
{
    (void)state;
    for (int resets = 0; resets < 2; resets++) {
        struct caller *c = caller_open_2(0);
        caller_aim(c, 0, "POST", "/a?b");
        caller_begin(c, 0);
        caller_write(c, 0, "one");
        caller_settle(c);
        caller_headers(c, 1, END_STREAM, ":status: 200\n");
        caller_expect(c, "0 head HTTP/2 200\n0 ended\n");
        if (resets)
            send_reset(c, 1, ERROR_NO_ERROR);
        else
            caller_finish(c, 0);
        caller_expect(c, "0 done whole\n");
        caller_close(c);
    }
}

static void Reset_ByServer_CodeTold(void **state)
{
    (void)state;
    struct caller *c = open_with_get(0);
    send_reset(c, 1, ERROR_ENHANCE_YOUR_CALM);
    caller_expect(c, "0 done reset: ENHANCE_YOUR_CALM\n");
    assert_int_equal(c->calls[0].call.reset_code, ERROR_ENHANCE_YOUR_CALM);
    caller_get(c, 1, "/a?b");
    caller_settle(c);
    caller_headers(c, 3, 0, ":status: 200\n");
    caller_data(c, 3, 0, "Hel");
    send_reset(c, 3, ERROR_NO_ERROR);
    caller_expect(c, "1 head HTTP/2 200\n1 body 'Hel'\n1 done reset: NO_ERROR\n");
}

static void Refused_ByReset_MayBeMadeAgain(void **state)
{
    (void)state;
    struct caller *c = open_with_get(0);
    send_reset(c, 1, ERROR_REFUSED_STREAM);
    caller_expect(c, "0 done refused: REFUSED_STREAM\n");
    assert_int_equal(call_rewind(&c->calls[0].call), RC_OK);
    text_clear(&c->frames.lines);
    caller_begin(c, 0);
    caller_expect_frames(c, GET("3"));
    caller_headers(c, 3, END_STREAM, ":status: 200\n");
    caller_expect(c, "0 head HTTP/2 200\n0 done whole\n");
}

static void Goaway_CallsAboveLast_Refused(void **state)
{
    (void)state;
    struct caller *c = open_with_get(0);
    caller_get(c, 1, "/a?b");
    caller_settle(c);
    send_goaway(c, 1, ERROR_NO_ERROR);
    caller_expect(c, "1 done refused: REFUSED_STREAM\n");
    caller_expect_room(c, 0);
    assert_true(c->session->client->is_going(c->session));
    caller_headers(c, 1, END_STREAM, ":status: 200\n");
    caller_expect(c, "0 head HTTP/2 200\n0 done whole\n");
    assert_null(c->session);
}

/* What began in the turn that GOAWAY came in never went out. */
static void Goaway_BeforeTheRequestWent_Refused(void **state)
{
    (void)state;
    struct caller *c = caller_open_2(0);
    caller_get(c, 0, "/a?b");
    send_goaway(c, 0, ERROR_NO_ERROR);
    caller_expect(c, "0 done refused: REFUSED_STREAM\n");
    caller_expect_frames(c, "");
    assert_null(c->session);
}

static void Cancel_UnderWay_ResetWithItsCode(void **state)
{
    (void)state;
    struct caller *c = open_with_get(0);
    call_cancel(&c->calls[0].call, ERROR_INTERNAL_ERROR);
    call_fini(&c->calls[0].call);
    c->calls[0].begun = false;
    caller_expect_frames(c, "RST_STREAM stream=1 code=INTERNAL_ERROR\n");
    caller_headers(c, 1, END_STREAM, ":status: 200\n"); /* it had left before that arrived */
    caller_expect(c, "");
    caller_expect_room(c, 128);
}

/* Its time is over, and nothing has come since it began. */
static void Expire_NothingHeard_NoFurtherCalls(void **state)
{
    (void)state;
    struct caller *c = open_with_get(0);
    caller_get(c, 1, "/a?b");
    caller_expect_frames(c, GET("3"));
    call_expire(&c->calls[0].call);
    caller_expect_frames(c, "RST_STREAM stream=1 code=CANCEL\n");
    caller_expect_room(c, 0);
    caller_headers(c, 3, END_STREAM, ":status: 200\n"); /* the other goes on */
    caller_expect(c, "1 head HTTP/2 200\n1 done whole\n");
    caller_expect_frames(c, "GOAWAY last=0 code=NO_ERROR\n");
}

static void Expire_OthersAnswered_StaysInUse(void **state)
{
    (void)state;
    struct caller *c = open_with_get(0);
    caller_get(c, 1, "/a?b");
    caller_expect_frames(c, GET("3"));
    caller_headers(c, 3, END_STREAM, ":status: 200\n");
    caller_expect(c, "1 head HTTP/2 200\n1 done whole\n");
    call_expire(&c->calls[0].call);
    caller_expect_frames(c, "RST_STREAM stream=1 code=CANCEL\n");
    caller_expect_room(c, 128);
}

/* The client left after a while in which nothing came: the server is asked whether it lives. */
static void Cancel_AfterSilence_SignOfLifeAwaited(void **state)
{
    (void)state;
    for (int lives = 0; lives < 2; lives++) {
        struct caller *c = open_with_get(0);
        c->calls[0].call.progressed -= 1;
        call_cancel(&c->calls[0].call, ERROR_CANCEL);
        caller_expect_frames(c, "SETTINGS\nRST_STREAM stream=1 code=CANCEL\n");
        if (lives)
            caller_frame(c, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
        caller_settle(c);
        for (int i = 0; i < 2; i++)
            c->session->ops->sweep(c->session, 1);
        caller_expect_room(c, lives ? 128 : 0);
        caller_close(c);
    }
}

/* Nothing of a call is looked at once it was cancelled: it is freed, with a body and trailers that
 * wait for the window. */
static void Cancel_AtEachStage_CallMayBeFreed(void **state)
{
    (void)state;
    for (int stage = 0; stage < 5; stage++) {
        struct caller *c = caller_open_2(0);
        struct call *call = caller_aim(c, 0, "POST", "/a?b");
        caller_begin(c, 0);
        if (stage > 0)
            caller_write(c, 0, "Hello");
        if (stage > 1)
            caller_settle(c);
        if (stage > 2) {
            assert_int_equal(outgoing_append_trailer(&call->request, STR("a"), STR("b")), RC_OK);
            caller_write(c, 0, "Hello");
        }
        if (stage > 3)
            caller_finish(c, 0);
        call_cancel(call, ERROR_CANCEL);
        call_fini(call);
        c->calls[0].begun = false;
        caller_settle(c);
        assert_int_equal(strstr(text_of(&c->frames.lines), "RST_STREAM") != NULL, stage > 1);
        caller_expect_room(c, 128);
        caller_close(c);
    }
}

/* Credit is given as the owner reads, for half a window or more, and kept back while it does not.
 */
static void Cancel_HundredTimes_NoFurtherCallsAndGoawayBehindTheLast(void **state)
{
    (void)state;
    struct caller *c = caller_open_2(0);
    caller_get(c, 1, "/a?b");
    for (int i = 0; i < 100; i++) {
        caller_expect_room(c, 127);
        struct call *call = caller_get(c, 0, "/a?b");
        caller_settle(c);
        call_cancel(call, ERROR_CANCEL);
        call_fini(call);
        c->calls[0].begun = false;
        caller_settle(c);
    }
    caller_expect_room(c, 0);
    caller_headers(c, 1, END_STREAM, ":status: 200\n");
    caller_expect(c, "1 head HTTP/2 200\n1 done whole\n");
    assert_null(c->session);
}

static void Response_OwnerDoesNotRead_NoCredit(void **state)
{
    (void)state;
    struct caller *c = open_with_get(0);
    char body[16001];
    memset(body, 'x', sizeof body - 1);
    body[sizeof body - 1] = '\0';
    c->calls[0].unread = true;
    caller_headers(c, 1, 0, ":status: 200\n");
    for (int i = 0; i < 4; i++)
        caller_data(c, 1, 0, body);
    caller_expect_frames(c, "");
    c->calls[0].unread = false;
    caller_expect_frames(c, "WINDOW_UPDATE stream=1 increment=49056\n");
    caller_data(c, 1, END_STREAM, "");
    caller_expect(c, "0 head HTTP/2 200\n0 body '(64000 bytes)'\n0 done whole\n");
}

/* Its body can still be read when the connection is gone. */
static void Response_ReadAfterTheConnection_StillThere(void **state)
{
    (void)state;
    struct caller *c = open_with_get(0);
    size_t n;
    c->calls[0].unread = true;
    caller_headers(c, 1, 0, ":status: 200\n");
    caller_data(c, 1, END_STREAM, "Hello");
    caller_drop(c);
    caller_expect(c, "0 head HTTP/2 200\n0 done whole\n");
    assert_memory_equal(call_peek(&c->calls[0].call, &n), "Hello", 5);
    call_consume(&c->calls[0].call, n);
}

/* The owner may free a call as it is told of the end, whatever that is. Only a sanitizer can fail
 * it. */
static void Done_CallFreedAtOnce_NotLookedAt(void **state)
{
    (void)state;
    for (int end = 0; end < 8; end++)
        for (int sends = 0; sends < 2; sends++) {
            struct caller *c = caller_open_2(0);
            c->frees = true;
            caller_aim(c, 0, "POST", "/");
            caller_write(c, 0, "body");
            if (!sends)
                caller_finish(c, 0);
            caller_begin(c, 0);
            if (end > 0)
                caller_settle(c);
            if (end > 2)
                caller_headers(c, 1, end == 3 ? END_STREAM : 0, ":status: 200\n");
            if (end == 1 || end == 4)
                send_reset(c, 1, ERROR_NO_ERROR);
            if (end == 0 || end == 2 || end == 5)
                send_goaway(c, 0, ERROR_NO_ERROR);
            if (end == 6)
                caller_headers(c, 1, 0, ":status: 200\n");
            caller_settle(c);
            caller_close(c);
            struct text log = stage_take_log();
            text_clear(&log);
        }
}

/* Responses that are none: a stream's fault ends its call, the connection's all of them. */

static void Malformed_OfAStream_ResetAndEnded(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "x: y\n",
        ":status: 20\n",
        ":status: abc\n",
        ":status: 051\n",
        ":status: 101\n",
        ":status: 200\n:status: 200\n",
        "x: y\n:status: 200\n",
        ":status: 200\nX: y\n",
        ":status: 200\nconnection: close\n",
        ":status: 200\ntransfer-encoding: chunked\n",
        ":status: 200\ncontent-length: 1\ncontent-length: 2\n",
        ":status: 200\n:path: /\n",
    };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct caller *c = open_with_get(0);
        caller_headers(c, 1, 0, heads[i]);
        caller_settle(c);
        if (!strstr(text_of(&c->notes), "0 done no HTTP: a malformed response\n"))
            stage_fail("head %zu gives\n%s", i, text_of(&c->notes));
        caller_expect_frames(c, "RST_STREAM stream=1 code=PROTOCOL_ERROR\n");
        text_clear(&c->notes);
        caller_get(c, 1, "/a?b");
        caller_expect_frames(c, GET("3"));
        caller_headers(c, 3, END_STREAM, ":status: 200\n");
        caller_expect(c, "1 head HTTP/2 200\n1 done whole\n");
        caller_close(c);
        struct text log = stage_take_log();
        text_clear(&log);
    }
}

static void Malformed_LengthThatIsNotKept_Ended(void **state)
{
    (void)state;
    struct caller *c = open_with_get(0);
    caller_headers(c, 1, 0, ":status: 200\ncontent-length: 3\n");
    caller_data(c, 1, END_STREAM, "Hello");
    caller_settle(c);
    assert_non_null(strstr(text_of(&c->notes), "0 done no HTTP: a malformed response\n"));
    struct text log = stage_take_log();
    text_clear(&log);
}

static void Malformed_OfTheConnection_AllEnded(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct caller *c = open_with_get(0);
        caller_get(c, 1, "/a?b");
        caller_settle(c);
        switch (i) {
        case 0: /* a push that was not allowed */
            caller_frame(c, NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1, "\0\0\0\2\x82", 5);
            break;
        case 1: /* a stream that we never opened */
            caller_headers(c, 5, END_STREAM, ":status: 200\n");
            break;
        case 2: /* no HPACK */
            caller_frame(c, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, "\xff\xff\xff\xff", 4);
            break;
        case 3: /* DATA behind the stream's end */
            caller_headers(c, 1, END_STREAM, ":status: 200\n");
            caller_data(c, 1, 0, "x");
            break;
        case 4: /* no HTTP/2 */
            caller_raw(c, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
            break;
        }
        caller_settle(c);
        if (c->session || !strstr(text_of(&c->notes), "1 done no HTTP: connection lost\n"))
            stage_fail("case %d gives\n%s", i, text_of(&c->notes));
        assert_int_equal(strstr(text_of(&c->notes), "0 done whole\n") != NULL, i == 3);
        caller_close(c);
        struct text log = stage_take_log();
        text_clear(&log);
    }
}

static void TooLarge_HeaderList_Ended(void **state)
{
    (void)state;
    struct caller *c = open_with_get(0);
    struct text head = {0};
    text_print(&head, ":status: 200\n");
    for (int i = 0; i < 130; i++)
        text_print(&head, "name%d: value\n", i);
    caller_headers(c, 1, 0, text_of(&head));
    text_clear(&head);
    caller_expect(c, "0 done too large: max-header-fields\n");
    caller_expect_frames(c, "RST_STREAM stream=1 code=ENHANCE_YOUR_CALM\n");
}

static void Flood_OfPings_ConnectionEnds(void **state)
{
    (void)state;
    struct caller *c = open_with_get(0);
    for (int i = 0; i < 1000 && !c->refused; i++)
        caller_frame(c, NGHTTP2_PING, 0, 0, "12345678", 8);
    caller_settle(c);
    assert_null(c->session);
    caller_expect(c, "0 done no HTTP: connection lost\n");
    struct text log = stage_take_log();
    assert_non_null(strstr(text_of(&log), "limit=max-control-frames"));
    text_clear(&log);
}

/* Ends. */

static void ShutDown_UnderWay_GoawayBehindTheLast(void **state)
{
    (void)state;
    struct caller *c = open_with_get(0);
    c->session->ops->shut_down(c->session, END_NOTICE);
    caller_expect_room(c, 0);
    caller_expect_frames(c, "");
    caller_headers(c, 1, END_STREAM, ":status: 200\n");
    caller_expect(c, "0 head HTTP/2 200\n0 done whole\n");
    caller_expect_frames(c, "GOAWAY last=0 code=NO_ERROR\n");
    assert_null(c->session);
}

static void ShutDown_Idle_Goaway(void **state)
{
    (void)state;
    struct caller *c = caller_open_2(0);
    c->session->ops->shut_down(c->session, END_NOTICE);
    caller_expect_frames(c, "GOAWAY last=0 code=NO_ERROR\n");
    assert_null(c->session);
}

/* A call of which a sign of life is asked for, sent on the stream given. */
static void get_kept(struct caller *c, int number, double seconds, const char *frames)
{
    caller_aim(c, number, "GET", "/a?b")->keepalive = seconds;
    caller_finish(c, number);
    caller_begin(c, number);
    caller_expect_frames(c, frames);
}

static struct caller *open_with_kept(double seconds)
{
    struct caller *c = caller_open_2(0);
    get_kept(c, 0, seconds, GET("1"));
    return c;
}

static void pass_alarm(struct caller *c)
{
    caller_wait_alarm(c);
    caller_ring(c);
}

static void Keepalive_Silence_PingThenLeft(void **state)
{
    (void)state;
    struct caller *c = open_with_kept(0.04);
    caller_get(c, 1, "/a?b");
    caller_expect_frames(c, GET("3"));
    assert_true(c->alarm == 0.04);
    pass_alarm(c);
    caller_expect_frames(c, "PING\n");
    caller_expect(c, "");
    assert_true(c->alarm == 0.02);
    pass_alarm(c);
    caller_expect(c, "0 done lost: keepalive\n1 done lost: keepalive\n");
    caller_expect_frames(c, "");
    assert_null(c->session);
}

/* After a time that no machine takes for it. */
static void Keepalive_Answered_AskedAgainAfterTheNextSilence(void **state)
{
    (void)state;
    static const uint8_t nothing[8] = {0};
    struct caller *c = open_with_kept(0.5);
    for (int i = 0; i < 2; i++) {
        pass_alarm(c);
        caller_expect_frames(c, "PING\n");
        caller_frame(c, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, nothing, sizeof nothing);
        caller_ring(c);
        caller_expect_frames(c, "");
        assert_true(c->alarm > 0);
    }
    caller_expect(c, "");
}

/* Within a time that no machine takes for it. */
static void Keepalive_AnyFrame_CountsAsSign(void **state)
{
    (void)state;
    struct caller *c = open_with_kept(0.5);
    caller_wait_alarm(c);
    caller_headers(c, 1, 0, ":status: 200\n");
    caller_ring(c);
    caller_expect_frames(c, "");
    caller_expect(c, "0 head HTTP/2 200\n");
    assert_true(c->alarm > 0 && c->alarm <= 0.5);
}

static void Keepalive_NoCall_NobodyAsked(void **state)
{
    (void)state;
    struct caller *c = open_with_kept(0.02);
    caller_headers(c, 1, END_STREAM, ":status: 204\n");
    caller_expect(c, "0 head HTTP/2 204\n0 done whole\n");
    pass_alarm(c);
    caller_expect_frames(c, "");
    assert_true(c->alarm == 0);
    get_kept(c, 0, 0.02, GET("3"));
    pass_alarm(c);
    caller_expect_frames(c, "PING\n");
}

static void Keepalive_Several_TheShortestCounts(void **state)
{
    (void)state;
    struct caller *c = open_with_kept(60);
    get_kept(c, 1, 0.02, GET("3"));
    assert_true(c->alarm == 0.02);
    get_kept(c, 2, 30, GET("5"));
    assert_true(c->alarm == 0.02);
    caller_headers(c, 3, END_STREAM, ":status: 204\n");
    caller_expect(c, "1 head HTTP/2 204\n1 done whole\n");
    pass_alarm(c);
    caller_expect_frames(c, "");
    assert_true(c->alarm > 20 && c->alarm <= 30);
}

static void Memory_RunsOutAnywhere_CallEndsAndNothingIsLeft(void **state)
{
    (void)state;
    for (uint64_t i = 1; i < 60; i++)
        for (int sticky = 0; sticky < 2; sticky++) {
            struct caller *c = caller_open_2(0);
            struct call *call = caller_aim(c, 0, "POST", "/a?b");
            size_t taken;
            mem_fail_at(i, sticky);
            if (call_write(call, "Hello", 5, &taken) == RC_OK &&
                c->session->client->begin(c->session, call) == RC_OK) {
                caller_settle(c);
                caller_headers(c, 1, 0, ":status: 200\nname: of a value that takes memory\n");
                caller_data(c, 1, 0, "Hello");
                caller_settle(c);
            }
            mem_fail_at(0, 0);
            caller_close(c);
            struct text log = stage_take_log();
            text_clear(&log);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        caller_test(Open_Preface_NoPush),
        caller_test(Request_Whole_OneFrame),
        caller_test(Request_BodyAndTrailers_Sent),
        caller_test(Request_BodyWholeBeforeHead_Length),
        caller_test(Response_BodyAndTrailers_Taken),
        caller_test(Interims_TooMany_StreamReset),
        caller_test(Response_HeadAlone_Taken),
        caller_test(Calls_AtOnce_UpToWhatTheServerAllows),
        caller_test(Response_BeforeRequestEnds_WholeWithEither),
        caller_test(Reset_ByServer_CodeTold),
        caller_test(Refused_ByReset_MayBeMadeAgain),
        caller_test(Goaway_CallsAboveLast_Refused),
        caller_test(Goaway_BeforeTheRequestWent_Refused),
        caller_test(Cancel_UnderWay_ResetWithItsCode),
        caller_test(Expire_NothingHeard_NoFurtherCalls),
        caller_test(Expire_OthersAnswered_StaysInUse),
        caller_test(Cancel_AfterSilence_SignOfLifeAwaited),
        caller_test(Cancel_AtEachStage_CallMayBeFreed),
        caller_test(Cancel_HundredTimes_NoFurtherCallsAndGoawayBehindTheLast),
        caller_test(Response_OwnerDoesNotRead_NoCredit),
        caller_test(Response_ReadAfterTheConnection_StillThere),
        caller_test(Done_CallFreedAtOnce_NotLookedAt),
        caller_test(Malformed_OfAStream_ResetAndEnded),
        caller_test(Malformed_LengthThatIsNotKept_Ended),
        caller_test(Malformed_OfTheConnection_AllEnded),
        caller_test(TooLarge_HeaderList_Ended),
        caller_test(Flood_OfPings_ConnectionEnds),
        caller_test(ShutDown_UnderWay_GoawayBehindTheLast),
        caller_test(ShutDown_Idle_Goaway),
        caller_test(Keepalive_Silence_PingThenLeft),
        caller_test(Keepalive_Answered_AskedAgainAfterTheNextSilence),
        caller_test(Keepalive_AnyFrame_CountsAsSign),
        caller_test(Keepalive_NoCall_NobodyAsked),
        caller_test(Keepalive_Several_TheShortestCounts),
        caller_test(Memory_RunsOutAnywhere_CallEndsAndNothingIsLeft),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The connection: prefaces, limits on requests, what breaks the protocol, and the graceful end. */
#include "support/wire.h"

#include "core/log.h"
#include "http/handler.h"

#include <stdio.h>
#include <string.h>

#define SERVER_SETTINGS \
    "SETTINGS MAX_CONCURRENT_STREAMS=128 INITIAL_WINDOW_SIZE=65536 MAX_HEADER_LIST_SIZE=65536 " \
    "NO_RFC7540_PRIORITIES=1\n"

#define SERVER_WINDOW "WINDOW_UPDATE stream=0 increment=983041\n"

#define TOO_LARGE(stream) \
    "HEADERS stream=" stream " :status=431 content-type='text/plain; charset=utf-8' date=now " \
    "content-length=32\n" \
    "DATA stream=" stream " END_STREAM len=32 'Request Header Fields Too Large\\n'\n"

static struct wire *open_bare(const char *handler, size_t grain)
{
    return wire_open(&(struct wire_options){.handler = handler, .bare = true, .grain = grain});
}

static void submit_settings(struct wire *w)
{
    assert_int_equal(nghttp2_submit_settings(w->client, NGHTTP2_FLAG_NONE, NULL, 0), 0);
}

static bool is_over(const struct wire *w)
{
    return !w->session;
}

static void Preface_Exchanged_SettingsWindowAndAck(void **state)
{
    (void)state;
    struct wire *w = open_bare("", 0);
    submit_settings(w);
    wire_expect(w, SERVER_SETTINGS "SETTINGS ACK\n" SERVER_WINDOW);
    wire_get(w, "/");
    wire_expect(w, EMPTY_RESPONSE("1"));
}

/* The server's preface does not wait for the client's. */
static void Preface_ServerFirst_SentAtOnce(void **state)
{
    (void)state;
    struct wire *w = open_bare("", 0);
    wire_turn(w);
    assert_string_equal(text_of(&w->frames.lines), SERVER_SETTINGS SERVER_WINDOW);
    assert_false(is_over(w));
}

static void Preface_ByteByByte_SameFrames(void **state)
{
    (void)state;
    struct wire *w = open_bare("", 1);
    submit_settings(w);
    wire_get(w, "/");
    wire_expect(w, SERVER_SETTINGS SERVER_WINDOW "SETTINGS ACK\n" EMPTY_RESPONSE("1"));
}

static void Preface_NotHttp2_Over(void **state)
{
    (void)state;
    struct wire *w = open_bare("note('ran')", 0);
    text_print(&w->up, "GET / HTTP/1.1\r\nHost: test.example\r\n\r\n");
    wire_expect(w, SERVER_SETTINGS "GOAWAY last=0 code=PROTOCOL_ERROR\n");
    assert_int_equal(w->refused, RC_PROTOCOL);
    assert_true(is_over(w));
    wire_expect_notes(w, "");
    wire_expect_log(w, "warn session failed");
}

static void Ping_Answered(void **state)
{
    (void)state;
    struct wire *w = wire_handler("");
    assert_int_equal(nghttp2_submit_ping(w->client, NGHTTP2_FLAG_NONE, NULL), 0);
    wire_expect(w, "PING ACK\n");
}

static void UnknownFrame_Ignored(void **state)
{
    (void)state;
    struct wire *w = wire_handler("");
    wire_frame(w, 0xbe, 0xff, 0, "anything", 8);
    wire_get(w, "/");
    wire_expect(w, EMPTY_RESPONSE("1"));
}

static void HeaderList_TooLarge_431AndNeighboursGoOn(void **state)
{
    (void)state;
    struct text fields = {0};
    struct wire *w = wire_handler("note(ctx.headers['x-a'])");
    char value[3001] = {0};
    memset(value, 'x', 3000);
    for (int i = 0; i < 24; i++)
        text_print(&fields, "x-big: %s\n", value);
    wire_end(w, wire_begin(w, "GET", "/", text_of(&fields)));
    wire_expect(w, TOO_LARGE("1"));
    wire_expect_log(w, "warn limit reached limit=max-header-bytes conn=7 stream=1");
    wire_end(w, wire_begin(w, "GET", "/", "x-a: after"));
    wire_expect(w, EMPTY_RESPONSE("3"));
    wire_expect_notes(w, "after\n");
    text_clear(&fields);
}

/* With the four pseudo fields these are one field too many, or as many as are allowed. */
static void HeaderList_TooManyFields_431(void **state)
{
    (void)state;
    struct text fields = {0};
    struct wire *w = wire_handler("note('ran')");
    for (int i = 0; i < 124; i++)
        text_print(&fields, "x-%d: 1\n", i);
    wire_end(w, wire_begin(w, "GET", "/", text_of(&fields)));
    wire_expect(w, EMPTY_RESPONSE("1"));
    text_print(&fields, "one: more\n");
    wire_end(w, wire_begin(w, "GET", "/", text_of(&fields)));
    wire_expect(w, TOO_LARGE("3"));
    wire_expect_log(w, "warn limit reached limit=max-header-fields conn=7 stream=3");
    wire_expect_notes(w, "ran\n");
    text_clear(&fields);
}

static void HeaderList_TooLargeWithBody_431ThenReset(void **state)
{
    (void)state;
    struct wire_limits limits = wire_limits();
    limits.http.header_fields = 4;
    struct wire *w = wire_open(&(struct wire_options){.handler = "", .limits = &limits});
    int32_t stream = wire_begin(w, "POST", "/", "x: y");
    wire_send(w, stream, "body", 4);
    wire_expect(w, TOO_LARGE("1") "RST_STREAM stream=1 code=NO_ERROR\n");
    wire_expect_log(w, "warn limit reached limit=max-header-fields conn=7 stream=1");
}

static void RequestTrailers_TooLarge_Reset(void **state)
{
    (void)state;
    struct wire_limits limits = wire_limits();
    limits.http.header_fields = 4;
    struct wire *w =
        wire_open(&(struct wire_options){.handler = "note(ctx:body())", .limits = &limits});
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_send(w, stream, "body", 4);
    wire_end_with_trailers(w, stream, "a: 1\nb: 2");
    wire_expect(w, "RST_STREAM stream=1 code=ENHANCE_YOUR_CALM\n");
    wire_expect_notes(w, "");
    wire_expect_log(w, "warn limit reached limit=max-header-fields conn=7 stream=1");
}

/* Submits a request of nothing but these pseudo fields. */
static int32_t submit(struct wire *w, const char *const fields[][2], size_t count)
{
    nghttp2_nv nv[8];
    for (size_t i = 0; i < count; i++)
        nv[i] = (nghttp2_nv){(uint8_t *)fields[i][0], (uint8_t *)fields[i][1], strlen(fields[i][0]),
            strlen(fields[i][1]), NGHTTP2_NV_FLAG_NONE};
    return nghttp2_submit_request(w->client, NULL, nv, count, NULL, NULL);
}

static void Connect_Answered501(void **state)
{
    (void)state;
    static const char *const fields[][2] = {{":method", "CONNECT"}, {":authority", "a.example:1"}};
    struct wire *w = wire_handler("note('ran')");
    submit(w, fields, 2);
    wire_expect(w, "HEADERS stream=1 :status=501 content-type='text/plain; charset=utf-8' date=now "
                   "content-length=16\n"
                   "DATA stream=1 END_STREAM len=16 'Not Implemented\\n'\n");
    wire_expect_notes(w, "");
}

static void Authority_OnlyHost_TakenFromIt(void **state)
{
    (void)state;
    static const char *const fields[][2] = {
        {":method", "GET"}, {":scheme", "https"}, {":path", "/"}, {"host", "host.example"}};
    struct wire *w = wire_handler("note(ctx.authority, ctx.headers.host)");
    submit(w, fields, 4);
    wire_expect_notes(w, "host.example host.example\n");
}

static void Request_Malformed_ResetWithProtocolError(void **state)
{
    (void)state;
    static const char *const no_path[][2] = {
        {":method", "GET"}, {":scheme", "https"}, {":authority", "a"}};
    static const char *const no_method[][2] = {
        {":scheme", "https"}, {":authority", "a"}, {":path", "/"}};
    static const char *const twice[][2] = {{":method", "GET"}, {":method", "GET"},
        {":scheme", "https"}, {":authority", "a"}, {":path", "/"}};
    static const char *const specific[][2] = {{":method", "GET"}, {":scheme", "https"},
        {":authority", "a"}, {":path", "/"}, {"connection", "close"}};
    static const char *const relative[][2] = {
        {":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "x"}};
    struct wire *w = wire_handler("note('ran')");
    submit(w, no_path, 3);
    submit(w, no_method, 3);
    submit(w, twice, 5);
    submit(w, specific, 5);
    submit(w, relative, 4);
    wire_get(w, "/");
    wire_expect(w, "RST_STREAM stream=1 code=PROTOCOL_ERROR\n"
                   "RST_STREAM stream=3 code=PROTOCOL_ERROR\n"
                   "RST_STREAM stream=5 code=PROTOCOL_ERROR\n"
                   "RST_STREAM stream=7 code=PROTOCOL_ERROR\n"
                   "RST_STREAM stream=9 code=PROTOCOL_ERROR\n" EMPTY_RESPONSE("11"));
    wire_expect_notes(w, "ran\n");
    wire_expect_log(w, "warn frame refused conn=7 stream=1");
}

/* In its first flight the client does not know of the limit yet. */
static void Streams_TooMany_Refused(void **state)
{
    (void)state;
    struct wire_limits limits = wire_limits();
    limits.h2.max_streams = 2;
    struct wire *w = wire_open(&(struct wire_options){
        .handler = "mt.sleep(0) note('ran')", .bare = true, .limits = &limits});
    submit_settings(w);
    for (int i = 0; i < 3; i++)
        wire_get(w, "/");
    wire_settle(w);
    assert_non_null(strstr(w->frames.lines.p, "\nRST_STREAM stream=5 code=REFUSED_STREAM\n"));
    assert_int_equal(live.exchanges, 2);
    text_clear(&w->frames.lines);
    while (live.waits)
        wire_wait(w);
    wire_expect(w, EMPTY_RESPONSE("1") EMPTY_RESPONSE("3"));
    wire_expect_notes(w, "ran\nran\n");
    wire_expect_log(w, "");
}

static void Data_BeyondStreamWindow_ResetWithFlowControlError(void **state)
{
    (void)state;
    struct wire_limits limits = wire_limits();
    limits.http.stream_window = 10;
    struct wire *w = wire_open(
        &(struct wire_options){.handler = "note(pcall(mt.sleep, 1000))", .limits = &limits});
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect_tasks(w, 1, 1);
    wire_frame(w, NGHTTP2_DATA, 0, stream, "12345678901", 11);
    wire_expect(w, "RST_STREAM stream=1 code=FLOW_CONTROL_ERROR\n");
    wire_expect_notes(w, "false request aborted: FLOW_CONTROL_ERROR\n");
}

/* After any of these nothing is read any more, and the handlers under way are told. */
static void expect_fatal(struct wire *w, int32_t last, const char *code)
{
    char expected[80];
    snprintf(expected, sizeof expected, "GOAWAY last=%d code=%s\n", last, code);
    wire_expect(w, expected);
    assert_true(is_over(w));
    wire_expect_log(w, code);
    wire_expect_notes(w, "false request aborted: connection lost\n");
}

static struct wire *open_waiting(void)
{
    struct wire *w = wire_handler("note(pcall(ctx.read, ctx))");
    wire_begin(w, "POST", "/", "");
    wire_expect_tasks(w, 1, 1);
    return w;
}

static void Frames_BreakingTheProtocol_Goaway(void **state)
{
    (void)state;
    static const struct {
        uint8_t type, flags;
        int32_t stream;
        size_t len;
        int32_t last;
        const char *code;
    } cases[] = {
        {NGHTTP2_DATA, 0, 0, 1, 1, "PROTOCOL_ERROR"},
        {NGHTTP2_DATA, 0, 99, 1, 1, "PROTOCOL_ERROR"},
        {NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 2, 1, 1, "PROTOCOL_ERROR"},
        {NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 3, 1, 3, "COMPRESSION_ERROR"},
        {NGHTTP2_RST_STREAM, 0, 99, 4, 1, "PROTOCOL_ERROR"},
        {NGHTTP2_RST_STREAM, 0, 1, 3, 1, "FRAME_SIZE_ERROR"},
        {NGHTTP2_SETTINGS, 0, 0, 5, 1, "FRAME_SIZE_ERROR"},
        {NGHTTP2_SETTINGS, 0, 1, 6, 1, "PROTOCOL_ERROR"},
        {NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1, 5, 1, "PROTOCOL_ERROR"},
        {NGHTTP2_PING, 0, 0, 7, 1, "FRAME_SIZE_ERROR"},
        {NGHTTP2_WINDOW_UPDATE, 0, 0, 4, 1, "PROTOCOL_ERROR"},
        {NGHTTP2_CONTINUATION, 0, 1, 1, 1, "PROTOCOL_ERROR"},
        {0xbe, 0, 0, 16385, 1, "FRAME_SIZE_ERROR"},
    };
    static char payload[16385];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wire *w = open_waiting();
        log_settle(true); /* each case has its line, however many came before */
        wire_frame(w, cases[i].type, cases[i].flags, cases[i].stream, payload, cases[i].len);
        expect_fatal(w, cases[i].last, cases[i].code);
        wire_close(w);
    }
}

/* RFC 9113 6.8: the first GOAWAY takes what is on its way, the second one names the last stream. */
static void ShutDown_TwoSteps_RequestsFinish(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(ctx:body())");
    int32_t first = wire_begin(w, "POST", "/", "");
    wire_settle(w);
    assert_false(w->session->ops->is_idle(w->session));
    w->session->ops->shut_down(w->session, END_NOTICE);
    int32_t second = wire_begin(w, "POST", "/", "");
    wire_expect(w, "GOAWAY last=2147483647 code=NO_ERROR\n");
    w->session->ops->shut_down(w->session, END_NOW);
    wire_expect(w, "GOAWAY last=3 code=NO_ERROR\n");
    wire_send(w, first, "one", 3);
    wire_end(w, first);
    wire_expect(w, EMPTY_RESPONSE("1"));
    assert_false(is_over(w));
    wire_send(w, second, "two", 3);
    wire_end(w, second);
    wire_expect(w, EMPTY_RESPONSE("3"));
    wire_expect_notes(w, "one\ntwo\n");
    assert_true(is_over(w));
}

/* The client, without a stream, takes the first GOAWAY for the end, and reads no second. */
static void ShutDown_Idle_OverAtOnce(void **state)
{
    (void)state;
    struct wire *w = wire_handler("");
    w->session->ops->shut_down(w->session, END_NOTICE);
    wire_expect(w, "GOAWAY last=2147483647 code=NO_ERROR\n");
    assert_false(is_over(w));
    w->session->ops->shut_down(w->session, END_NOW);
    wire_settle(w);
    assert_true(is_over(w));
}

/* GET https://a/ */
static const char head_block[] = {(char)0x82, (char)0x87, (char)0x84, 0x41, 1, 'a'};

/* The client sent it before it could know, and must not send it anew elsewhere. */
static void ShutDown_RequestAheadOfLastGoaway_AmongTheProcessed(void **state)
{
    (void)state;
    struct wire *w = open_waiting();
    w->session->ops->shut_down(w->session, END_NOTICE);
    wire_expect(w, "GOAWAY last=2147483647 code=NO_ERROR\n");
    w->session->ops->shut_down(w->session, END_NOW);
    wire_frame(w, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 3, head_block, sizeof head_block);
    wire_expect(w, "GOAWAY last=3 code=NO_ERROR\n");
    wire_expect_tasks(w, 2, 2);
    wire_drop(w, cut_of(CUT_LOST));
    wire_settle(w);
    wire_expect_notes(w, "false request aborted: connection lost\n"
                         "false request aborted: connection lost\n");
}

static void ShutDown_LaterRequests_NotTaken(void **state)
{
    (void)state;
    struct wire *w = open_waiting();
    w->session->ops->shut_down(w->session, END_NOTICE);
    w->session->ops->shut_down(w->session, END_NOW);
    wire_expect(w, "GOAWAY last=2147483647 code=NO_ERROR\n"
                   "GOAWAY last=1 code=NO_ERROR\n");
    wire_frame(w, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 3,
        head_block, sizeof head_block);
    wire_expect_tasks(w, 1, 1);
    assert_int_equal(live.exchanges, 1);
    wire_end(w, 1);
    wire_expect(w, EMPTY_RESPONSE("1"));
    wire_expect_notes(w, "true nil\n");
}

static void Streams_ManyOnOneConnection_AllAnswered(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:append_trailer('a', 'b') ctx:write(ctx.query)");
    for (int i = 0; i < 3000; i++) {
        wire_get(w, "/?x");
        if (i % 100 == 0)
            wire_settle(w);
        text_clear(&w->frames.lines);
    }
    int32_t last = wire_get(w, "/?x");
    assert_int_equal(last, 6001);
    wire_settle(w);
    assert_non_null(strstr(w->frames.lines.p, "HEADERS stream=6001 END_STREAM a=b\n"));
    assert_int_equal(live.exchanges, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Preface_Exchanged_SettingsWindowAndAck),
        wire_test(Preface_ServerFirst_SentAtOnce),
        wire_test(Preface_ByteByByte_SameFrames),
        wire_test(Preface_NotHttp2_Over),
        wire_test(Ping_Answered),
        wire_test(UnknownFrame_Ignored),
        wire_test(HeaderList_TooLarge_431AndNeighboursGoOn),
        wire_test(HeaderList_TooManyFields_431),
        wire_test(HeaderList_TooLargeWithBody_431ThenReset),
        wire_test(RequestTrailers_TooLarge_Reset),
        wire_test(Connect_Answered501),
        wire_test(Authority_OnlyHost_TakenFromIt),
        wire_test(Request_Malformed_ResetWithProtocolError),
        wire_test(Streams_TooMany_Refused),
        wire_test(Data_BeyondStreamWindow_ResetWithFlowControlError),
        wire_test(Frames_BreakingTheProtocol_Goaway),
        wire_test(ShutDown_TwoSteps_RequestsFinish),
        wire_test(ShutDown_Idle_OverAtOnce),
        wire_test(ShutDown_RequestAheadOfLastGoaway_AmongTheProcessed),
        wire_test(ShutDown_LaterRequests_NotTaken),
        wire_test(Streams_ManyOnOneConnection_AllAnswered),
    };
    return cmocka_run_group_tests_name("session/connection", tests, NULL, NULL);
}

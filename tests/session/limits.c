/* What a client may not do too often: each limit is reached, and then passed by one event. */
#include "support/wire.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LIMIT = 3 }; /* of each kind of event, in these tests */

/* GET https://a/ */
static const char head_block[] = {(char)0x82, (char)0x87, (char)0x84, 0x41, 1, 'a'};

/* Opens a connection whose preface is not counted: a limit of 0 is none. The session borrows the
 * limits. */
static struct wire *open_limited(const char *handler, enum guard_kind kind)
{
    struct wire_limits limits = wire_limits();
    limits.h2.a_second[kind] = 0;
    struct wire *w = wire_open(&(struct wire_options){.handler = handler, .limits = &limits});
    w->limits.h2.a_second[kind] = LIMIT;
    return w;
}

/* Expects GOAWAY, as the last of these frames, and one line in the log that names the limit. */
static void expect_breach(struct wire *w, const char *lines, const char *limit)
{
    char line[160];
    wire_expect(w, lines);
    assert_null(w->session);
    assert_int_equal(w->refused ? w->refused : RC_PROTOCOL, RC_PROTOCOL);
    snprintf(line, sizeof line,
        "warn limit reached limit=%s conn=7 remote=127.0.0.1:51234 code=ENHANCE_YOUR_CALM\n",
        limit);
    wire_expect_log(w, line);
    const char *first = strstr(text_of(&w->taken), "limit reached");
    assert_null(strstr(first + 1, "limit reached"));
}

#define CALM(last) "GOAWAY last=" last " code=ENHANCE_YOUR_CALM\n"

/* Resets. */

/* Opens a stream and resets it, in one flight. */
static void open_and_reset(struct wire *w)
{
    int32_t stream = wire_get(w, "/");
    wire_collect(w);
    wire_reset(w, stream, ERROR_CANCEL);
    wire_collect(w);
}

static void Resets_RapidInOneFlight_GoawayAndNoneRuns(void **state)
{
    (void)state;
    struct wire *w = open_limited("note('ran')", GUARD_RESETS);
    for (int i = 0; i < LIMIT; i++)
        open_and_reset(w);
    wire_expect(w, "");
    wire_get(w, "/");
    wire_expect(w, EMPTY_RESPONSE("7"));
    wire_expect_notes(w, "ran\n");
    for (int i = 0; i < 10; i++)
        open_and_reset(w);
    expect_breach(w, CALM("9"), "max-resets");
    wire_expect_notes(w, "");
}

static void Resets_OfWaitingHandlers_EachToldThenGoaway(void **state)
{
    (void)state;
    struct wire *w = open_limited("note(pcall(mt.sleep, 1000))", GUARD_RESETS);
    for (int i = 0; i < LIMIT + 2; i++)
        wire_get(w, "/");
    wire_expect_tasks(w, LIMIT + 2, LIMIT + 2);
    for (int i = 0; i < LIMIT; i++)
        wire_reset(w, 1 + 2 * i, ERROR_CANCEL);
    wire_expect(w, "");
    wire_expect_notes(w, "false request aborted: CANCEL\n"
                         "false request aborted: CANCEL\n"
                         "false request aborted: CANCEL\n");
    wire_reset(w, 1 + 2 * LIMIT, ERROR_CANCEL);
    expect_breach(w, CALM("9"), "max-resets");
    wire_expect_tasks(w, 0, 0);
    wire_expect_notes(w, "false request aborted: CANCEL\n"
                         "false request aborted: connection lost\n");
}

/* A client that has its response may reset what is left of its request. */
static void Resets_AfterTheResponse_NotCounted(void **state)
{
    (void)state;
    struct wire *w = open_limited("ctx:finish() ctx:read()", GUARD_RESETS);
    for (int i = 0; i < 2 * LIMIT; i++) {
        int32_t stream = wire_begin(w, "POST", "/", "");
        wire_settle(w);
        wire_reset(w, stream, ERROR_NO_ERROR);
        wire_settle(w);
    }
    assert_non_null(w->session);
    assert_null(strstr(text_of(&w->frames.lines), "GOAWAY"));
}

static void Resets_ASecondLater_CountedAnew(void **state)
{
    (void)state;
    struct wire *w = open_limited("", GUARD_RESETS);
    for (int i = 0; i < LIMIT; i++)
        open_and_reset(w);
    wire_settle(w);
    usleep(1010000);
    for (int i = 0; i < LIMIT; i++)
        open_and_reset(w);
    wire_expect(w, "");
    open_and_reset(w);
    expect_breach(w, CALM("13"), "max-resets");
}

static void Limit_Zero_IsNone(void **state)
{
    (void)state;
    struct wire_limits limits = wire_limits();
    memset(limits.h2.a_second, 0, sizeof limits.h2.a_second);
    struct wire *w = wire_open(&(struct wire_options){.handler = "", .limits = &limits});
    for (int i = 0; i < 2000; i++)
        open_and_reset(w);
    wire_expect(w, "");
    wire_get(w, "/");
    wire_expect(w, EMPTY_RESPONSE("4001"));
}

/* Faults: what makes us reset a stream. */

/* Each way makes one stream that is open fail. */

static void send_beyond_window(struct wire *w, int32_t stream)
{
    wire_frame(w, NGHTTP2_DATA, 0, stream, "12345678901", 11);
}

static void overflow_window(struct wire *w, int32_t stream)
{
    wire_frame(w, NGHTTP2_WINDOW_UPDATE, 0, stream, "\x7f\xff\xff\xff", 4);
}

static void send_beyond_length(struct wire *w, int32_t stream)
{
    wire_frame(w, NGHTTP2_DATA, 0, stream, "123456", 6);
}

static void end_below_length(struct wire *w, int32_t stream)
{
    wire_frame(w, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, stream, "1", 1);
}

static void send_bad_trailers(struct wire *w, int32_t stream)
{
    wire_frame(
        w, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, stream, "\x84", 1);
}

static void expect_faults(void (*fault)(struct wire *w, int32_t stream), const char *code)
{
    struct text expected = {0};
    struct wire_limits limits = wire_limits();
    limits.http.stream_window = 10;
    limits.h2.a_second[GUARD_FAULTS] = LIMIT;
    struct wire *w = wire_open(
        &(struct wire_options){.handler = "note(pcall(mt.sleep, 1000))", .limits = &limits});
    for (int i = 0; i < LIMIT + 2; i++)
        wire_begin(w, "POST", "/", "content-length: 5");
    wire_expect_tasks(w, LIMIT + 2, LIMIT + 2);
    for (int i = 0; i < LIMIT; i++) {
        fault(w, 1 + 2 * i);
        text_print(&expected, "RST_STREAM stream=%d code=%s\n", 1 + 2 * i, code);
    }
    wire_expect(w, text_of(&expected));
    wire_expect_tasks(w, 2, 2);
    text_clear(&expected);
    fault(w, 1 + 2 * LIMIT);
    text_print(&expected, "RST_STREAM stream=7 code=%s\n" CALM("9"), code);
    expect_breach(w, text_of(&expected), "max-faults");
    wire_expect_tasks(w, 0, 0);
    text_clear(&expected);
    wire_close(w);
}

static void Faults_EachWay_ResetThenGoaway(void **state)
{
    (void)state;
    expect_faults(send_beyond_window, "FLOW_CONTROL_ERROR");
    expect_faults(overflow_window, "FLOW_CONTROL_ERROR");
    expect_faults(send_beyond_length, "PROTOCOL_ERROR");
    expect_faults(end_below_length, "PROTOCOL_ERROR");
    expect_faults(send_bad_trailers, "PROTOCOL_ERROR");
}

/* Without :path. */
static void submit_malformed(struct wire *w)
{
    static const nghttp2_nv nv[] = {{(uint8_t *)":method", (uint8_t *)"GET", 7, 3, 0},
        {(uint8_t *)":scheme", (uint8_t *)"https", 7, 5, 0},
        {(uint8_t *)":authority", (uint8_t *)"a", 10, 1, 0}};
    assert_true(nghttp2_submit_request(w->client, NULL, nv, 3, NULL, NULL) > 0);
}

static void Faults_MalformedRequests_ResetThenGoaway(void **state)
{
    (void)state;
    struct wire *w = open_limited("note('ran')", GUARD_FAULTS);
    for (int i = 0; i < LIMIT; i++)
        submit_malformed(w);
    wire_get(w, "/");
    wire_expect(w, "RST_STREAM stream=1 code=PROTOCOL_ERROR\n"
                   "RST_STREAM stream=3 code=PROTOCOL_ERROR\n"
                   "RST_STREAM stream=5 code=PROTOCOL_ERROR\n" EMPTY_RESPONSE("7"));
    submit_malformed(w);
    expect_breach(w, "RST_STREAM stream=9 code=PROTOCOL_ERROR\n" CALM("9"), "max-faults");
    wire_expect_notes(w, "ran\n");
}

/* What a handler resets is no fault of the client's. */
static void Faults_HandlerResets_NotCounted(void **state)
{
    (void)state;
    struct wire *w = open_limited("ctx:reset('PROTOCOL_ERROR')", GUARD_FAULTS);
    for (int i = 0; i < 2 * LIMIT; i++)
        wire_get(w, "/");
    wire_settle(w);
    text_clear(&w->frames.lines);
    wire_get(w, "/");
    wire_expect(w, "RST_STREAM stream=13 code=PROTOCOL_ERROR\n");
}

/* Control frames. */

static void send_ping(struct wire *w)
{
    wire_frame(w, NGHTTP2_PING, 0, 0, "12345678", 8);
}

static void send_ping_ack(struct wire *w)
{
    wire_frame(w, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "12345678", 8);
}

static void send_settings(struct wire *w)
{
    assert_int_equal(nghttp2_submit_settings(w->client, NGHTTP2_FLAG_NONE, NULL, 0), 0);
}

static void send_priority(struct wire *w)
{
    wire_frame(w, NGHTTP2_PRIORITY, 0, 1, "\0\0\0\0\x10", 5);
}

static void send_priority_of_idle(struct wire *w)
{
    wire_frame(w, NGHTTP2_PRIORITY, 0, 99, "\0\0\0\0\x10", 5);
}

static void send_priority_update(struct wire *w)
{
    wire_frame(w, NGHTTP2_PRIORITY_UPDATE, 0, 0, "\0\0\0\1u=1", 7);
}

static void send_unknown(struct wire *w)
{
    wire_frame(w, 0xbe, 0xff, 0, "anything", 8);
}

static void send_unknown_and_empty(struct wire *w)
{
    wire_frame(w, 0xff, 0, 1, "", 0);
}

static void send_reset_of_closed(struct wire *w)
{
    wire_frame(w, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x08", 4);
}

static void expect_control(void (*send)(struct wire *w), const char *answer)
{
    struct text expected = {0};
    struct wire *w = open_limited("", GUARD_CONTROL);
    wire_get(w, "/");
    wire_expect(w, EMPTY_RESPONSE("1"));
    for (int i = 0; i < LIMIT; i++) {
        send(w);
        text_print(&expected, "%s", answer);
    }
    wire_expect(w, text_of(&expected));
    wire_get(w, "/");
    wire_expect(w, EMPTY_RESPONSE("3"));
    send(w);
    expect_breach(w, CALM("3"), "max-control-frames");
    text_clear(&expected);
    wire_close(w);
}

static void ControlFrames_EachType_Goaway(void **state)
{
    (void)state;
    expect_control(send_ping, "PING ACK\n");
    expect_control(send_ping_ack, "");
    expect_control(send_settings, "SETTINGS ACK\n");
    expect_control(send_priority, "");
    expect_control(send_priority_of_idle, "");
    expect_control(send_priority_update, "");
    expect_control(send_unknown, "");
    expect_control(send_unknown_and_empty, "");
    expect_control(send_reset_of_closed, "");
}

/* The types share one count, and a handler that waits is told. */
static void ControlFrames_Mixed_GoawayAndHandlerTold(void **state)
{
    (void)state;
    struct wire *w = open_limited("note(pcall(mt.sleep, 1000))", GUARD_CONTROL);
    wire_get(w, "/");
    wire_expect_tasks(w, 1, 1);
    send_ping(w);
    send_priority(w);
    send_unknown(w);
    wire_expect(w, "PING ACK\n");
    send_ping(w);
    expect_breach(w, CALM("1"), "max-control-frames");
    wire_expect_notes(w, "false request aborted: connection lost\n");
}

/* What comes behind the breach is not read, and what came before it in one flight not answered. */
static void ControlFrames_FloodInOneFlight_RestNotRead(void **state)
{
    (void)state;
    struct wire *w = open_limited("note('ran')", GUARD_CONTROL);
    for (int i = 0; i < 1000; i++)
        send_ping(w);
    wire_get(w, "/");
    expect_breach(w, CALM("0"), "max-control-frames");
    wire_expect_notes(w, "");
}

static void ControlFrames_ByteByByte_SameFrames(void **state)
{
    (void)state;
    struct wire_limits limits = wire_limits();
    limits.h2.a_second[GUARD_CONTROL] = 0;
    struct wire *w =
        wire_open(&(struct wire_options){.handler = "", .limits = &limits, .grain = 1});
    w->limits.h2.a_second[GUARD_CONTROL] = LIMIT;
    for (int i = 0; i < LIMIT + 1; i++)
        send_ping(w);
    expect_breach(w, "PING ACK\nPING ACK\nPING ACK\n" CALM("0"), "max-control-frames");
}

/* Windows. */

static void WindowUpdates_WithoutData_Goaway(void **state)
{
    (void)state;
    struct wire *w = open_limited("mt.sleep(1000)", GUARD_WINDOWS);
    int32_t stream = wire_get(w, "/");
    wire_settle(w);
    for (int i = 0; i < LIMIT; i++)
        wire_credit(w, i % 2 ? stream : 0, 1);
    wire_expect(w, "");
    wire_credit(w, 0, 1);
    expect_breach(w, CALM("1"), "max-window-updates");
}

static void WindowUpdates_OnAClosedStream_Goaway(void **state)
{
    (void)state;
    struct wire *w = open_limited("", GUARD_WINDOWS);
    wire_get(w, "/");
    wire_expect(w, EMPTY_RESPONSE("1"));
    for (int i = 0; i < LIMIT; i++)
        wire_frame(w, NGHTTP2_WINDOW_UPDATE, 0, 1, "\0\0\0\1", 4);
    wire_expect(w, "");
    wire_frame(w, NGHTTP2_WINDOW_UPDATE, 0, 1, "\0\0\0\1", 4);
    expect_breach(w, CALM("1"), "max-window-updates");
}

/* Each frame of DATA may be answered with eight. */
static void WindowUpdates_ForData_NotCounted(void **state)
{
    (void)state;
    struct wire *w = open_limited("ctx:write('x')", GUARD_WINDOWS);
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now content-length=1\n"
                   "DATA stream=1 END_STREAM len=1 'x'\n");
    for (int i = 0; i < 8 + LIMIT; i++)
        wire_credit(w, 0, 1);
    wire_expect(w, "");
    wire_credit(w, 0, 1);
    expect_breach(w, CALM("1"), "max-window-updates");
}

/* A window of a byte, opened again and again. */
static void Dribbles_TinyWindow_Goaway(void **state)
{
    (void)state;
    struct wire_limits limits = wire_limits();
    limits.h2.a_second[GUARD_DRIBBLES] = LIMIT;
    struct wire *w = wire_open(&(struct wire_options){
        .handler = "note(pcall(ctx.finish, ctx, 'Hello world'))", .limits = &limits, .window = 1});
    int32_t stream = wire_get(w, "/");
    for (int i = 0; i < LIMIT; i++) {
        wire_settle(w);
        wire_credit(w, stream, 1);
    }
    wire_expect(w, "HEADERS stream=1 :status=200 date=now content-length=11\n"
                   "DATA stream=1 len=1 'H'\n"
                   "DATA stream=1 len=1 'e'\n"
                   "DATA stream=1 len=1 'l'\n"
                   "DATA stream=1 len=1 'l'\n");
    wire_credit(w, stream, 1);
    expect_breach(w, "DATA stream=1 len=1 'o'\n" CALM("1"), "max-dribbles");
    wire_expect_notes(w, "false request aborted: connection lost\n");
}

/* A client that gives credit for each frame leaves a rest of its window between large ones. */
static void Dribbles_RestsOfAWindow_NotCounted(void **state)
{
    (void)state;
    struct wire_limits limits = wire_limits();
    limits.h2.a_second[GUARD_DRIBBLES] = LIMIT;
    struct wire *w = wire_open(&(struct wire_options){
        .handler = "ctx:finish(('x'):rep(5000))", .limits = &limits, .window = 1});
    int32_t stream = wire_get(w, "/");
    for (int i = 0; i < 20; i++) {
        wire_settle(w);
        wire_credit(w, stream, i % 2 ? 1 : 100);
    }
    wire_settle(w);
    assert_non_null(w->session);
    wire_expect_body(w, stream, 'x', 1 + 10 * 101);
}

/* Small DATA that is all there is, as of events, is no dribble. */
static void Dribbles_SmallWrites_NotCounted(void **state)
{
    (void)state;
    struct wire *w =
        open_limited("for i = 1, 20 do ctx:write('x') ctx:flush() end", GUARD_DRIBBLES);
    int32_t stream = wire_get(w, "/");
    wire_expect_body(w, stream, 'x', 20);
    assert_non_null(w->session);
}

/* Frames with nothing in them. */

static void send_empty(struct wire *w)
{
    wire_frame(w, NGHTTP2_DATA, 0, 1, "", 0);
}

static void send_padding(struct wire *w)
{
    wire_frame(w, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\x03\0\0\0", 4);
}

static void send_length_of_padding(struct wire *w)
{
    wire_frame(w, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\0", 1);
}

static void expect_empty(void (*send)(struct wire *w))
{
    struct wire *w = open_limited("note(pcall(ctx.body, ctx))", GUARD_EMPTY);
    wire_begin(w, "POST", "/", "");
    wire_expect_tasks(w, 1, 1);
    for (int i = 0; i < LIMIT; i++)
        send(w);
    wire_frame(w, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\1x\0", 3);
    wire_expect(w, "");
    wire_expect_tasks(w, 1, 1);
    send(w);
    expect_breach(w, CALM("1"), "max-empty-frames");
    wire_expect_notes(w, "false request aborted: connection lost\n");
    wire_close(w);
}

static void EmptyFrames_Data_Goaway(void **state)
{
    (void)state;
    expect_empty(send_empty);
    expect_empty(send_padding);
    expect_empty(send_length_of_padding);
}

static void EmptyFrames_DataOnAClosedStream_Goaway(void **state)
{
    (void)state;
    struct wire *w = open_limited("ctx:reset()", GUARD_EMPTY);
    wire_begin(w, "POST", "/", "");
    wire_expect(w, "RST_STREAM stream=1 code=CANCEL\n");
    for (int i = 0; i < LIMIT; i++)
        send_empty(w);
    wire_expect(w, "");
    send_empty(w);
    expect_breach(w, CALM("1"), "max-empty-frames");
}

/* DATA that is empty but ends the request says something. */
static void EmptyFrames_EndOfRequest_NotCounted(void **state)
{
    (void)state;
    struct wire *w = open_limited("ctx:body()", GUARD_EMPTY);
    for (int i = 0; i < 2 * LIMIT; i++) {
        int32_t stream = wire_begin(w, "POST", "/", "");
        wire_settle(w);
        wire_end(w, stream);
        wire_settle(w);
    }
    text_clear(&w->frames.lines);
    wire_get(w, "/");
    wire_expect(w, EMPTY_RESPONSE("13"));
}

static void begin_block(struct wire *w, int32_t stream, size_t n)
{
    wire_frame(w, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, stream, head_block, n);
}

static void EmptyFrames_Continuation_Goaway(void **state)
{
    (void)state;
    struct wire *w = open_limited("note('ran')", GUARD_EMPTY);
    begin_block(w, 1, sizeof head_block);
    for (int i = 0; i < LIMIT; i++)
        wire_frame(w, NGHTTP2_CONTINUATION, 0, 1, "", 0);
    wire_expect(w, "");
    wire_frame(w, NGHTTP2_CONTINUATION, 0, 1, "", 0);
    expect_breach(w, CALM("1"), "max-empty-frames");
    wire_expect_notes(w, "");
}

/* Header blocks. */

/* Sends a head in so many frames beyond the first, which has a byte as each but the last has. */
static void send_block(struct wire *w, int32_t stream, size_t continuations)
{
    begin_block(w, stream, 1);
    for (size_t i = 1; i < continuations; i++)
        wire_frame(w, NGHTTP2_CONTINUATION, 0, stream, head_block + i, 1);
    wire_frame(w, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, stream,
        head_block + continuations, sizeof head_block - continuations);
}

/* The client knows nothing of streams that are opened by hand: the handler answers none. */
static void Continuations_MoreThanLimit_Goaway(void **state)
{
    (void)state;
    struct wire_limits limits = wire_limits();
    limits.h2.continuations = LIMIT;
    struct wire *w = wire_open(
        &(struct wire_options){.handler = "note('ran') mt.sleep(1000)", .limits = &limits});
    send_block(w, 1, LIMIT);
    send_block(w, 3, LIMIT);
    wire_expect_notes(w, "ran\nran\n");
    send_block(w, 5, LIMIT + 1);
    expect_breach(w, CALM("5"), "max-continuations");
    wire_expect_notes(w, "");
}

static void Continuations_NeverEnding_Goaway(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note('ran')");
    begin_block(w, 1, sizeof head_block);
    for (int i = 0; i < 1000; i++)
        wire_frame(w, NGHTTP2_CONTINUATION, 0, 1, "\x40\1a\1b", 5);
    expect_breach(w, CALM("1"), "max-continuations");
    wire_expect_notes(w, "");
}

#define TOO_LARGE(stream) \
    "HEADERS stream=" stream " :status=431 content-type='text/plain; charset=utf-8' date=now " \
    "content-length=32\n" \
    "DATA stream=" stream " END_STREAM len=32 'Request Header Fields Too Large\\n'\n"

/* By RFC 9113 10.5.1: each field is its name, its value and 32. */
enum { PSEUDO_BYTES = 7 + 3 + 7 + 5 + 10 + 12 + 5 + 1 + 4 * 32, PSEUDO_FIELDS = 4 };

/* A request whose header list is of so many bytes. */
static void get_bytes(struct wire *w, size_t n)
{
    struct text field = {0};
    size_t value = n - PSEUDO_BYTES - 32 - 1;
    text_print(&field, "x: %0*d\n", (int)value, 0);
    wire_end(w, wire_begin(w, "GET", "/", text_of(&field)));
    text_clear(&field);
}

enum { HEADER_BYTES = 300 };

static struct wire *open_with_header_bytes(void)
{
    struct wire_limits limits = wire_limits();
    limits.http.header_bytes = HEADER_BYTES;
    return wire_open(&(struct wire_options){.handler = "note('ran')", .limits = &limits});
}

static void HeaderBytes_OneTooMany_431(void **state)
{
    (void)state;
    struct wire *w = open_with_header_bytes();
    get_bytes(w, HEADER_BYTES);
    wire_expect(w, EMPTY_RESPONSE("1"));
    get_bytes(w, HEADER_BYTES + 1);
    wire_expect(w, TOO_LARGE("3"));
    wire_expect_log(w, "warn limit reached limit=max-header-bytes conn=7 stream=3 "
                       "remote=127.0.0.1:51234\n");
    get_bytes(w, HEADER_BYTES);
    wire_expect(w, EMPTY_RESPONSE("5"));
    wire_expect_notes(w, "ran\nran\n");
}

static void HeaderBytes_Bomb_Goaway(void **state)
{
    (void)state;
    struct wire *w = open_with_header_bytes();
    get_bytes(w, 4 * HEADER_BYTES + 3);
    wire_expect(w, TOO_LARGE("1"));
    wire_expect_log(w, "limit=max-header-bytes conn=7 stream=1");
    get_bytes(w, 4 * HEADER_BYTES + 4);
    expect_breach(w, CALM("3"), "max-header-bytes");
    wire_expect_notes(w, "");
}

/* One field is put into the table, and each byte after it is that field again. */
static void HeaderBytes_BombByIndex_Goaway(void **state)
{
    (void)state;
    enum { VALUE = 100, TIMES = 4000 };
    struct text block = {0};
    text_add(&block, head_block, sizeof head_block);
    text_print(&block, "\x40\1x%c%0*d", VALUE, VALUE, 0);
    for (int i = 0; i < TIMES; i++)
        text_add(&block, "\xbe", 1);
    struct wire *w = wire_handler("note('ran')");
    wire_frame(w, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1,
        text_of(&block), block.n);
    text_clear(&block);
    expect_breach(w, CALM("1"), "max-header-fields");
    wire_expect_notes(w, "");
}

/* A request whose header list has so many fields. */
static void get_fields(struct wire *w, int n)
{
    struct text fields = {0};
    for (int i = PSEUDO_FIELDS; i < n; i++)
        text_print(&fields, "x-%d: 1\n", i);
    wire_end(w, wire_begin(w, "GET", "/", text_of(&fields)));
    text_clear(&fields);
}

enum { HEADER_FIELDS = 6 };

static struct wire *open_with_header_fields(void)
{
    struct wire_limits limits = wire_limits();
    limits.http.header_fields = HEADER_FIELDS;
    return wire_open(&(struct wire_options){.handler = "note('ran')", .limits = &limits});
}

static void HeaderFields_OneTooMany_431(void **state)
{
    (void)state;
    struct wire *w = open_with_header_fields();
    get_fields(w, HEADER_FIELDS);
    wire_expect(w, EMPTY_RESPONSE("1"));
    get_fields(w, HEADER_FIELDS + 1);
    wire_expect(w, TOO_LARGE("3"));
    wire_expect_log(w, "warn limit reached limit=max-header-fields conn=7 stream=3 "
                       "remote=127.0.0.1:51234\n");
    get_fields(w, HEADER_FIELDS);
    wire_expect(w, EMPTY_RESPONSE("5"));
    wire_expect_notes(w, "ran\nran\n");
}

static void HeaderFields_Bomb_Goaway(void **state)
{
    (void)state;
    struct wire *w = open_with_header_fields();
    get_fields(w, 4 * HEADER_FIELDS + 3);
    wire_expect(w, TOO_LARGE("1"));
    wire_expect_log(w, "limit=max-header-fields conn=7 stream=1");
    get_fields(w, 4 * HEADER_FIELDS + 4);
    expect_breach(w, CALM("3"), "max-header-fields");
    wire_expect_notes(w, "");
}

/* The queue of what is to go out. */

static void QueuedFrames_ClientReadsNothing_Goaway(void **state)
{
    (void)state;
    struct wire_limits limits = wire_limits();
    limits.h2.queued_frames = LIMIT;
    struct wire *w = wire_open(&(struct wire_options){.handler = "", .limits = &limits});
    w->stuck = true;
    for (int i = 0; i < LIMIT; i++)
        send_ping(w);
    wire_settle(w);
    assert_int_equal(w->refused, RC_OK);
    send_ping(w);
    wire_settle(w);
    assert_int_equal(w->refused, RC_PROTOCOL);
    w->stuck = false;
    expect_breach(w, CALM("0"), "max-queued-frames");
}

/* As many, but read in between. */
static void QueuedFrames_ClientReads_NoLimit(void **state)
{
    (void)state;
    struct wire_limits limits = wire_limits();
    limits.h2.queued_frames = LIMIT;
    struct wire *w = wire_open(&(struct wire_options){.handler = "", .limits = &limits});
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < LIMIT; j++)
            send_ping(w);
        wire_expect(w, "PING ACK\nPING ACK\nPING ACK\n");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Resets_RapidInOneFlight_GoawayAndNoneRuns),
        wire_test(Resets_OfWaitingHandlers_EachToldThenGoaway),
        wire_test(Resets_AfterTheResponse_NotCounted),
        wire_test(Resets_ASecondLater_CountedAnew),
        wire_test(Limit_Zero_IsNone),
        wire_test(Faults_EachWay_ResetThenGoaway),
        wire_test(Faults_MalformedRequests_ResetThenGoaway),
        wire_test(Faults_HandlerResets_NotCounted),
        wire_test(ControlFrames_EachType_Goaway),
        wire_test(ControlFrames_Mixed_GoawayAndHandlerTold),
        wire_test(ControlFrames_FloodInOneFlight_RestNotRead),
        wire_test(ControlFrames_ByteByByte_SameFrames),
        wire_test(WindowUpdates_WithoutData_Goaway),
        wire_test(WindowUpdates_OnAClosedStream_Goaway),
        wire_test(WindowUpdates_ForData_NotCounted),
        wire_test(Dribbles_TinyWindow_Goaway),
        wire_test(Dribbles_RestsOfAWindow_NotCounted),
        wire_test(Dribbles_SmallWrites_NotCounted),
        wire_test(EmptyFrames_Data_Goaway),
        wire_test(EmptyFrames_DataOnAClosedStream_Goaway),
        wire_test(EmptyFrames_EndOfRequest_NotCounted),
        wire_test(EmptyFrames_Continuation_Goaway),
        wire_test(Continuations_MoreThanLimit_Goaway),
        wire_test(Continuations_NeverEnding_Goaway),
        wire_test(HeaderBytes_OneTooMany_431),
        wire_test(HeaderBytes_Bomb_Goaway),
        wire_test(HeaderBytes_BombByIndex_Goaway),
        wire_test(HeaderFields_OneTooMany_431),
        wire_test(HeaderFields_Bomb_Goaway),
        wire_test(QueuedFrames_ClientReadsNothing_Goaway),
        wire_test(QueuedFrames_ClientReads_NoLimit),
    };
    return cmocka_run_group_tests_name("session/limits", tests, NULL, NULL);
}

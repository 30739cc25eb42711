/* Timeouts. No test waits: the seconds are those that the sweep is told. */
#include "support/wire.h"

#include <stdio.h>
#include <string.h>

/* A wait counts from the sweep after it began, and is over once it is longer than its limit. */
enum { LIMIT = 20 };

static struct wire *open_limited(const char *handler, const struct wire_limits *limits)
{
    return wire_open(&(struct wire_options){.handler = handler, .limits = limits});
}

static void sweep(struct wire *w, double seconds)
{
    w->session->ops->sweep(w->session, seconds);
}

/* Lets the time of the limit pass, to the last moment. */
static void sweep_to_limit(struct wire *w)
{
    sweep(w, 1000);
    sweep(w, LIMIT / 2);
    sweep(w, LIMIT / 2);
}

static void expect_log_once(struct wire *w, const char *line)
{
    wire_expect_log(w, line);
    const char *first = strstr(text_of(&w->taken), "timed out");
    assert_null(strstr(first + 1, "timed out"));
}

#define TIMED_OUT(limit, stream) \
    "warn stream timed out limit=" limit " conn=7 stream=" stream " remote=127.0.0.1:51234\n"

#define RAISED "false request aborted: timeout\ntimeout\n"

#define ANSWER(stream, status, phrase) \
    "HEADERS stream=" stream " :status=" status \
    " content-type='text/plain; charset=utf-8' date=now content-length=16\n" \
    "DATA stream=" stream " END_STREAM len=16 '" phrase "\\n'\n"

/* The preface. */

static struct wire *open_ungreeted(double timeout)
{
    struct wire_limits limits = wire_limits();
    limits.h2.preface_timeout = timeout;
    return wire_open(
        &(struct wire_options){.handler = "note('ran')", .bare = true, .limits = &limits});
}

#define SERVER_SETTINGS \
    "SETTINGS MAX_CONCURRENT_STREAMS=128 INITIAL_WINDOW_SIZE=65536 MAX_HEADER_LIST_SIZE=65536 " \
    "NO_RFC7540_PRIORITIES=1\n"

static void submit_settings(struct wire *w)
{
    assert_int_equal(nghttp2_submit_settings(w->client, NGHTTP2_FLAG_NONE, NULL, 0), 0);
}

static void Preface_Late_Goaway(void **state)
{
    (void)state;
    struct wire *w = open_ungreeted(LIMIT);
    sweep_to_limit(w);
    sweep(w, 0.5);
    submit_settings(w);
    wire_get(w, "/");
    wire_expect(w, SERVER_SETTINGS "GOAWAY last=0 code=SETTINGS_TIMEOUT\n");
    assert_null(w->session);
    expect_log_once(w, "warn session timed out limit=preface-timeout conn=7 "
                       "remote=127.0.0.1:51234 code=SETTINGS_TIMEOUT\n");
    wire_expect_notes(w, "");
}

static void Preface_InTime_NoTimeoutEver(void **state)
{
    (void)state;
    struct wire *w = open_ungreeted(LIMIT);
    sweep_to_limit(w);
    submit_settings(w);
    wire_settle(w);
    text_clear(&w->frames.lines);
    sweep(w, 1000);
    sweep(w, 1000);
    wire_get(w, "/");
    wire_expect(w, EMPTY_RESPONSE("1"));
    wire_expect_notes(w, "ran\n");
}

static void Preface_LimitOfZero_None(void **state)
{
    (void)state;
    struct wire *w = open_ungreeted(0);
    for (int i = 0; i < 5; i++)
        sweep(w, 1e9);
    submit_settings(w);
    wire_settle(w);
    text_clear(&w->frames.lines);
    wire_get(w, "/");
    wire_expect(w, EMPTY_RESPONSE("1"));
    wire_expect_notes(w, "ran\n");
}

/* Header blocks. */

/* GET https://a/ */
static const char head_block[] = {(char)0x82, (char)0x87, (char)0x84, 0x41, 1, 'a'};

static struct wire *open_for_headers(double timeout)
{
    struct wire_limits limits = wire_limits();
    limits.http.header_timeout = timeout;
    return open_limited("note('ran') mt.sleep(1000)", &limits);
}

static void expect_header_timeout(struct wire *w)
{
    wire_expect(w, "");
    sweep(w, 0.5);
    wire_expect(w, "GOAWAY last=1 code=ENHANCE_YOUR_CALM\n");
    assert_null(w->session);
    expect_log_once(w, "warn session timed out limit=header-timeout conn=7 "
                       "remote=127.0.0.1:51234 code=ENHANCE_YOUR_CALM\n");
    wire_expect_notes(w, "");
}

static void Headers_WithoutContinuation_Goaway(void **state)
{
    (void)state;
    struct wire *w = open_for_headers(LIMIT);
    wire_frame(w, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, head_block, sizeof head_block);
    wire_settle(w);
    sweep_to_limit(w);
    expect_header_timeout(w);
}

/* What moves is a block under way, not one that ends. */
static void Headers_ContinuedSlowly_Goaway(void **state)
{
    (void)state;
    struct wire *w = open_for_headers(LIMIT);
    wire_frame(w, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, head_block, 1);
    wire_settle(w);
    sweep(w, 1000);
    sweep(w, LIMIT / 2);
    wire_frame(w, NGHTTP2_CONTINUATION, 0, 1, head_block + 1, 1);
    wire_settle(w);
    sweep(w, LIMIT / 2);
    expect_header_timeout(w);
}

/* The frame is whole at its end only, and END_HEADERS is set. */
static void Headers_FrameCutOff_Goaway(void **state)
{
    (void)state;
    static const char frame[] = {
        0, 0, 6, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 0, 0, 0, 1, (char)0x82};
    struct wire *w = open_for_headers(LIMIT);
    wire_raw(w, frame, sizeof frame);
    wire_settle(w);
    sweep_to_limit(w);
    expect_header_timeout(w);
}

static void Headers_EndInTime_NoTimeoutLater(void **state)
{
    (void)state;
    struct wire *w = open_for_headers(LIMIT);
    for (int32_t stream = 1; stream < 7; stream += 2) {
        wire_frame(w, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, stream, head_block, 1);
        wire_settle(w);
        sweep_to_limit(w);
        wire_frame(w, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, stream, head_block + 1,
            sizeof head_block - 1);
        wire_expect_notes(w, "ran\n");
        sweep(w, 1000);
    }
    assert_non_null(w->session);
}

static void Headers_LimitOfZero_None(void **state)
{
    (void)state;
    struct wire *w = open_for_headers(0);
    wire_frame(w, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, head_block, 1);
    wire_settle(w);
    for (int i = 0; i < 5; i++)
        sweep(w, 1e9);
    wire_frame(w, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 1, head_block + 1,
        sizeof head_block - 1);
    wire_expect_notes(w, "ran\n");
}

/* The request's body. */

static struct wire *open_for_body(const char *handler, double timeout)
{
    struct wire_limits limits = wire_limits();
    limits.http.body_timeout = timeout;
    limits.http.min_body_rate = 0;
    return open_limited(handler, &limits);
}

static void Body_LateBeforeHead_408(void **state)
{
    (void)state;
    struct wire *w = open_for_body("ctx:on_abort(function(reason) note('told', reason) end)\n"
                                   "note(pcall(ctx.body, ctx)) note(ctx:aborted())",
        LIMIT);
    wire_begin(w, "POST", "/", "");
    wire_expect_tasks(w, 1, 1);
    sweep_to_limit(w);
    wire_expect(w, "");
    wire_expect_tasks(w, 1, 1);
    sweep(w, 0.5);
    wire_expect(w, ANSWER("1", "408", "Request Timeout") "RST_STREAM stream=1 code=NO_ERROR\n");
    wire_expect_notes(w, "told timeout\n" RAISED);
    expect_log_once(w, TIMED_OUT("body-timeout", "1"));
    wire_expect_tasks(w, 0, 0);
}

static void Body_LateAfterHead_ResetWithCancel(void **state)
{
    (void)state;
    struct wire *w = open_for_body(
        "ctx:write('x') ctx:flush() note(pcall(ctx.read, ctx)) note(ctx:aborted())", LIMIT);
    wire_begin(w, "POST", "/", "");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=1 'x'\n");
    sweep_to_limit(w);
    wire_expect(w, "");
    sweep(w, 0.5);
    wire_expect(w, "RST_STREAM stream=1 code=CANCEL\n");
    wire_expect_notes(w, RAISED);
    expect_log_once(w, TIMED_OUT("body-timeout", "1"));
}

/* What it raises is no fault of the handler's. */
static void Body_LateAndUncaught_408(void **state)
{
    (void)state;
    struct wire *w = open_for_body("ctx:body() note('not reached')", LIMIT);
    wire_begin(w, "POST", "/", "");
    wire_settle(w);
    sweep_to_limit(w);
    sweep(w, 0.5);
    wire_expect(w, ANSWER("1", "408", "Request Timeout") "RST_STREAM stream=1 code=NO_ERROR\n");
    wire_expect_notes(w, "");
    expect_log_once(w, TIMED_OUT("body-timeout", "1"));
    assert_non_null(strstr(text_of(&w->taken), "debug handler stopped conn=7 stream=1"));
}

static void Body_PieceInTime_CountsAnew(void **state)
{
    (void)state;
    struct wire *w = open_for_body("note(#ctx:body())", LIMIT);
    int32_t stream = wire_begin(w, "POST", "/", "");
    for (int i = 0; i < 10; i++) {
        wire_send(w, stream, "x", 1);
        wire_settle(w);
        sweep_to_limit(w);
    }
    wire_end(w, stream);
    wire_expect_notes(w, "10\n");
    wire_expect(w, EMPTY_RESPONSE("1"));
}

/* A neighbour that moves goes on. */
static void Body_LateOnOneStream_OthersGoOn(void **state)
{
    (void)state;
    struct wire *w = open_for_body("note(pcall(ctx.body, ctx))", LIMIT);
    wire_begin(w, "POST", "/", "");
    int32_t second = wire_begin(w, "POST", "/", "");
    wire_settle(w);
    sweep_to_limit(w);
    wire_send(w, second, "x", 1);
    wire_settle(w);
    sweep(w, 0.5);
    wire_expect(w, ANSWER("1", "408", "Request Timeout") "RST_STREAM stream=1 code=NO_ERROR\n");
    expect_log_once(w, TIMED_OUT("body-timeout", "1"));
    wire_end(w, second);
    wire_expect(w, EMPTY_RESPONSE("3"));
    wire_expect_notes(w, "false request aborted: timeout\ntrue x\n");
}

/* It is the handler that lets the client wait. */
static void Body_NobodyReads_NoTimeout(void **state)
{
    (void)state;
    struct wire *w = open_for_body("mt.sleep(0.001) note(ctx:body())", LIMIT);
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_send(w, stream, "body", 4);
    wire_settle(w);
    for (int i = 0; i < 5; i++)
        sweep(w, 1000);
    wire_wait(w);
    wire_end(w, stream);
    wire_expect_notes(w, "body\n");
    wire_expect(w, EMPTY_RESPONSE("1"));
}

/* The response's body. */

static struct wire *open_for_writes(const char *handler, double timeout)
{
    struct wire_limits limits = wire_limits();
    limits.http.write_timeout = timeout;
    limits.http.min_send_rate = 0;
    return wire_open(&(struct wire_options){.handler = handler, .limits = &limits, .window = 5});
}

#define HELLO \
    "HEADERS stream=1 :status=200 date=now content-length=11\n" \
    "DATA stream=1 len=5 'Hello'\n"

static void Write_NoCredit_ResetWithCancel(void **state)
{
    (void)state;
    struct wire *w =
        open_for_writes("note(pcall(ctx.finish, ctx, 'Hello world')) note(ctx:aborted())", LIMIT);
    wire_get(w, "/");
    wire_expect(w, HELLO);
    sweep_to_limit(w);
    wire_expect(w, "");
    sweep(w, 0.5);
    wire_expect(w, "RST_STREAM stream=1 code=CANCEL\n");
    wire_expect_notes(w, RAISED);
    expect_log_once(w, TIMED_OUT("write-timeout", "1"));
}

/* The handler is long gone. */
static void Write_NoCreditAfterHandler_ResetWithCancel(void **state)
{
    (void)state;
    struct wire *w =
        open_for_writes("ctx:append_trailer('a', 'b') ctx:write('Hello world')", LIMIT);
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=5 'Hello'\n");
    wire_expect_tasks(w, 0, 0);
    sweep_to_limit(w);
    sweep(w, 0.5);
    wire_expect(w, "RST_STREAM stream=1 code=CANCEL\n");
    expect_log_once(w, TIMED_OUT("write-timeout", "1"));
    assert_int_equal(live.exchanges, 0);
}

/* The stream's window is wide, the connection's is not. */
static void Write_NoCreditForConnection_ResetWithCancel(void **state)
{
    (void)state;
    static const nghttp2_settings_entry wide = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20};
    struct wire_limits limits = wire_limits();
    limits.http.write_timeout = LIMIT;
    limits.http.min_send_rate = 0;
    struct wire *w = wire_open(&(struct wire_options){
        .handler = "ctx:write(('x'):rep(70000))", .limits = &limits, .window = 1, .bare = true});
    assert_int_equal(nghttp2_submit_settings(w->client, NGHTTP2_FLAG_NONE, &wide, 1), 0);
    int32_t stream = wire_get(w, "/");
    wire_expect_body(w, stream, 'x', 65535);
    sweep_to_limit(w);
    wire_expect(w, "");
    sweep(w, 0.5);
    wire_expect(w, "RST_STREAM stream=1 code=CANCEL\n");
    expect_log_once(w, TIMED_OUT("write-timeout", "1"));
}

static void Write_CreditInTime_CountsAnew(void **state)
{
    (void)state;
    struct wire *w = open_for_writes("ctx:finish('Hello world') note('sent')", LIMIT);
    int32_t stream = wire_get(w, "/");
    wire_expect(w, HELLO);
    for (int i = 0; i < 6; i++) {
        sweep_to_limit(w);
        wire_credit(w, stream, 1);
        wire_settle(w);
    }
    wire_expect_notes(w, "sent\n");
    assert_string_equal(text_of(frames_body(&w->frames, stream)), "Hello world");
}

/* Nothing is queued: the handler takes its time. */
static void Write_NothingQueued_NoTimeout(void **state)
{
    (void)state;
    struct wire *w = open_for_writes("ctx:flush() mt.sleep(0.001) ctx:write('x')", LIMIT);
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n");
    for (int i = 0; i < 5; i++)
        sweep(w, 1000);
    wire_wait(w);
    wire_expect(w, "DATA stream=1 END_STREAM len=1 'x'\n");
}

/* Rates. */

enum { RATE = 10, GRACE = 5 };

static struct wire *open_for_rates(const char *handler, int32_t window)
{
    struct wire_limits limits = wire_limits();
    limits.http.min_body_rate = limits.http.min_send_rate = RATE;
    return wire_open(
        &(struct wire_options){.handler = handler, .limits = &limits, .window = window});
}

/* So many bytes of a body in each of so many seconds. */
static void trickle(struct wire *w, int32_t stream, int bytes, int seconds)
{
    static const char text[100];
    for (int i = 0; i < seconds; i++) {
        wire_send(w, stream, text, (size_t)bytes);
        wire_settle(w);
        sweep(w, 1);
    }
}

static void BodyRate_TooSlow_408AfterTheGrace(void **state)
{
    (void)state;
    struct wire *w = open_for_rates("note(pcall(ctx.body, ctx))", 65535);
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_settle(w);
    sweep(w, 1);
    trickle(w, stream, RATE - 1, GRACE);
    wire_expect(w, "");
    trickle(w, stream, RATE - 1, 1);
    wire_expect(w, ANSWER("1", "408", "Request Timeout") "RST_STREAM stream=1 code=NO_ERROR\n");
    wire_expect_notes(w, "false request aborted: timeout\n");
    expect_log_once(w, TIMED_OUT("min-body-rate", "1"));
}

static void BodyRate_FastEnough_GoesOn(void **state)
{
    (void)state;
    struct wire *w = open_for_rates("note(#ctx:body())", 65535);
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_settle(w);
    sweep(w, 1);
    trickle(w, stream, RATE, 100);
    wire_end(w, stream);
    wire_expect_notes(w, "1000\n");
    wire_expect(w, EMPTY_RESPONSE("1"));
}

/* It is the average that counts. */
static void BodyRate_FastThenStill_GoesOnForAWhile(void **state)
{
    (void)state;
    struct wire *w = open_for_rates("note(pcall(ctx.body, ctx))", 65535);
    int32_t stream = wire_begin(w, "POST", "/", "");
    trickle(w, stream, 10 * RATE, 1);
    for (int i = 0; i < 10; i++)
        sweep(w, 1);
    wire_expect(w, "");
    sweep(w, 1);
    wire_expect(w, ANSWER("1", "408", "Request Timeout") "RST_STREAM stream=1 code=NO_ERROR\n");
    expect_log_once(w, TIMED_OUT("min-body-rate", "1"));
}

/* What was ahead counts no longer than the wait for a piece may be. */
static void BodyRate_FarAheadThenCrawling_408(void **state)
{
    (void)state;
    struct wire_limits limits = wire_limits();
    limits.http.min_body_rate = RATE;
    limits.http.body_timeout = LIMIT;
    struct wire *w = open_limited("note(pcall(ctx.body, ctx))", &limits);
    int32_t stream = wire_begin(w, "POST", "/", "");
    for (int i = 0; i < 100; i++)
        wire_send(w, stream, (const char[100]){0}, 100);
    wire_settle(w);
    sweep(w, 1);
    trickle(w, stream, 1, 2 * LIMIT);
    wire_expect(w, ANSWER("1", "408", "Request Timeout") "RST_STREAM stream=1 code=NO_ERROR\n");
    expect_log_once(w, TIMED_OUT("min-body-rate", "1"));
}

/* The response has begun: the two may talk as slowly as they like. */
static void BodyRate_ResponseBegun_GoesOn(void **state)
{
    (void)state;
    struct wire *w = open_for_rates("ctx:flush() note(#ctx:body())", 65535);
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n");
    sweep(w, 1);
    trickle(w, stream, 1, 100);
    wire_end(w, stream);
    wire_expect_notes(w, "100\n");
}

/* Messages come when they do. */
static void BodyRate_StreamsOfMessages_GoOn(void **state)
{
    (void)state;
    static const char *const types[] = {"application/grpc", "application/grpc+proto",
        "application/connect+json", "Application/Connect+proto", "application/grpc-web-text"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char fields[100];
        struct wire *w = open_for_rates("note(#ctx:body())", 65535);
        snprintf(fields, sizeof fields, "content-type: %s\n", types[i]);
        int32_t stream = wire_begin(w, "POST", "/", fields);
        wire_settle(w);
        sweep(w, 1);
        trickle(w, stream, 1, 100);
        wire_end(w, stream);
        wire_expect_notes(w, "100\n");
        wire_close(w);
    }
}

/* The handler does not wait for it. */
static void BodyRate_NobodyReads_GoesOn(void **state)
{
    (void)state;
    struct wire *w = open_for_rates("mt.sleep(0.001) note(ctx:body())", 65535);
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_send(w, stream, "body", 4);
    wire_settle(w);
    for (int i = 0; i < 100; i++)
        sweep(w, 1);
    wire_wait(w);
    wire_end(w, stream);
    wire_expect_notes(w, "body\n");
    wire_expect(w, EMPTY_RESPONSE("1"));
}

/* So many bytes of credit in each of so many seconds. */
static void credit(struct wire *w, int32_t stream, int bytes, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        wire_credit(w, stream, bytes);
        wire_settle(w);
        sweep(w, 1);
    }
}

#define LONG_RESPONSE "note(pcall(ctx.write, ctx, ('x'):rep(100000)))"

static void SendRate_TinyCredits_ResetAfterTheGrace(void **state)
{
    (void)state;
    struct wire *w = open_for_rates(LONG_RESPONSE, 1);
    int32_t stream = wire_get(w, "/");
    wire_settle(w);
    sweep(w, 1);
    credit(w, stream, RATE - 2, GRACE);
    assert_int_equal(live.exchanges, 1);
    text_clear(&w->frames.lines);
    credit(w, stream, RATE - 2, 1);
    wire_expect(w, "DATA stream=1 len=8 'xxxxxxxx'\nRST_STREAM stream=1 code=CANCEL\n");
    wire_expect_notes(w, "false request aborted: timeout\n");
    expect_log_once(w, TIMED_OUT("min-send-rate", "1"));
}

static void SendRate_FastEnough_GoesOn(void **state)
{
    (void)state;
    struct wire *w = open_for_rates(LONG_RESPONSE, 1);
    int32_t stream = wire_get(w, "/");
    wire_settle(w);
    sweep(w, 1);
    credit(w, stream, RATE, 100);
    assert_int_equal(live.exchanges, 1);
    wire_expect_body(w, stream, 'x', 100 * RATE + 1);
}

/* Nothing waits for the client. */
static void SendRate_HandlerTakesItsTime_GoesOn(void **state)
{
    (void)state;
    struct wire *w = open_for_rates("ctx:write('x') ctx:flush() mt.sleep(0.001) ctx:write('y')", 5);
    wire_get(w, "/");
    wire_settle(w);
    for (int i = 0; i < 100; i++)
        sweep(w, 1);
    wire_wait(w);
    wire_settle(w);
    assert_string_equal(text_of(frames_body(&w->frames, 1)), "xy");
}

/* Responses that wait for the connection's window. */
static struct wire *open_for_conn_window(int requests)
{
    static const nghttp2_settings_entry wide = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20};
    static struct wire_limits limits;
    limits = wire_limits();
    limits.http.min_send_rate = RATE;
    struct wire *w = wire_open(&(struct wire_options){
        .handler = "ctx:write(('x'):rep(70000))", .limits = &limits, .window = 1, .bare = true});
    assert_int_equal(nghttp2_submit_settings(w->client, NGHTTP2_FLAG_NONE, &wide, 1), 0);
    for (int i = 0; i < requests; i++)
        wire_get(w, "/");
    wire_settle(w);
    sweep(w, 1);
    return w;
}

/* Streams that are served one after the other share what the client takes. */
static void SendRate_ConnectionWindowFastEnough_GoesOn(void **state)
{
    (void)state;
    struct wire *w = open_for_conn_window(4);
    credit(w, 0, RATE, 50);
    assert_int_equal(live.exchanges, 4);
    wire_credit(w, 0, 4 * 70000);
    wire_settle(w);
    assert_int_equal(live.exchanges, 0);
}

/* What was ahead is used up at last. */
static void SendRate_ConnectionWindowTiny_Reset(void **state)
{
    (void)state;
    struct wire *w = open_for_conn_window(1);
    credit(w, 0, RATE / 2, 60);
    assert_int_equal(live.exchanges, 1);
    credit(w, 0, RATE / 2, 65);
    wire_settle(w);
    assert_int_equal(live.exchanges, 0);
    wire_expect_log(w, TIMED_OUT("min-send-rate", "1"));
}

/* The whole request. */

static struct wire *open_for_requests(const char *handler)
{
    struct wire_limits limits = wire_limits();
    limits.http.request_timeout = LIMIT;
    return open_limited(handler, &limits);
}

static void Request_LateBeforeHead_504(void **state)
{
    (void)state;
    struct wire *w = open_for_requests("note(pcall(mt.sleep, 1000)) note(ctx:aborted())\n"
                                       "note(pcall(ctx.write, ctx, 'x'))");
    wire_get(w, "/");
    wire_settle(w);
    sweep_to_limit(w);
    wire_expect(w, "");
    sweep(w, 0.5);
    wire_expect(w, ANSWER("1", "504", "Gateway Timeout"));
    wire_expect_notes(w, RAISED "false request aborted: timeout\n");
    expect_log_once(w, TIMED_OUT("request-timeout", "1"));
}

static void Request_LateAfterHead_ResetWithCancel(void **state)
{
    (void)state;
    struct wire *w = open_for_requests("ctx:flush() note(pcall(mt.sleep, 1000))");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n");
    sweep_to_limit(w);
    sweep(w, 0.5);
    wire_expect(w, "RST_STREAM stream=1 code=CANCEL\n");
    wire_expect_notes(w, "false request aborted: timeout\n");
    expect_log_once(w, TIMED_OUT("request-timeout", "1"));
}

/* Bytes that move in both directions are no excuse here. */
static void Request_LateThoughItMoves_ResetWithCancel(void **state)
{
    (void)state;
    struct wire *w = open_for_requests(
        "note(pcall(function() for piece in ctx.read do ctx:write(piece) ctx:flush() end end))");
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_settle(w);
    sweep(w, 1000);
    for (int i = 0; i < LIMIT; i++) {
        wire_send(w, stream, "x", 1);
        wire_settle(w);
        sweep(w, 1);
    }
    wire_expect_body(w, stream, 'x', LIMIT);
    sweep(w, 0.5);
    wire_expect(w, "RST_STREAM stream=1 code=CANCEL\n");
    wire_expect_notes(w, "false request aborted: timeout\n");
    expect_log_once(w, TIMED_OUT("request-timeout", "1"));
}

/* The response is out, and its client gets what time it has to end its request. */
static void Request_EndedEarly_NotTimedOutAgain(void **state)
{
    (void)state;
    struct wire *w = open_for_requests("mt.sleep(1000)");
    wire_begin(w, "POST", "/", "");
    wire_settle(w);
    sweep_to_limit(w);
    sweep(w, 0.5);
    while (wire_turn(w))
        continue;
    sweep(w, 1);
    wire_expect(w, ANSWER("1", "504", "Gateway Timeout") "RST_STREAM stream=1 code=NO_ERROR\n");
    expect_log_once(w, TIMED_OUT("request-timeout", "1"));
}

/* The socket takes nothing meanwhile. */
static void Request_AnswerStillQueued_NotTimedOutAgain(void **state)
{
    (void)state;
    struct wire *w = open_for_requests("if ctx.query then ctx:flush() end mt.sleep(1000)");
    wire_get(w, "/");
    wire_get(w, "/?flush");
    wire_expect(w, "HEADERS stream=3 :status=200 date=now\n");
    sweep_to_limit(w);
    w->stuck = true;
    for (int i = 0; i < 3; i++) {
        sweep(w, 1);
        wire_settle(w);
    }
    w->stuck = false;
    wire_expect(w, "HEADERS stream=1 :status=504 content-type='text/plain; charset=utf-8' date=now "
                   "content-length=16\n"
                   "RST_STREAM stream=3 code=CANCEL\n"
                   "DATA stream=1 END_STREAM len=16 'Gateway Timeout\\n'\n");
    wire_expect_log(w, TIMED_OUT("request-timeout", "1"));
    const char *first = strstr(text_of(&w->taken), TIMED_OUT("request-timeout", "1"));
    const char *second = strstr(text_of(&w->taken), TIMED_OUT("request-timeout", "3"));
    assert_true(first && second && second > first);
    assert_null(strstr(second + 20, "timed out"));
}

static void Streams_LimitsOfZero_None(void **state)
{
    (void)state;
    struct wire_limits limits = wire_limits();
    limits.http.body_timeout = limits.http.write_timeout = limits.http.request_timeout = 0;
    limits.http.min_body_rate = limits.http.min_send_rate = 0;
    struct wire *w = wire_open(&(struct wire_options){
        .handler = "ctx:write('Hello world') note(ctx:body())", .limits = &limits, .window = 5});
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=5 'Hello'\n");
    for (int i = 0; i < 5; i++)
        sweep(w, 1e9);
    wire_credit(w, stream, 6);
    wire_end(w, stream);
    wire_expect(w, "DATA stream=1 END_STREAM len=6 ' world'\n");
    wire_expect_notes(w, "\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Preface_Late_Goaway),
        wire_test(Preface_InTime_NoTimeoutEver),
        wire_test(Preface_LimitOfZero_None),
        wire_test(Headers_WithoutContinuation_Goaway),
        wire_test(Headers_ContinuedSlowly_Goaway),
        wire_test(Headers_FrameCutOff_Goaway),
        wire_test(Headers_EndInTime_NoTimeoutLater),
        wire_test(Headers_LimitOfZero_None),
        wire_test(Body_LateBeforeHead_408),
        wire_test(Body_LateAfterHead_ResetWithCancel),
        wire_test(Body_LateAndUncaught_408),
        wire_test(Body_PieceInTime_CountsAnew),
        wire_test(Body_LateOnOneStream_OthersGoOn),
        wire_test(Body_NobodyReads_NoTimeout),
        wire_test(Write_NoCredit_ResetWithCancel),
        wire_test(Write_NoCreditAfterHandler_ResetWithCancel),
        wire_test(Write_NoCreditForConnection_ResetWithCancel),
        wire_test(Write_CreditInTime_CountsAnew),
        wire_test(Write_NothingQueued_NoTimeout),
        wire_test(BodyRate_TooSlow_408AfterTheGrace),
        wire_test(BodyRate_FastEnough_GoesOn),
        wire_test(BodyRate_FastThenStill_GoesOnForAWhile),
        wire_test(BodyRate_FarAheadThenCrawling_408),
        wire_test(BodyRate_ResponseBegun_GoesOn),
        wire_test(BodyRate_StreamsOfMessages_GoOn),
        wire_test(BodyRate_NobodyReads_GoesOn),
        wire_test(SendRate_TinyCredits_ResetAfterTheGrace),
        wire_test(SendRate_FastEnough_GoesOn),
        wire_test(SendRate_HandlerTakesItsTime_GoesOn),
        wire_test(SendRate_ConnectionWindowFastEnough_GoesOn),
        wire_test(SendRate_ConnectionWindowTiny_Reset),
        wire_test(Request_LateBeforeHead_504),
        wire_test(Request_LateAfterHead_ResetWithCancel),
        wire_test(Request_LateThoughItMoves_ResetWithCancel),
        wire_test(Request_EndedEarly_NotTimedOutAgain),
        wire_test(Request_AnswerStillQueued_NotTimedOutAgain),
        wire_test(Streams_LimitsOfZero_None),
    };
    return cmocka_run_group_tests_name("session/sweep", tests, NULL, NULL);
}

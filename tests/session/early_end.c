/* A response that ends before its request: END_STREAM, and RST_STREAM NO_ERROR a little later. */
#include "support/wire.h"

#include <string.h>

/* Turns until nothing moves, but lets no time pass: the alarm stays set. */
static void turn(struct wire *w)
{
    while (wire_turn(w))
        continue;
}

static void expect_now(struct wire *w, const char *lines)
{
    turn(w);
    frames_flush(&w->frames);
    assert_string_equal(text_of(&w->frames.lines), lines);
    text_clear(&w->frames.lines);
}

#define NO_ERROR(stream) "RST_STREAM stream=" stream " code=NO_ERROR\n"

/* Opens a stream whose response ends at once, and whose request does not. */
static int32_t begin(struct wire *w, const char *fields)
{
    int32_t stream = wire_begin(w, "POST", "/", fields);
    turn(w);
    return stream;
}

static void Alarm_Rings_ResetThen(void **state)
{
    (void)state;
    struct wire *w = wire_handler("");
    begin(w, "");
    expect_now(w, EMPTY_RESPONSE("1"));
    assert_true(w->alarm > 0 && w->alarm <= 1);
    assert_int_equal(live.exchanges, 1);
    wire_expect(w, NO_ERROR("1"));
    assert_int_equal(live.exchanges, 0);
    assert_true(w->alarm == 0);
}

static void Alarm_TooEarly_SetAgainForTheRest(void **state)
{
    (void)state;
    struct wire *w = wire_handler("");
    begin(w, "");
    double whole = w->alarm;
    w->alarm = 0;
    w->session->ops->on_alarm(w->session);
    assert_true(w->alarm > 0 && w->alarm <= whole);
    expect_now(w, EMPTY_RESPONSE("1"));
    wire_expect(w, NO_ERROR("1"));
}

static void ClientEnds_Meanwhile_NoReset(void **state)
{
    (void)state;
    struct wire *w = wire_handler("");
    int32_t first = begin(w, ""), second = begin(w, "");
    expect_now(w, EMPTY_RESPONSE("1") EMPTY_RESPONSE("3"));
    wire_send(w, first, "body", 4);
    wire_end(w, first);
    wire_end_with_trailers(w, second, "a: b");
    expect_now(w, "");
    assert_int_equal(live.exchanges, 0);
    assert_true(w->alarm > 0);
    wire_expect(w, "");
}

static void ClientResets_Meanwhile_NoReset(void **state)
{
    (void)state;
    struct wire *w = wire_handler("");
    int32_t stream = begin(w, "");
    expect_now(w, EMPTY_RESPONSE("1"));
    wire_reset(w, stream, ERROR_CANCEL);
    expect_now(w, "");
    assert_int_equal(live.exchanges, 0);
    wire_expect(w, "");
}

static void ConnectionLost_Meanwhile_NothingStays(void **state)
{
    (void)state;
    struct wire *w = wire_handler("");
    begin(w, "");
    begin(w, "");
    expect_now(w, EMPTY_RESPONSE("1") EMPTY_RESPONSE("3"));
    wire_drop(w, cut_of(CUT_LOST));
    assert_int_equal(live.exchanges, 0);
}

/* The connection's window does not shrink for it, nor the memory grow. */
static void Data_Meanwhile_DroppedAndCredited(void **state)
{
    (void)state;
    char bytes[16384];
    memset(bytes, 'x', sizeof bytes);
    struct wire_limits limits = wire_limits();
    limits.h2.conn_window = 65536;
    struct wire *w = wire_open(&(struct wire_options){.handler = "", .limits = &limits});
    begin(w, "");
    expect_now(w, EMPTY_RESPONSE("1"));
    uint64_t blocks = mem_stats()->blocks;
    for (int i = 0; i < 4; i++)
        wire_frame(w, NGHTTP2_DATA, 0, 1, bytes, sizeof bytes);
    turn(w);
    assert_int_equal(mem_stats()->blocks, blocks);
    wire_expect(w, "WINDOW_UPDATE stream=0 increment=32768\n"
                   "WINDOW_UPDATE stream=0 increment=32768\n" NO_ERROR("1"));
}

/* What was on its way when the reset went out is no fault, and credited as well. */
static void Data_AfterTheReset_IgnoredAndCredited(void **state)
{
    (void)state;
    char bytes[16384];
    memset(bytes, 'x', sizeof bytes);
    struct wire_limits limits = wire_limits();
    limits.h2.conn_window = 65536;
    struct wire *w = wire_open(&(struct wire_options){.handler = "", .limits = &limits});
    begin(w, "");
    wire_expect(w, EMPTY_RESPONSE("1") NO_ERROR("1"));
    for (int i = 0; i < 2; i++)
        wire_frame(w, NGHTTP2_DATA, 0, 1, bytes, sizeof bytes);
    wire_frame(w, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "x", 1);
    wire_expect(w, "WINDOW_UPDATE stream=0 increment=32768\n");
    wire_get(w, "/");
    wire_expect(w, EMPTY_RESPONSE("3"));
}

static void FaultyData_Meanwhile_ItsOwnError(void **state)
{
    (void)state;
    struct wire_limits limits = wire_limits();
    limits.http.stream_window = 10;
    struct wire *w = wire_open(&(struct wire_options){.handler = "", .limits = &limits});
    begin(w, "content-length: 5");
    begin(w, "content-length: 5");
    begin(w, "");
    expect_now(w, EMPTY_RESPONSE("1") EMPTY_RESPONSE("3") EMPTY_RESPONSE("5"));
    wire_frame(w, NGHTTP2_DATA, 0, 1, "123456", 6);
    expect_now(w, "RST_STREAM stream=1 code=PROTOCOL_ERROR\n");
    wire_frame(w, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 3, "1234", 4);
    expect_now(w, "RST_STREAM stream=3 code=PROTOCOL_ERROR\n");
    wire_frame(w, NGHTTP2_DATA, 0, 5, "12345678901", 11);
    expect_now(w, "RST_STREAM stream=5 code=FLOW_CONTROL_ERROR\n");
    assert_int_equal(live.exchanges, 0);
    wire_expect(w, "");
}

static void FaultyTrailers_Meanwhile_TheirOwnError(void **state)
{
    (void)state;
    struct wire *w = wire_handler("");
    begin(w, "");
    expect_now(w, EMPTY_RESPONSE("1"));
    wire_frame(
        w, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, "\x84", 1);
    expect_now(w, "RST_STREAM stream=1 code=PROTOCOL_ERROR\n");
    wire_expect(w, "");
    wire_expect_log(w, "warn frame refused conn=7 stream=1");
}

/* Then nothing is left to be told of the early end. */
static void DataAfterTheClientsEnd_Meanwhile_Goaway(void **state)
{
    (void)state;
    struct wire *w = wire_handler("");
    begin(w, "");
    begin(w, "");
    expect_now(w, EMPTY_RESPONSE("1") EMPTY_RESPONSE("3"));
    wire_frame(w, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "", 0);
    wire_frame(w, NGHTTP2_DATA, 0, 1, "x", 1);
    expect_now(w, "GOAWAY last=3 code=STREAM_CLOSED\n");
    assert_null(w->session);
    wire_expect_log(w, "warn frame after the stream's end");
}

/* The handler may still read. */
static void Handler_StillRuns_ResetOnceItReturns(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:finish() note(ctx:read()) note(ctx:aborted())");
    int32_t stream = begin(w, "");
    expect_now(w, EMPTY_RESPONSE("1"));
    assert_true(w->alarm == 0);
    wire_expect_tasks(w, 1, 1);
    wire_send(w, stream, "x", 1);
    expect_now(w, "");
    assert_true(w->alarm > 0);
    wire_expect(w, NO_ERROR("1"));
    wire_expect_notes(w, "x\nfalse\n");
}

enum { MANY = 100 };

/* A request that is open, and of whose body the client sends nothing. */
static void open_request(struct wire *w)
{
    static const nghttp2_nv nv[] = {{(uint8_t *)":method", (uint8_t *)"POST", 7, 4, 0},
        {(uint8_t *)":scheme", (uint8_t *)"https", 7, 5, 0},
        {(uint8_t *)":authority", (uint8_t *)"a", 10, 1, 0},
        {(uint8_t *)":path", (uint8_t *)"/", 5, 1, 0}};
    assert_true(nghttp2_submit_headers(w->client, NGHTTP2_FLAG_NONE, -1, NULL, nv, 4, NULL) > 0);
}

static void Streams_Many_EachResetInOrder(void **state)
{
    (void)state;
    struct text responses = {0}, resets = {0};
    struct wire *w = wire_handler("");
    for (int i = 0; i < MANY; i++) {
        open_request(w);
        text_print(&responses,
            "HEADERS stream=%d END_STREAM :status=200 date=now content-length=0\n", 1 + 2 * i);
        text_print(&resets, "RST_STREAM stream=%d code=NO_ERROR\n", 1 + 2 * i);
    }
    expect_now(w, text_of(&responses));
    assert_int_equal(live.exchanges, MANY);
    wire_expect(w, text_of(&resets));
    assert_int_equal(live.exchanges, 0);
    text_clear(&responses);
    text_clear(&resets);
}

/* Every second one ends by itself. */
static void Streams_ManyAndSomeEnd_TheOthersReset(void **state)
{
    (void)state;
    struct text resets = {0};
    struct wire *w = wire_handler("");
    for (int i = 0; i < MANY; i++)
        open_request(w);
    turn(w);
    text_clear(&w->frames.lines);
    for (int i = 0; i < MANY; i++) {
        if (i % 2)
            wire_frame(w, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1 + 2 * i, "", 0);
        else
            text_print(&resets, "RST_STREAM stream=%d code=NO_ERROR\n", 1 + 2 * i);
    }
    expect_now(w, "");
    assert_int_equal(live.exchanges, MANY / 2);
    wire_expect(w, text_of(&resets));
    text_clear(&resets);
}

static void ShutDown_Meanwhile_ResetThenOver(void **state)
{
    (void)state;
    struct wire *w = wire_handler("");
    begin(w, "");
    expect_now(w, EMPTY_RESPONSE("1"));
    w->session->ops->shut_down(w->session, END_NOTICE);
    w->session->ops->shut_down(w->session, END_NOW);
    expect_now(w, "GOAWAY last=2147483647 code=NO_ERROR\n"
                  "GOAWAY last=1 code=NO_ERROR\n");
    assert_non_null(w->session);
    wire_expect(w, NO_ERROR("1"));
    assert_null(w->session);
}

static void ShutDown_ClientEndsMeanwhile_OverWithoutReset(void **state)
{
    (void)state;
    struct wire *w = wire_handler("");
    int32_t stream = begin(w, "");
    expect_now(w, EMPTY_RESPONSE("1"));
    w->session->ops->shut_down(w->session, END_NOTICE);
    w->session->ops->shut_down(w->session, END_NOW);
    wire_end(w, stream);
    expect_now(w, "GOAWAY last=2147483647 code=NO_ERROR\n"
                  "GOAWAY last=1 code=NO_ERROR\n");
    assert_null(w->session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Alarm_Rings_ResetThen),
        wire_test(Alarm_TooEarly_SetAgainForTheRest),
        wire_test(ClientEnds_Meanwhile_NoReset),
        wire_test(ClientResets_Meanwhile_NoReset),
        wire_test(ConnectionLost_Meanwhile_NothingStays),
        wire_test(Data_Meanwhile_DroppedAndCredited),
        wire_test(Data_AfterTheReset_IgnoredAndCredited),
        wire_test(FaultyData_Meanwhile_ItsOwnError),
        wire_test(FaultyTrailers_Meanwhile_TheirOwnError),
        wire_test(DataAfterTheClientsEnd_Meanwhile_Goaway),
        wire_test(Handler_StillRuns_ResetOnceItReturns),
        wire_test(Streams_Many_EachResetInOrder),
        wire_test(Streams_ManyAndSomeEnd_TheOthersReset),
        wire_test(ShutDown_Meanwhile_ResetThenOver),
        wire_test(ShutDown_ClientEndsMeanwhile_OverWithoutReset),
    };
    return cmocka_run_group_tests_name("session/early_end", tests, NULL, NULL);
}

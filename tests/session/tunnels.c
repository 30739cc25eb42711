/* Tunnels: a handler in C opens one, and both bodies are raw streams, over HTTP/1.1 and HTTP/2. */
#include "support/wire.h"

#include "core/list.h"
#include "http/exchange.h"
#include "http/filter.h"
#include "http/handler.h"

#include <string.h>

static struct {
    struct handler base;
    struct exchange *x;
    bool at_once; /* opens the tunnel in start */
    enum rc rc;   /* of that */
    int aborted;
} plugged;

static bool on_start(struct handler *h, struct exchange *x)
{
    plugged.x = x;
    x->instance = h;
    if (plugged.at_once)
        plugged.rc = exchange_tunnel(x, STR("websocket"));
    return true;
}

static void on_event(struct exchange *x)
{
    (void)x;
}

static void on_abort(struct exchange *x, struct cut cut)
{
    (void)x, (void)cut;
    plugged.x = NULL;
    plugged.aborted++;
}

static const struct handler_ops ops = {on_start, on_event, on_event, on_abort};

static struct wire *open_with(bool http_1, bool tunnels, const struct wire_limits *limits)
{
    memset(&plugged, 0, sizeof plugged);
    plugged.base = (struct handler){.ops = &ops, .tunnels = tunnels};
    return wire_open(
        &(struct wire_options){.plugged = &plugged.base, .http_1 = http_1, .limits = limits});
}

#define UPGRADE \
    "GET /chat HTTP/1.1\nhost: a\nconnection: Upgrade\nupgrade: other, websocket\n" \
    "sec-websocket-version: 13\n\n"
#define SWITCHED \
    "HTTP/1.1 101 Switching Protocols\ndate: now\nconnection: upgrade\nupgrade: websocket\n\n"

static void assert_str_is(struct str s, const char *text)
{
    assert_int_equal(s.n, strlen(text));
    assert_memory_equal(s.p, text, s.n);
}

static void tunnel(const char *protocol)
{
    assert_int_equal(exchange_tunnel(plugged.x, str_of(protocol)), RC_OK);
}

static void write_text(const char *text)
{
    size_t taken;
    assert_int_equal(exchange_write(plugged.x, text, strlen(text), &taken), RC_OK);
    assert_int_equal(taken, strlen(text));
}

static void finish(void)
{
    assert_int_equal(exchange_finish(plugged.x), RC_OK);
}

/* Takes all that has come, which is this. */
static void expect_received(struct wire *w, const char *text)
{
    wire_settle(w);
    struct text got = {0};
    const char *piece;
    size_t n;
    while (piece = exchange_peek(plugged.x, &n), n > 0) {
        text_add(&got, piece, n);
        exchange_consume(plugged.x, n);
        wire_settle(w);
    }
    wire_compare("received bytes", text, &got);
    text_clear(&got);
}

static void say_upgrade(struct wire *w)
{
    wire_say(w, UPGRADE);
    wire_settle(w);
}

static int32_t connect_tunnel(struct wire *w)
{
    int32_t stream = wire_begin(w, "CONNECT", "/chat", ":protocol: websocket\n");
    wire_settle(w);
    return stream;
}

/* HTTP/1.1. */

static void Http1_Opened_BytesPassBothWays(void **state)
{
    (void)state;
    struct wire *w = open_with(true, true, NULL);
    say_upgrade(w);
    assert_str_is(plugged.x->request.tunnel, ",other, websocket");
    tunnel("websocket");
    assert_str_is(plugged.x->request.tunnel, "websocket");
    wire_expect_text(w, SWITCHED);
    wire_raw(w, "GET / HTTP/1.1\n", 15);
    expect_received(w, "GET / HTTP/1.1\n");
    write_text("one");
    wire_expect_text(w, "one");
    write_text("two");
    wire_raw(w, "three", 5);
    wire_expect_text(w, "two");
    expect_received(w, "three");
    assert_false(plugged.x->request.ended);
    finish();
    exchange_detach(plugged.x);
    wire_expect_last(w, "");
}

static void Http1_BytesBehindTheRequest_AreTheFirst(void **state)
{
    (void)state;
    struct wire *w = open_with(true, true, NULL);
    wire_say(w, UPGRADE);
    wire_raw(w, "early ", 6);
    wire_settle(w);
    tunnel("other");
    wire_expect_text(
        w, "HTTP/1.1 101 Switching Protocols\ndate: now\nconnection: upgrade\nupgrade: other\n\n");
    wire_raw(w, "late", 4);
    expect_received(w, "early late");
}

static void Http1_OpenedInStart_BytesPass(void **state)
{
    (void)state;
    struct wire *w = open_with(true, true, NULL);
    plugged.at_once = true;
    wire_say(w, UPGRADE);
    wire_raw(w, "early", 5);
    wire_expect_text(w, SWITCHED);
    assert_int_equal(plugged.rc, RC_OK);
    expect_received(w, "early");
}

/* More than the queues hold waits with the client. */
static void Http1_NobodyReads_ClientHeldBack(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    static char bytes[SIZE];
    struct wire *w = open_with(true, true, NULL);
    w->grain = 16384;
    say_upgrade(w);
    tunnel("websocket");
    memset(bytes, 'x', SIZE);
    wire_raw(w, bytes, SIZE);
    wire_settle(w);
    assert_true(w->up.n > SIZE / 2);
    size_t n, read = 0;
    while (exchange_peek(plugged.x, &n), n > 0) {
        read += n;
        exchange_consume(plugged.x, n);
        wire_settle(w);
    }
    assert_int_equal(read, SIZE);
    wire_expect_text(w, SWITCHED);
}

static void Http1_ClientEndsItsSide_OursGoesOn(void **state)
{
    (void)state;
    struct wire *w = open_with(true, true, NULL);
    say_upgrade(w);
    tunnel("websocket");
    wire_raw(w, "last", 4);
    wire_settle(w);
    assert_true(w->session->ops->end_input(w->session));
    expect_received(w, "last");
    assert_true(plugged.x->request.ended);
    write_text("still");
    wire_expect_text(w, SWITCHED "still");
    finish();
    exchange_detach(plugged.x);
    wire_expect_last(w, "");
}

static void Http1_Reset_CutShort(void **state)
{
    (void)state;
    struct wire *w = open_with(true, true, NULL);
    say_upgrade(w);
    tunnel("websocket");
    wire_settle(w);
    exchange_reset(plugged.x, ERROR_CANCEL);
    wire_expect_last(w, SWITCHED);
    assert_true(w->cut);
}

/* What is no upgrade, or nobody would grant, is a request as any other. */
static void Http1_NotAsked_Refused(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        bool tunnels;
    } cases[] = {
        {UPGRADE, false},
        {"GET / HTTP/1.1\nhost: a\nupgrade: websocket\n\n", true},
        {"GET / HTTP/1.1\nhost: a\nconnection: upgrade\n\n", true},
        {"GET / HTTP/1.0\nhost: a\nconnection: upgrade\nupgrade: websocket\n\n", true},
        {"POST / HTTP/1.1\nhost: a\nconnection: upgrade\nupgrade: websocket\ncontent-length: "
         "1\n\na",
            true},
        {"GET / HTTP/1.1\nhost: a\nconnection: upgrade\nupgrade: h2c\n\n", true},
        {"HEAD / HTTP/1.1\nhost: a\nconnection: upgrade\nupgrade: websocket\n\n", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wire *w = open_with(true, cases[i].tunnels, NULL);
        wire_say(w, cases[i].head);
        wire_settle(w);
        assert_int_equal(exchange_tunnel(plugged.x, STR("websocket")), RC_INVALID);
        finish();
        exchange_detach(plugged.x);
        wire_settle(w);
        assert_true(w->down.n > 12 && memcmp(w->down.p, "HTTP/1.1 200", 12) == 0);
        assert_null(strstr(text_of(&w->down), "upgrade"));
        wire_close(w);
    }
}

static void Http1_Started_TooLate(void **state)
{
    (void)state;
    struct wire *w = open_with(true, true, NULL);
    say_upgrade(w);
    write_text("a");
    assert_int_equal(exchange_tunnel(plugged.x, STR("websocket")), RC_STATE);
    assert_int_equal(plugged.x->kind, EXCHANGE_MESSAGES);
    assert_true(plugged.x->request.ended);
}

/* An error page in place of 101 is a response as any other, and the last. */
static void Http1_RefusedBefore101_PageIsTheLast(void **state)
{
    (void)state;
    struct wire *w = open_with(true, true, NULL);
    say_upgrade(w);
    tunnel("websocket");
    exchange_refuse(plugged.x, cut_of(CUT_RELOAD), 503);
    wire_expect_last(w, "HTTP/1.1 503 Service Unavailable\n"
                        "content-type: text/plain; charset=utf-8\ndate: now\ncontent-length: 20\n"
                        "connection: close\n\nService Unavailable\\n");
}

static void Http1_NothingMoves_TimedOut(void **state)
{
    (void)state;
    struct wire_limits limits = wire_limits();
    limits.http.tunnel_timeout = 10;
    limits.http.request_timeout = limits.http.body_timeout = 2;
    struct wire *w = open_with(true, true, &limits);
    say_upgrade(w);
    tunnel("websocket");
    wire_settle(w);
    for (int i = 0; i < 40; i++) {
        exchange_want_body(plugged.x);
        if (i % 8 == 0)
            wire_raw(w, "x", 1);
        else if (i % 8 == 4)
            write_text("y");
        wire_settle(w);
        w->session->ops->sweep(w->session, 1);
    }
    assert_int_equal(plugged.aborted, 0);
    for (int i = 0; i < 12 && !plugged.aborted; i++)
        w->session->ops->sweep(w->session, 1);
    assert_int_equal(plugged.aborted, 1);
    wire_expect_log(w, "limit=tunnel-timeout");
    wire_expect_last(w, SWITCHED "yyyyy");
}

/* HTTP/2. */

static void Http2_NobodyOpensTunnels_NotAnnounced(void **state)
{
    (void)state;
    struct wire *w = open_with(false, false, NULL);
    assert_int_equal(
        nghttp2_session_get_remote_settings(w->client, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL),
        0);
    connect_tunnel(w);
    assert_null(plugged.x);
    wire_expect(w, "RST_STREAM stream=1 code=PROTOCOL_ERROR\n");
    wire_expect_log(w, "frame refused");
}

static void Http2_Opened_BytesPassBothWays(void **state)
{
    (void)state;
    struct wire *w = open_with(false, true, NULL);
    assert_int_equal(
        nghttp2_session_get_remote_settings(w->client, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL),
        1);
    int32_t stream = connect_tunnel(w);
    assert_str_is(plugged.x->request.tunnel, "websocket");
    assert_str_is(plugged.x->request.path, "/chat");
    tunnel("websocket");
    assert_int_equal(plugged.x->response.status, 200);
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n");
    wire_send(w, stream, "one", 3);
    expect_received(w, "one");
    write_text("two");
    wire_expect(w, "DATA stream=1 len=3 'two'\n");
    finish();
    wire_expect(w, "DATA stream=1 END_STREAM len=0\n");
    assert_false(plugged.x->request.ended);
    wire_send(w, stream, "three", 5);
    wire_end(w, stream);
    expect_received(w, "three");
    assert_true(plugged.x->request.ended);
    exchange_detach(plugged.x);
    wire_expect(w, "");
}

static void Http2_ClientEndsItsSide_OursGoesOn(void **state)
{
    (void)state;
    struct wire *w = open_with(false, true, NULL);
    int32_t stream = connect_tunnel(w);
    tunnel("websocket");
    wire_end(w, stream);
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n");
    assert_true(plugged.x->request.ended);
    write_text("still");
    finish();
    exchange_detach(plugged.x);
    wire_expect(w, "DATA stream=1 END_STREAM len=5 'still'\n");
}

/* No content-length is set or added, and there are no trailers. */
static void Http2_Opened_NeitherLengthNorTrailers(void **state)
{
    (void)state;
    struct wire *w = open_with(false, true, NULL);
    connect_tunnel(w);
    struct outgoing *o = &plugged.x->response.out;
    assert_int_equal(outgoing_set_header(o, STR("content-length"), STR("3")), RC_OK);
    assert_int_equal(outgoing_set_header(o, STR("a"), STR("b")), RC_OK);
    tunnel("websocket");
    assert_false(outgoing_supports_trailers(o));
    assert_int_equal(outgoing_append_trailer(o, STR("t"), STR("1")), RC_STATE);
    write_text("more than three");
    finish();
    exchange_detach(plugged.x);
    wire_expect(w, "HEADERS stream=1 :status=200 a=b date=now\n"
                   "DATA stream=1 END_STREAM len=15 'more than three'\n"
                   "RST_STREAM stream=1 code=NO_ERROR\n");
}

static void Http2_Reset_ByEitherSide(void **state)
{
    (void)state;
    struct wire *w = open_with(false, true, NULL);
    int32_t stream = connect_tunnel(w);
    tunnel("websocket");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n");
    wire_reset(w, stream, 8);
    wire_settle(w);
    assert_int_equal(plugged.aborted, 1);
    wire_forget(w, stream);
    connect_tunnel(w);
    tunnel("websocket");
    wire_settle(w);
    exchange_reset(plugged.x, ERROR_CANCEL);
    wire_expect(w, "HEADERS stream=3 :status=200 date=now\nRST_STREAM stream=3 code=CANCEL\n");
}

/* CONNECT without :protocol is refused as ever; a request that is no CONNECT asks for no tunnel. */
static void Http2_NotAsked_Refused(void **state)
{
    (void)state;
    struct wire *w = open_with(false, true, NULL);
    wire_get(w, "/");
    wire_settle(w);
    assert_int_equal(exchange_tunnel(plugged.x, STR("websocket")), RC_INVALID);
    finish();
    exchange_detach(plugged.x);
    wire_expect(w, EMPTY_RESPONSE("1"));
    wire_begin(w, "CONNECT", "/", ":protocol: other\n");
    wire_settle(w);
    assert_int_equal(exchange_tunnel(plugged.x, STR("websocket")), RC_INVALID);
    tunnel("other");
    wire_expect(w, "HEADERS stream=3 :status=200 date=now\n");
}

static void Http2_NothingMoves_TimedOut(void **state)
{
    (void)state;
    struct wire_limits limits = wire_limits();
    limits.http.tunnel_timeout = 10;
    limits.http.request_timeout = limits.http.body_timeout = 2;
    struct wire *w = open_with(false, true, &limits);
    int32_t stream = connect_tunnel(w);
    tunnel("websocket");
    wire_settle(w);
    for (int i = 0; i < 40; i++) {
        exchange_want_body(plugged.x);
        if (i % 8 == 0)
            wire_send(w, stream, "x", 1);
        else if (i % 8 == 4)
            write_text("y");
        wire_settle(w);
        w->session->ops->sweep(w->session, 1);
    }
    assert_int_equal(plugged.aborted, 0);
    text_clear(&w->frames.lines);
    for (int i = 0; i < 12 && !plugged.aborted; i++)
        w->session->ops->sweep(w->session, 1);
    assert_int_equal(plugged.aborted, 1);
    wire_expect(w, "RST_STREAM stream=1 code=CANCEL\n");
    wire_expect_log(w, "limit=tunnel-timeout");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Http1_Opened_BytesPassBothWays),
        wire_test(Http1_BytesBehindTheRequest_AreTheFirst),
        wire_test(Http1_OpenedInStart_BytesPass),
        wire_test(Http1_NobodyReads_ClientHeldBack),
        wire_test(Http1_ClientEndsItsSide_OursGoesOn),
        wire_test(Http1_Reset_CutShort),
        wire_test(Http1_NotAsked_Refused),
        wire_test(Http1_Started_TooLate),
        wire_test(Http1_RefusedBefore101_PageIsTheLast),
        wire_test(Http1_NothingMoves_TimedOut),
        wire_test(Http2_NobodyOpensTunnels_NotAnnounced),
        wire_test(Http2_Opened_BytesPassBothWays),
        wire_test(Http2_ClientEndsItsSide_OursGoesOn),
        wire_test(Http2_Opened_NeitherLengthNorTrailers),
        wire_test(Http2_Reset_ByEitherSide),
        wire_test(Http2_NotAsked_Refused),
        wire_test(Http2_NothingMoves_TimedOut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

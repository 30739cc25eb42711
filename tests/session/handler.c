/* The seam of http/handler.h, with a handler in C that does as the test says. */
#include "support/wire.h"

#include "http/exchange.h"
#include "http/handler.h"

#include <string.h>

/* Attaches itself to each exchange, and writes down what it is told. */
static struct {
    struct handler base;
    struct exchange *x; /* the last that started */
    bool at_once;       /* respond in start, without attaching */
    struct text told;
} plugged;

static bool on_start(struct handler *h, struct exchange *x)
{
    plugged.x = x;
    text_print(&plugged.told, "start %.*s\n", (int)x->request.path.n, x->request.path.p);
    if (plugged.at_once)
        exchange_respond(x, 200, STR("at once"), NULL);
    else
        x->instance = h;
    return true;
}

static void on_readable(struct exchange *x)
{
    size_t n;
    exchange_peek(x, &n);
    text_print(&plugged.told, "readable %zu%s\n", n, x->request.ended ? " ended" : "");
}

static void on_writable(struct exchange *x)
{
    text_print(&plugged.told, "writable %zu\n", x->response.out.body.len);
}

static void on_abort(struct exchange *x, struct cut cut)
{
    (void)x;
    char text[CODE_NAME_SIZE];
    text_print(&plugged.told, "abort %s\n", cut_text(cut, text));
    plugged.x = NULL;
}

static const struct handler_ops ops = {.start = on_start,
    .on_readable = on_readable,
    .on_writable = on_writable,
    .on_abort = on_abort};

static struct wire *open_plugged(int32_t window)
{
    text_clear(&plugged.told);
    memset(&plugged, 0, sizeof plugged);
    plugged.base.ops = &ops;
    return wire_open(&(struct wire_options){.plugged = &plugged.base, .window = window});
}

static void expect_told(struct wire *w, const char *lines)
{
    wire_settle(w);
    assert_string_equal(text_of(&plugged.told), lines);
    text_clear(&plugged.told);
}

static void write_bytes(const char *text)
{
    size_t taken;
    assert_int_equal(exchange_write(plugged.x, text, strlen(text), &taken), RC_OK);
    assert_int_equal(taken, strlen(text));
}

static void finish(void)
{
    assert_int_equal(exchange_finish(plugged.x), RC_OK);
}

static void Start_RespondsAtOnce_NeverAttached(void **state)
{
    (void)state;
    struct wire *w = open_plugged(0);
    plugged.at_once = true;
    wire_get(w, "/a");
    wire_expect(w, "HEADERS stream=1 :status=200 content-type='text/plain; charset=utf-8' date=now "
                   "content-length=7\n"
                   "DATA stream=1 END_STREAM len=7 'at once'\n");
    expect_told(w, "start /a\n");
    assert_int_equal(live.exchanges, 0);
}

static void Attached_WritesOverTurns_SentAsItGoes(void **state)
{
    (void)state;
    struct wire *w = open_plugged(0);
    wire_get(w, "/");
    wire_expect(w, "");
    write_bytes("one");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=3 'one'\n");
    write_bytes("two");
    assert_int_equal(outgoing_append_trailer(&plugged.x->response.out, STR("a"), STR("b")), RC_OK);
    finish();
    wire_expect(w, "DATA stream=1 len=3 'two'\n"
                   "HEADERS stream=1 END_STREAM a=b\n");
    exchange_detach(plugged.x);
    expect_told(w, "start /\n");
}

/* The stream is over, but its exchange stays for as long as the handler holds it. */
static void Attached_AfterStreamClosed_ExchangeStays(void **state)
{
    (void)state;
    struct wire *w = open_plugged(0);
    wire_get(w, "/stays");
    wire_settle(w);
    finish();
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=200 date=now content-length=0\n");
    assert_int_equal(live.exchanges, 1);
    assert_int_equal(plugged.x->response.out.state, OUTGOING_SENT);
    assert_memory_equal(plugged.x->request.path.p, "/stays", 6);
    exchange_detach(plugged.x);
    expect_told(w, "start /stays\n");
    assert_int_equal(live.exchanges, 0);
}

static void Attached_ConnectionLostAfterStreamClosed_Told(void **state)
{
    (void)state;
    struct wire *w = open_plugged(0);
    wire_get(w, "/");
    wire_settle(w);
    finish();
    wire_settle(w);
    wire_drop(w, cut_of(CUT_LOST));
    expect_told(w, "start /\nabort connection lost\n");
}

static void Detached_BeforeResponseIsSent_SentToTheEnd(void **state)
{
    (void)state;
    struct wire *w = open_plugged(3);
    int32_t stream = wire_get(w, "/");
    wire_settle(w);
    write_bytes("Hello");
    finish();
    exchange_detach(plugged.x);
    wire_expect(w, "HEADERS stream=1 :status=200 date=now content-length=5\n"
                   "DATA stream=1 len=3 'Hel'\n");
    assert_int_equal(live.exchanges, 1);
    wire_credit(w, stream, 2);
    wire_expect(w, "DATA stream=1 END_STREAM len=2 'lo'\n");
    expect_told(w, "start /\n");
    assert_int_equal(live.exchanges, 0);
}

static void Detached_ClientResets_NotTold(void **state)
{
    (void)state;
    struct wire *w = open_plugged(3);
    int32_t stream = wire_get(w, "/");
    wire_settle(w);
    write_bytes("Hello");
    finish();
    exchange_detach(plugged.x);
    wire_settle(w);
    wire_reset(w, stream, ERROR_CANCEL);
    expect_told(w, "start /\n");
    assert_int_equal(live.exchanges, 0);
}

static void Body_Arrives_ToldOfEachPieceAndTheEnd(void **state)
{
    (void)state;
    struct wire *w = open_plugged(0);
    int32_t stream = wire_begin(w, "POST", "/", "");
    wire_send(w, stream, "one", 3);
    expect_told(w, "start /\nreadable 3\n");
    wire_send(w, stream, "four", 4);
    expect_told(w, "readable 7\n");
    exchange_consume(plugged.x, 7);
    wire_end(w, stream);
    expect_told(w, "readable 0 ended\n");
    exchange_respond(plugged.x, 404, STR("none\n"), NULL);
    exchange_detach(plugged.x);
    wire_expect(w, "HEADERS stream=1 :status=404 content-type='text/plain; charset=utf-8' date=now "
                   "content-length=5\n"
                   "DATA stream=1 END_STREAM len=5 'none\\n'\n");
}

static void Wants_WhenMet_ToldOnce(void **state)
{
    (void)state;
    struct wire *w = open_plugged(4);
    int32_t stream = wire_get(w, "/");
    wire_settle(w);
    write_bytes("Hello");
    plugged.x->want = WANT_HANDED;
    expect_told(w, "start /\n");
    wire_credit(w, stream, 10);
    expect_told(w, "writable 0\n");
    finish();
    plugged.x->want = WANT_SENT;
    expect_told(w, "writable 0\n");
    exchange_detach(plugged.x);
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=4 'Hell'\n"
                   "DATA stream=1 len=1 'o'\n"
                   "DATA stream=1 END_STREAM len=0\n");
}

static void Respond_HeadIsOut_ResetWithInternalError(void **state)
{
    (void)state;
    struct wire *w = open_plugged(0);
    wire_get(w, "/");
    wire_settle(w);
    write_bytes("Hello");
    wire_settle(w);
    exchange_respond(plugged.x, 500, STR("too late\n"), NULL);
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=5 'Hello'\n"
                   "RST_STREAM stream=1 code=INTERNAL_ERROR\n");
    expect_told(w, "start /\n");
    assert_int_equal(live.exchanges, 0);
}

static void Abort_ByClient_ToldAndExchangeFreed(void **state)
{
    (void)state;
    struct wire *w = open_plugged(0);
    int32_t stream = wire_get(w, "/");
    wire_settle(w);
    wire_reset(w, stream, ERROR_ENHANCE_YOUR_CALM);
    expect_told(w, "start /\nabort ENHANCE_YOUR_CALM\n");
    assert_int_equal(live.exchanges, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Start_RespondsAtOnce_NeverAttached),
        wire_test(Attached_WritesOverTurns_SentAsItGoes),
        wire_test(Attached_AfterStreamClosed_ExchangeStays),
        wire_test(Attached_ConnectionLostAfterStreamClosed_Told),
        wire_test(Detached_BeforeResponseIsSent_SentToTheEnd),
        wire_test(Detached_ClientResets_NotTold),
        wire_test(Body_Arrives_ToldOfEachPieceAndTheEnd),
        wire_test(Wants_WhenMet_ToldOnce),
        wire_test(Respond_HeadIsOut_ResetWithInternalError),
        wire_test(Abort_ByClient_ToldAndExchangeFreed),
    };
    return cmocka_run_group_tests_name("session/handler", tests, NULL, NULL);
}

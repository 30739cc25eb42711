/* The seam of http/filter.h: filters between a handler in C, which does as the test says, and both
 * versions of HTTP. */
#include "support/wire.h"

#include "core/list.h"
#include "http/exchange.h"
#include "http/filter.h"

#include <stdlib.h>
#include <string.h>

/* What the filters of each exchange are, from the connection on: "d" doubles each byte, "h" drops
 * every other one, "k" keeps all back until it is flushed, "l" only looks on. */
static struct {
    struct handler base;
    struct filter_source source;
    const char *kinds;
    struct exchange *x;
    struct text told;
    int made, freed;
    bool fails; /* the next operation */
} world;

struct member {
    struct filter base;
    struct exchange *x;
    char kind;
    bool head_kept;
    size_t seen; /* bytes of the body */
    struct text kept;
};

static struct member *of(struct filter *f)
{
    return container_of(f, struct member, base);
}

static void tell(const struct member *m, const char *what, size_t n)
{
    text_print(&world.told, n ? "%c %s %zu\n" : "%c %s\n", m->kind, what, n);
}

static enum rc pass_head(struct member *m, struct outgoing *o)
{
    m->head_kept = false;
    enum rc rc = outgoing_set_header(o, STR("seen-by"), (struct str){&m->kind, 1});
    if (m->kind == 'd' || m->kind == 'h')
        filter_drop_length(o);
    return rc ? rc : filter_head(m->base.next, o);
}

static enum rc on_head(struct filter *f, struct outgoing *o)
{
    struct member *m = of(f);
    tell(m, "head", 0);
    m->seen = 0;
    text_clear(&m->kept);
    m->head_kept = m->kind == 'k';
    return m->head_kept ? RC_OK : pass_head(m, o);
}

static enum rc pass_byte(struct member *m, struct outgoing *o, const char *byte)
{
    size_t at = m->seen++;
    enum rc rc = RC_OK;
    if (m->kind != 'h' || at % 2 == 0)
        rc = filter_body(m->base.next, o, byte, 1);
    if (!rc && m->kind == 'd')
        rc = filter_body(m->base.next, o, byte, 1);
    return rc;
}

static enum rc on_body(struct filter *f, struct outgoing *o, const char *data, size_t n)
{
    struct member *m = of(f);
    enum rc rc = RC_OK;
    if (world.fails)
        return RC_NOMEM;
    if (m->kind == 'l') {
        tell(m, "body", n);
        return filter_body(f->next, o, data, n);
    }
    if (m->kind == 'k')
        text_add(&m->kept, data, n);
    for (size_t i = 0; m->kind != 'k' && !rc && i < n; i++)
        rc = pass_byte(m, o, data + i);
    return rc;
}

static enum rc let_go(struct member *m, struct outgoing *o)
{
    enum rc rc = m->head_kept ? pass_head(m, o) : RC_OK;
    if (!rc && m->kept.n)
        rc = filter_body(m->base.next, o, m->kept.p, m->kept.n);
    text_clear(&m->kept);
    return rc;
}

static enum rc on_flush(struct filter *f, struct outgoing *o)
{
    tell(of(f), "flush", 0);
    enum rc rc = let_go(of(f), o);
    return rc ? rc : filter_flush(f->next, o);
}

static enum rc on_end(struct filter *f, struct outgoing *o)
{
    tell(of(f), "end, trailers", o->trailers.count);
    enum rc rc = let_go(of(f), o);
    return rc ? rc : filter_end(f->next, o);
}

static void on_free(struct filter *f)
{
    struct member *m = of(f);
    text_clear(&m->kept);
    world.freed++;
    free(m);
}

static const struct filter_ops filter_ops = {on_head, on_body, on_flush, on_end, on_free};

static enum rc put(struct filter_source *s, struct exchange *x)
{
    (void)s;
    for (const char *kind = world.kinds; *kind; kind++) {
        struct member *m = calloc(1, sizeof *m);
        *m = (struct member){.base.ops = &filter_ops, .x = x, .kind = *kind};
        assert_int_equal(outgoing_add_filter(&x->response.out, &m->base), RC_OK);
        world.made++;
    }
    return RC_OK;
}

/* The handler. */

static bool on_start(struct handler *h, struct exchange *x)
{
    world.x = x;
    x->instance = h;
    return true;
}

static void on_event(struct exchange *x)
{
    (void)x;
}

static void on_abort(struct exchange *x, struct cut cut)
{
    (void)x, (void)cut;
    world.x = NULL;
}

static const struct handler_ops ops = {on_start, on_event, on_event, on_abort};

static struct wire *open_filtered(const char *kinds, bool http_1)
{
    memset(&world, 0, sizeof world);
    world.base.ops = &ops;
    world.source.put = put;
    world.kinds = kinds;
    return wire_open(
        &(struct wire_options){.plugged = &world.base, .filters = &world.source, .http_1 = http_1});
}

static void write_text(const char *text)
{
    size_t taken;
    assert_int_equal(exchange_write(world.x, text, strlen(text), &taken), RC_OK);
    assert_int_equal(taken, strlen(text));
}

static void add_trailer(void)
{
    struct outgoing *o = &world.x->response.out;
    assert_int_equal(outgoing_append_trailer(o, STR("t"), STR("1")), RC_OK);
}

static void set_length(const char *n)
{
    struct outgoing *o = &world.x->response.out;
    assert_int_equal(outgoing_set_header(o, STR("content-length"), str_of(n)), RC_OK);
}

static void finish(void)
{
    assert_int_equal(exchange_finish(world.x), RC_OK);
    exchange_detach(world.x);
}

static void expect_told(const char *lines)
{
    wire_compare("tellings", lines, &world.told);
    text_clear(&world.told);
}

static void expect_freed(struct wire *w)
{
    wire_settle(w);
    assert_int_equal(world.freed, world.made);
    text_clear(&world.told);
}

static void begin_http_1(struct wire *w, const char *head)
{
    wire_say(w, head);
    wire_settle(w);
    assert_non_null(world.x);
}

/* HTTP/2. */

static void Http2_LooksOn_SeesAll(void **state)
{
    (void)state;
    struct wire *w = open_filtered("l", false);
    wire_get(w, "/");
    wire_settle(w);
    set_length("6");
    write_text("abc");
    wire_expect(w, "HEADERS stream=1 :status=200 content-length=6 seen-by=l date=now\n"
                   "DATA stream=1 len=3 'abc'\n");
    expect_told("l head\nl body 3\nl flush\n");
    write_text("def");
    finish();
    wire_expect(w, "DATA stream=1 END_STREAM len=3 'def'\n");
    expect_told("l body 3\nl end, trailers\n");
    expect_freed(w);
}

static void Http2_Trailers_Pass(void **state)
{
    (void)state;
    struct wire *w = open_filtered("ld", false);
    wire_get(w, "/");
    wire_settle(w);
    write_text("ab");
    add_trailer();
    finish();
    wire_expect(w, "HEADERS stream=1 :status=200 seen-by=l date=now\n"
                   "DATA stream=1 len=4 'aabb'\n"
                   "HEADERS stream=1 END_STREAM t=1\n");
    expect_told("d head\nl head\nl body 1\nl body 1\nl body 1\nl body 1\n"
                "d end, trailers 1\nl end, trailers 1\n");
    expect_freed(w);
}

static void Http2_Doubled_LengthGone(void **state)
{
    (void)state;
    struct wire *w = open_filtered("d", false);
    wire_get(w, "/");
    wire_settle(w);
    set_length("4");
    write_text("ab");
    wire_expect(w, "HEADERS stream=1 :status=200 seen-by=d date=now\n"
                   "DATA stream=1 len=4 'aabb'\n");
    write_text("cd");
    finish();
    wire_expect(w, "DATA stream=1 END_STREAM len=4 'ccdd'\n");
    expect_freed(w);
}

static void Http2_Whole_LengthOfWhatGoesOut(void **state)
{
    (void)state;
    struct wire *w = open_filtered("hd", false); /* doubled first, and then halved */
    wire_get(w, "/");
    wire_settle(w);
    write_text("abcd");
    finish();
    wire_expect(w, "HEADERS stream=1 :status=200 seen-by=h date=now content-length=4\n"
                   "DATA stream=1 END_STREAM len=4 'abcd'\n");
    expect_freed(w);
}

/* What a filter keeps back goes out when the handler waits, and with flush. */
static void Http2_KeptBack_FlushedWhereTheHandlerWaits(void **state)
{
    (void)state;
    struct wire *w = open_filtered("k", false);
    wire_get(w, "/");
    wire_settle(w);
    write_text("ab");
    write_text("cd");
    wire_expect(w, "HEADERS stream=1 :status=200 seen-by=k date=now\n"
                   "DATA stream=1 len=4 'abcd'\n");
    write_text("ef");
    wire_expect(w, "DATA stream=1 len=2 'ef'\n");
    write_text("g");
    world.x->want = WANT_HANDED;
    assert_int_equal(exchange_flush(world.x), RC_OK);
    assert_int_equal(world.x->response.out.body.len, 1);
    wire_expect(w, "DATA stream=1 len=1 'g'\n");
    write_text("h");
    add_trailer();
    finish();
    wire_expect(w, "DATA stream=1 len=1 'h'\n"
                   "HEADERS stream=1 END_STREAM t=1\n");
    expect_told("k head\nk flush\nk flush\nk flush\nk end, trailers 1\n");
    expect_freed(w);
}

static void Http2_HeadAndNoContent_BodyNotSeen(void **state)
{
    (void)state;
    struct wire *w = open_filtered("d", false);
    int32_t stream = wire_request(w, "HEAD", "/");
    wire_settle(w);
    write_text("abc");
    finish();
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=200 seen-by=d date=now\n");
    expect_told("d head\nd end, trailers\n");
    assert_int_equal(stream, 1);
    wire_get(w, "/");
    wire_settle(w);
    assert_int_equal(response_set_status(&world.x->response, 204), RC_OK);
    finish();
    wire_expect(w, "HEADERS stream=3 END_STREAM :status=204 seen-by=d date=now\n");
    expect_told("d head\nd end, trailers\n");
    expect_freed(w);
}

/* However the exchange ends, each filter is freed, once. */
static void Http2_Aborted_FreedOnce(void **state)
{
    (void)state;
    for (int how = 0; how < 5; how++) {
        struct wire *w = open_filtered("lk", false);
        int32_t stream = wire_get(w, "/");
        wire_settle(w);
        write_text("abc");
        if (how > 0)
            wire_settle(w);
        if (how <= 1)
            wire_reset(w, stream, 8);
        else if (how == 2)
            exchange_reset(world.x, 2);
        else if (how == 3)
            exchange_refuse(world.x, cut_of(CUT_TIMEOUT), 504);
        else
            wire_drop(w, cut_of(CUT_LOST));
        expect_freed(w);
        assert_int_equal(world.made, 2);
        wire_close(w);
    }
}

/* The error page passes the filters anew, since nothing of the first response had gone out. */
static void Http2_RefusedBeforeTheHead_PagePassesThem(void **state)
{
    (void)state;
    struct wire *w = open_filtered("ld", false);
    wire_get(w, "/");
    wire_settle(w);
    write_text("abc");
    exchange_refuse(world.x, cut_of(CUT_TIMEOUT), 503);
    wire_expect(w,
        "HEADERS stream=1 :status=503 content-type='text/plain; charset=utf-8' seen-by=l date=now "
        "content-length=40\n"
        "DATA stream=1 END_STREAM len=40 'SSeerrvviiccee  UUnnaavvaaiillaabbllee\\n\\n'\n");
    expect_freed(w);
}

static void Http2_FilterFails_StreamReset(void **state)
{
    (void)state;
    struct wire *w = open_filtered("l", false);
    size_t taken;
    wire_get(w, "/");
    wire_settle(w);
    write_text("abc");
    wire_expect(w, "HEADERS stream=1 :status=200 seen-by=l date=now\n"
                   "DATA stream=1 len=3 'abc'\n");
    world.fails = true;
    assert_int_equal(exchange_write(world.x, "d", 1, &taken), RC_NOMEM);
    assert_int_equal(exchange_flush(world.x), RC_NOMEM);
    world.x->host->dirty(world.x);
    wire_expect(w, "RST_STREAM stream=1 code=INTERNAL_ERROR\n");
    expect_freed(w);
}

/* A body beyond every window: it goes out as credit comes, and all of it is doubled. */
static void Http2_LargeBody_Whole(void **state)
{
    (void)state;
    enum { PIECES = 100 };
    static const char piece[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    struct wire *w = open_filtered("kd", false);
    int32_t stream = wire_get(w, "/");
    wire_settle(w);
    size_t left = PIECES * (sizeof piece - 1);
    while (left) {
        size_t n = left < sizeof piece - 1 ? left : sizeof piece - 1, taken;
        assert_int_equal(exchange_write(world.x, piece, n, &taken), RC_OK);
        left -= taken;
        wire_settle(w);
    }
    finish();
    wire_expect_body(w, stream, 'x', 2 * PIECES * (sizeof piece - 1));
    expect_freed(w);
}

/* However much longer the filters make it, and whatever comes behind it. */
static void Http2_WrittenWhole_AllPasses(void **state)
{
    (void)state;
    enum { MUCH = 1 << 20 };
    static char much[MUCH];
    bool taken;
    memset(much, 'x', sizeof much);
    struct wire *w = open_filtered("d", false);
    int32_t stream = wire_get(w, "/");
    wire_settle(w);
    w->stuck = true;
    assert_int_equal(exchange_write_whole(world.x, much, sizeof much, &taken), RC_OK);
    assert_true(taken);
    assert_int_equal(exchange_write_whole(world.x, much, 1, &taken), RC_OK);
    assert_false(taken);
    w->stuck = false;
    wire_settle(w);
    assert_int_equal(exchange_write_whole(world.x, much, 1, &taken), RC_OK);
    assert_true(taken);
    finish();
    wire_expect_body(w, stream, 'x', 2 * (MUCH + 1));
    expect_freed(w);
}

/* HTTP/1.1. */

static void Http1_Doubled_ChunksInPlaceOfTheLength(void **state)
{
    (void)state;
    struct wire *w = open_filtered("dl", true);
    begin_http_1(w, "GET / HTTP/1.1\nhost: a\nte: trailers\n\n");
    set_length("4");
    write_text("ab");
    wire_expect_text(w, "HTTP/1.1 200 OK\nseen-by: d\ndate: now\ntransfer-encoding: chunked\n\n"
                        "4\naabb\n");
    write_text("cd");
    add_trailer();
    finish();
    wire_expect_text(w, "4\nccdd\n0\nt: 1\n\n");
    expect_told("l head\nd head\nl body 2\nl flush\nd flush\n"
                "l body 2\nl end, trailers 1\nd end, trailers 1\n");
    expect_freed(w);
}

static void Http1_Whole_LengthOfWhatGoesOut(void **state)
{
    (void)state;
    struct wire *w = open_filtered("d", true);
    begin_http_1(w, "GET / HTTP/1.1\nhost: a\n\n");
    write_text("ab");
    finish();
    wire_expect_text(w, "HTTP/1.1 200 OK\nseen-by: d\ndate: now\ncontent-length: 4\n\naabb");
    expect_freed(w);
}

static void Http1_KeptBack_FlushedWhereTheHandlerWaits(void **state)
{
    (void)state;
    struct wire *w = open_filtered("k", true);
    begin_http_1(w, "GET / HTTP/1.1\nhost: a\n\n");
    write_text("ab");
    wire_expect_text(
        w, "HTTP/1.1 200 OK\nseen-by: k\ndate: now\ntransfer-encoding: chunked\n\n2\nab\n");
    write_text("cd");
    wire_expect_text(w, "2\ncd\n");
    write_text("ef");
    finish();
    wire_expect_text(w, "2\nef\n0\n\n");
    expect_freed(w);
}

static void Http1_HeadAnd204_NoBody(void **state)
{
    (void)state;
    struct wire *w = open_filtered("d", true);
    begin_http_1(w, "HEAD / HTTP/1.1\nhost: a\n\n");
    write_text("abc");
    finish();
    wire_expect_text(w, "HTTP/1.1 200 OK\nseen-by: d\ndate: now\n\n");
    begin_http_1(w, "GET / HTTP/1.1\nhost: a\n\n");
    assert_int_equal(response_set_status(&world.x->response, 204), RC_OK);
    finish();
    wire_expect_text(w, "HTTP/1.1 204 No Content\nseen-by: d\ndate: now\n\n");
    expect_freed(w);
}

static void Http1_Version10_EndsWithTheConnection(void **state)
{
    (void)state;
    struct wire *w = open_filtered("d", true);
    begin_http_1(w, "GET / HTTP/1.0\n\n");
    set_length("2");
    write_text("a");
    wire_expect_text(w, "HTTP/1.1 200 OK\nseen-by: d\ndate: now\nconnection: close\n\naa");
    write_text("b");
    finish();
    wire_expect_last(w, "bb");
    expect_freed(w);
}

static void Http1_Aborted_FreedOnce(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct wire *w = open_filtered("lk", true);
        begin_http_1(w, "GET / HTTP/1.1\nhost: a\n\n");
        write_text("abc");
        if (how == 0)
            exchange_reset(world.x, 2);
        else if (how == 1)
            exchange_refuse(world.x, cut_of(CUT_TIMEOUT), 504);
        else
            wire_drop(w, cut_of(CUT_LOST));
        expect_freed(w);
        assert_int_equal(world.made, 2);
        wire_close(w);
    }
}

static void Http1_FilterFails_CutShort(void **state)
{
    (void)state;
    size_t taken;
    struct wire *w = open_filtered("l", true);
    begin_http_1(w, "GET / HTTP/1.1\nhost: a\n\n");
    write_text("abc");
    wire_settle(w);
    world.fails = true;
    assert_int_equal(exchange_write(world.x, "d", 1, &taken), RC_NOMEM);
    world.x->host->dirty(world.x);
    wire_expect_last(w, "HTTP/1.1 200 OK\nseen-by: l\ndate: now\ntransfer-encoding: chunked\n\n"
                        "3\nabc\n");
    assert_true(w->cut);
    expect_freed(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Http2_LooksOn_SeesAll),
        wire_test(Http2_Trailers_Pass),
        wire_test(Http2_Doubled_LengthGone),
        wire_test(Http2_Whole_LengthOfWhatGoesOut),
        wire_test(Http2_KeptBack_FlushedWhereTheHandlerWaits),
        wire_test(Http2_HeadAndNoContent_BodyNotSeen),
        wire_test(Http2_Aborted_FreedOnce),
        wire_test(Http2_RefusedBeforeTheHead_PagePassesThem),
        wire_test(Http2_FilterFails_StreamReset),
        wire_test(Http2_LargeBody_Whole),
        wire_test(Http2_WrittenWhole_AllPasses),
        wire_test(Http1_Doubled_ChunksInPlaceOfTheLength),
        wire_test(Http1_Whole_LengthOfWhatGoesOut),
        wire_test(Http1_KeptBack_FlushedWhereTheHandlerWaits),
        wire_test(Http1_HeadAnd204_NoBody),
        wire_test(Http1_Version10_EndsWithTheConnection),
        wire_test(Http1_Aborted_FreedOnce),
        wire_test(Http1_FilterFails_CutShort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

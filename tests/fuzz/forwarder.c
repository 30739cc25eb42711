/*
 * libFuzzer: what the server behind a proxy may send. The first byte says what is asked, by whom
 * and how; then the server's bytes come in pieces, a length byte before each. Whatever they are,
 * the client gets well-formed responses, at most one to each request, and nothing is left over.
 */
#include "http/forwarder.h"
#include "core/list.h"
#include "core/live.h"
#include "core/log.h"
#include "core/mem.h"
#include "h1/parser.h"
#include "h1/server.h"
#include "h2/limits.h"
#include "h2/server.h"
#include "http/dispatch.h"
#include "http/exchange.h"
#include "http/limits.h"
#include "http/part.h"
#include "http/session.h"
#include "proxy/proxy.h"
#include "support/cost.h"
#include "support/support.h"
#include "support/upstream.h"

#include <ev.h>
#include <stdlib.h>

/* What the first byte says. */
enum {
    UP_HTTP_2 = 1,
    DOWN_HTTP_2 = 2,
    KIND = 12, /* which of the requests below */
    LENT = 16, /* the exchanges are lent by another handler */
    LATE = 32, /* the end of the request comes after the server's first piece */
};

/* Length bytes from here on are not that. */
enum { CLIENT_SENDS = 0xfd, CLIENT_GOES = 0xfe, SERVER_CLOSES = 0xff };

enum { REQUESTS = 2, LAST_TURNS = 16, TURN_OUT = 1 << 16, COST_BEGUN = 4 * COST_FIXED };

#define BOTH(x) x x

static const struct str http1[] = {
    STR(BOTH("GET /p/a?b HTTP/1.1\r\nhost: a\r\nte: trailers\r\nconnection: upgrade, te\r\n"
             "upgrade: websocket\r\n\r\n")),
    STR(BOTH("HEAD /p/a HTTP/1.1\r\nhost: a\r\n\r\n")),
    STR(BOTH("POST /p/a HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\nte: trailers\r\n"
             "connection: te\r\n\r\nhello")),
    STR(BOTH("POST /p/a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n"
             "expect: 100-continue\r\n\r\n5\r\nhello\r\n0\r\nx-t: 1\r\n\r\n")),
};

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
/* :scheme http, :path /p/a, :authority a; the method comes behind them. */
#define COMMON "\x86\x44\4/p/a\x41\1a"

static const struct str http2[] = {
    STR(PREFACE "\0\0\x0c\1\5\0\0\0\1" COMMON "\x82\0\0\x0c\1\5\0\0\0\3" COMMON "\x82"),
    STR(PREFACE "\0\0\x11\1\5\0\0\0\1" COMMON "\x42\4HEAD\0\0\x11\1\5\0\0\0\3" COMMON "\x42\4HEAD"),
    STR(PREFACE "\0\0\x0c\1\4\0\0\0\1" COMMON "\x83\0\0\5\0\1\0\0\0\1hello"
                "\0\0\x0c\1\4\0\0\0\3" COMMON "\x83\0\0\5\0\1\0\0\0\3hello"),
    STR(PREFACE "\0\0\x0c\1\4\0\0\0\1" COMMON "\x83\0\0\5\0\0\0\0\0\1hello\0\0\6\1\5\0\0\0\1\0\3x-t"
                "\0\0\0\x0c\1\4\0\0\0\3" COMMON "\x83\0\0\5\0\0\0\0\0\3hello"
                "\0\0\0\0\1\0\0\0\3"),
};

struct lent {
    struct lender lender;
    struct exchange *x; /* NULL where the exchange is lost, or was let go */
    bool back;
};

static struct {
    uint8_t manner;
    struct ev_loop *ev; /* for timers, which never fire */
    struct proxy *proxy;
    struct dispatch dispatch;
    struct handler borrower;
    struct part part;
    struct parts parts;
    struct lent lent[REQUESTS];
    size_t lendings;
    struct session_host host;
    struct peer peer;
    struct session *client;
    struct str unsent; /* of the requests */
    struct h1_parser responses;
    unsigned answers;
    bool raw; /* what the client gets is no HTTP/1.x any more */
} f;

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* The lender. */

static void on_returned(struct lender *l)
{
    container_of(l, struct lent, lender)->back = true;
}

static bool lend(struct handler *h, struct exchange *x)
{
    const struct forward_order order = {.url = STR("http://b/base")};
    struct forwarder *forwarder = proxy_forwarder(f.proxy);
    char why[FORWARDER_WHY];
    require(f.lendings < REQUESTS);
    struct lent *l = &f.lent[f.lendings++];
    *l = (struct lent){.lender.returned = on_returned, .x = x};
    x->handler = h;
    x->instance = l;
    require(forwarder->ops->begin(forwarder, x, &order, &l->lender, why) == RC_OK);
    return true;
}

static void on_change(struct exchange *x)
{
    (void)x;
}

static void on_abort(struct exchange *x, struct cut cut)
{
    struct lent *l = x->instance;
    (void)cut;
    require(l->x == x && !l->lender.forward);
    l->x = NULL;
}

static const struct handler_ops borrower_ops = {
    .start = lend, .on_readable = on_change, .on_writable = on_change, .on_abort = on_abort};

static bool on_run(struct part *p)
{
    (void)p;
    for (size_t i = 0; i < f.lendings; i++) {
        struct lent *l = &f.lent[i];
        if (!l->x || !l->back)
            continue;
        require(!l->lender.forward && l->x->instance == l);
        exchange_detach(l->x);
        l->x = NULL;
    }
    return false;
}

static const struct part_ops part_ops = {.run = on_run};

/* The client. */

static void on_dirty(struct session_host *host)
{
    (void)host;
}

static void on_alarm(struct session_host *host, double seconds)
{
    (void)host, (void)seconds;
}

static int kind(void)
{
    return (f.manner & KIND) / (KIND & -KIND);
}

static void check_answer(struct str data)
{
    while (!f.raw && data.n) {
        enum h1_event event = h1_parser_next(&f.responses, &data);
        require(event != H1_ON_FAULT);
        if (event != H1_ON_START)
            continue;
        /* Who sends half a request is told so, whatever it would have been. */
        f.responses.no_content = kind() == 1 && f.responses.status != 408;
        f.answers += f.responses.status >= 200;
        f.raw = f.responses.status == 101;
        require(f.answers <= REQUESTS);
    }
}

static void client_takes(double seconds)
{
    static uint8_t out[TURN_OUT];
    struct session *s = f.client;
    if (!s)
        return;
    cost_resume();
    size_t n = s->ops->fill(s, out, sizeof out);
    cost_pause();
    check_answer((struct str){(const char *)out, n});
    s->ops->sweep(s, seconds);
    s->ops->reap(s);
}

static void client_goes(void)
{
    if (f.client)
        f.client->ops->free(f.client, cut_of(CUT_LOST));
    f.client = NULL;
}

static void client_sends(size_t n)
{
    struct session *s = f.client;
    n = n < f.unsent.n ? n : f.unsent.n;
    if (!s || n == 0 || !s->ops->wants_input(s) || s->ops->is_over(s))
        return;
    if (s->ops->recv(s, (const uint8_t *)f.unsent.p, n))
        f.unsent.n = n;
    f.unsent = (struct str){f.unsent.p + n, f.unsent.n - n};
}

static void open_client(void)
{
    f.host = (struct session_host){
        .dirty = on_dirty, .alarm = on_alarm, .handler = &f.dispatch.base, .peer = &f.peer};
    if (f.manner & DOWN_HTTP_2)
        require(!h2_server_new(&f.host, &http_limits_default, &h2_limits_default, &f.client));
    else
        require(!h1_server_new(&f.host, &http_limits_default, &f.client));
    f.unsent = f.manner & DOWN_HTTP_2 ? http2[kind()] : http1[kind()];
    f.raw = f.manner & DOWN_HTTP_2;
    f.answers = 0;
    h1_parser_init(&f.responses, H1_CLIENT, 1 << 20, 1 << 10);
    client_sends(f.manner & LATE ? f.unsent.n / 2 : f.unsent.n);
}

/* All of it. */

static void open_world(void)
{
    static char why[ORIGIN_WHY];
    if (!f.ev)
        f.ev = ev_loop_new(EVFLAG_AUTO);
    require(f.ev && !proxy_new(f.ev, &proxy_options_default, &f.proxy));
    require(!proxy_add(f.proxy, "/p/=http://b", why) && !proxy_add(f.proxy, "/p/=http://c", why));
    f.borrower = (struct handler){.ops = &borrower_ops, .part = &f.part};
    f.part = (struct part){.ops = &part_ops};
    f.parts = (struct parts){NULL};
    f.lendings = 0;
    parts_add(&f.parts, proxy_part(f.proxy));
    parts_add(&f.parts, &f.part);
    dispatch_init(&f.dispatch);
    if (f.manner & LENT)
        dispatch_add(&f.dispatch, &f.borrower);
    else
        proxy_take_prefixes(f.proxy, &f.dispatch);
    upstream_begin(f.manner & UP_HTTP_2);
    open_client();
}

static void turn(double seconds)
{
    cost_resume();
    parts_run(&f.parts);
    cost_pause();
    upstream_turn();
    client_takes(seconds);
}

static void feed(const uint8_t *data, size_t size)
{
    turn(0);
    while (size) {
        uint8_t length = *data++;
        size_t piece = 1 + (size_t)length * 4;
        size--;
        if (length == SERVER_CLOSES)
            upstream_close();
        else if (length == CLIENT_GOES)
            client_goes();
        else if (length == CLIENT_SENDS)
            client_sends(f.unsent.n / 2 + 1);
        if (length >= CLIENT_SENDS)
            piece = 0;
        piece = piece < size ? piece : size;
        if (piece)
            upstream_receive(data, piece);
        data += piece;
        size -= piece;
        turn(1);
    }
}

/* With the whole request here and no server any more each exchange ends, without a timeout. */
static void settle(void)
{
    while (f.client && f.unsent.n && f.client->ops->wants_input(f.client) &&
           !f.client->ops->is_over(f.client))
        client_sends(f.unsent.n);
    upstream_vanish();
    for (int i = 0; i < LAST_TURNS; i++)
        turn(0);
    require(!f.client || f.client->ops->is_idle(f.client) || f.client->ops->is_over(f.client));
}

static void run(const uint8_t *data, size_t size)
{
    if (size == 0)
        return;
    log_configure(LOG_ERROR + 1, LOG_TEXT);
    uint64_t blocks = mem_stats()->blocks;
    f.manner = data[0];
    cost_begin();
    open_world();
    feed(data + 1, size - 1);
    settle();
    client_goes();
    turn(0);
    upstream_end();
    for (size_t i = 0; i < f.lendings; i++)
        require(!f.lent[i].x && !f.lent[i].lender.forward);
    h1_parser_fini(&f.responses);
    proxy_free(f.proxy);
    require(!live.calls && !live.exchanges && mem_stats()->blocks == blocks);
    cost_check(COST_BEGUN, COST_HTTP_2, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cost_repeat(run, data, size, 1);
    return 0;
}

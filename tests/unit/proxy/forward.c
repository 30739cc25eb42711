/* Requests that go through the proxy, to a server that is the same loop: what the proxy has a route
 * for comes back to it without the prefix, and an echo answers. */
#include "proxy/proxy.h"

#include "tests/unit/check.h"

#include "core/clock.h"
#include "core/log.h"
#include "h2/limits.h"
#include "http/dispatch.h"
#include "http/exchange.h"
#include "http/handler.h"
#include "http/limits.h"
#include "http/part.h"
#include "net/address.h"
#include "net/listener.h"
#include "net/loop.h"
#include "proxy/pool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { WAITING = 64, ANSWER = 65536, BODY = 30000 };

static const double patience = 20; /* seconds */

/* The echo. */

static struct exchange *waiting[WAITING];

static bool echo_start(struct handler *h, struct exchange *x)
{
    for (int i = 0; i < WAITING; i++) {
        if (waiting[i])
            continue;
        waiting[i] = x;
        x->instance = h;
        return true;
    }
    fail_msg("too many requests");
    return false;
}

static void on_change(struct exchange *x)
{
    (void)x;
}

static void forget(const struct exchange *x)
{
    for (int i = 0; i < WAITING; i++)
        if (waiting[i] == x)
            waiting[i] = NULL;
}

static void on_abort(struct exchange *x, struct cut cut)
{
    (void)cut;
    forget(x);
}

/* Whether a piece of the body went back whole. */
static bool copy_piece(struct exchange *x)
{
    size_t n, taken;
    const char *piece = exchange_peek(x, &n);
    if (n == 0 || exchange_write(x, piece, n, &taken))
        return false;
    exchange_consume(x, taken);
    return taken == n;
}

static void echo(struct exchange *x)
{
    while (copy_piece(x))
        continue;
    if (!x->request.ended || x->request.body.len)
        return;
    forget(x);
    if (exchange_finish(x))
        exchange_reset(x, 2);
    else
        exchange_detach(x);
}

static bool echo_run(struct part *p)
{
    (void)p;
    for (int i = 0; i < WAITING; i++)
        if (waiting[i])
            echo(waiting[i]);
    return false;
}

static const struct handler_ops echo_ops = {
    .start = echo_start, .on_readable = on_change, .on_writable = on_change, .on_abort = on_abort};
static struct handler echo_handler = {.ops = &echo_ops};
static const struct part_ops echo_part_ops = {.run = echo_run};

/* The world. */

static struct {
    struct ev_loop *ev;
    struct loop loop;
    struct net_limits net;
    struct pool_limits limits;
    struct pool *pool;
    struct dispatch dispatch;
    struct proxy *proxy;
    struct part echo;
    struct listener listener;
    char route[128];
    struct sockaddr_in address;
    char answer[ANSWER];
    size_t answered;
    bool closed;
} w;

static int listen_somewhere(void)
{
    struct address a;
    char why[ADDRESS_WHY];
    socklen_t len = sizeof w.address;
    int fd;
    assert_int_equal(address_parse("http://127.0.0.1:0", &a, why), RC_OK);
    assert_int_equal(address_listen(&a, &fd, why), RC_OK);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&w.address, &len), 0);
    return fd;
}

/* The routes that the proxy has now, and the echo behind them. */
static void join_handlers(void)
{
    dispatch_init(&w.dispatch);
    proxy_take_prefixes(w.proxy, &w.dispatch);
    dispatch_add(&w.dispatch, &echo_handler);
}

static void open_world(const char *scheme)
{
    struct proxy_options options = proxy_options_default;
    char why[ORIGIN_WHY];
    memset(&w, 0, sizeof w);
    memset(waiting, 0, sizeof waiting);
    log_configure(LOG_ERROR + 1, LOG_TEXT);
    w.ev = ev_loop_new(EVFLAG_AUTO);
    w.net = net_limits_default;
    w.limits = pool_limits_default;
    int fd = listen_somewhere();
    snprintf(w.route, sizeof w.route, "/p/=%s://127.0.0.1:%d/", scheme, ntohs(w.address.sin_port));
    options.call.connect_timeout = 0.3;
    assert_int_equal(proxy_new(w.ev, &options, &w.proxy), RC_OK);
    assert_int_equal(proxy_add(w.proxy, w.route, why), RC_OK);
    join_handlers();
    assert_int_equal(loop_init(&w.loop, w.ev, &w.dispatch.base, &w.net), RC_OK);
    w.echo.ops = &echo_part_ops;
    parts_add(&w.loop.parts, proxy_part(w.proxy));
    parts_add(&w.loop.parts, &w.echo);
    assert_int_equal(pool_new(&w.loop, &w.limits, &w.pool), RC_OK);
    proxy_set_pool(w.proxy, w.pool);
    listener_start(&w.listener, &listener_http, &w.loop, fd, NULL);
}

static void close_world(void)
{
    listener_stop(&w.listener);
    loop_fini(&w.loop);
    proxy_free(w.proxy);
    pool_free(w.pool);
    ev_loop_destroy(w.ev);
    assert_int_equal(live.conns, 0);
    assert_int_equal(live.calls, 0);
}

static void turn(int client)
{
    ev_run(w.ev, EVRUN_NOWAIT);
    ssize_t n = recv(client, w.answer + w.answered, sizeof w.answer - 1 - w.answered, MSG_DONTWAIT);
    if (n > 0)
        w.answered += (size_t)n;
    else if (n == 0 || errno != EAGAIN)
        w.closed = true;
    w.answer[w.answered] = '\0';
}

static int connect_client(void)
{
    int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&w.address, sizeof w.address), 0);
    return client;
}

/* Sends a request that is the last on its connection, and turns until that has ended. */
static void ask(const char *path, size_t body)
{
    static char text[BODY + 512];
    int n = snprintf(text, sizeof text,
        "POST %s HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: %zu\r\n\r\n", path,
        body);
    memset(text + n, 'x', body);
    int client = connect_client();
    assert_int_equal(send(client, text, (size_t)n + body, 0), (size_t)n + body);
    double end = clock_monotonic() + patience;
    while (!w.closed && clock_monotonic() < end)
        turn(client);
    assert_true(w.closed);
    close(client);
}

static bool is_answered(const char *status)
{
    return strncmp(w.answer, status, strlen(status)) == 0;
}

/* The tests. */

static void pass_on(const char *scheme)
{
    open_world(scheme);
    ask("/p/echo", BODY);
    assert_true(is_answered("HTTP/1.1 200 OK\r\n"));
    const char *body = strstr(w.answer, "\r\n\r\n");
    assert_non_null(body);
    assert_true(w.answered - (size_t)(body - w.answer) >= BODY);
    assert_int_equal(pool_stats(w.pool)->opened, 1);
    close_world();
}

static void Run_Http1_EchoComesBack(void **state)
{
    (void)state;
    pass_on("http");
}

static void Run_Http2_EchoComesBack(void **state)
{
    (void)state;
    pass_on("h2c");
}

static void Run_NotOfTheRoute_StaysHere(void **state)
{
    (void)state;
    open_world("http");
    ask("/echo", 5);
    assert_true(is_answered("HTTP/1.1 200 OK\r\n"));
    assert_int_equal(pool_stats(w.pool)->opened, 0);
    close_world();
}

/* The last of the connections asks for one more, which never gets free. */
static void Run_ItselfForever_EndsByItsLimits(void **state)
{
    (void)state;
    char why[ORIGIN_WHY], route[128];
    open_world("http");
    w.limits.max_conns = 4;
    snprintf(route, sizeof route, "/q=http://127.0.0.1:%d", ntohs(w.address.sin_port));
    assert_int_equal(proxy_add(w.proxy, route, why), RC_OK);
    join_handlers();
    ask("/q", 0);
    assert_true(is_answered("HTTP/1.1 503 "));
    close_world();
}

/* A client that goes at any moment takes everything with it. */
static void Run_ClientGoesAtEachTurn_NothingLeft(void **state)
{
    (void)state;
    static const char *const schemes[] = {"http", "h2c"};
    static const char request[] = "POST /p/echo HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nab";
    for (int turns = 0; turns < 40; turns++) {
        open_world(schemes[turns % 2]);
        int client = connect_client();
        assert_int_equal(send(client, request, sizeof request - 1, 0), sizeof request - 1);
        for (int i = 0; i < turns / 2; i++)
            turn(client);
        close(client);
        for (int i = 0; i < 20; i++)
            ev_run(w.ev, EVRUN_NOWAIT);
        close_world();
    }
}

/* Whatever fails for lack of memory, the client's connection ends, and nothing is lost. */
static void fail_each(const char *scheme, int sticky)
{
    uint64_t before = mem_stats()->mallocs;
    pass_on(scheme);
    uint64_t most = mem_stats()->mallocs - before;
    assert_true(most > 20);
    for (uint64_t n = 1; n <= most; n++) {
        open_world(scheme);
        mem_fail_at(n, sticky);
        double end = clock_monotonic() + 2;
        int client = connect_client();
        static const char request[] = "POST /p/echo HTTP/1.1\r\nhost: a\r\nconnection: "
                                      "close\r\ncontent-length: 5\r\n\r\nhello";
        assert_int_equal(send(client, request, sizeof request - 1, 0), sizeof request - 1);
        while (!w.closed && clock_monotonic() < end)
            turn(client);
        mem_fail_at(0, 0);
        close(client);
        close_world();
    }
}

static void Run_EachAllocationFails_NothingLeft(void **state)
{
    (void)state;
    fail_each("http", 0);
    fail_each("h2c", 0);
}

static void Run_NoMemoryFromEachOn_NothingLeft(void **state)
{
    (void)state;
    fail_each("http", 1);
    fail_each("h2c", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Run_Http1_EchoComesBack),
        checked(Run_Http2_EchoComesBack),
        checked(Run_NotOfTheRoute_StaysHere),
        checked(Run_ItselfForever_EndsByItsLimits),
        checked(Run_ClientGoesAtEachTurn_NothingLeft),
        checked(Run_EachAllocationFails_NothingLeft),
        checked(Run_NoMemoryFromEachOn_NothingLeft),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

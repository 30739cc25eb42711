/* The pool, and what it stands on, over real sockets: a server of ours and calls of it, in one loop. */
#include "proxy/pool.h"

#include "../check.h"

#include "core/clock.h"
#include "core/log.h"
#include "h2/session.h"
#include "http/code.h"
#include "http/exchange.h"
#include "http/handler.h"
#include "http/limits.h"
#include "net/address.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/tls.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

enum { CALLS = 400, NOTES = 4096 };

/* The server: it echoes, and does what the path asks for. */
static struct echo {
    struct handler handler;
    struct exchange *waiting[CALLS]; /* those that have something to do */
    int count;
    int requests;
} echo;

static void on_start(struct handler *h, struct exchange *x)
{
    echo.requests++;
    x->instance = h;
    for (int i = 0; i < CALLS; i++)
        if (!echo.waiting[i]) {
            echo.waiting[i] = x;
            return;
        }
    fail_msg("too many requests");
}

static void forget(const struct exchange *x)
{
    for (int i = 0; i < CALLS; i++)
        if (echo.waiting[i] == x)
            echo.waiting[i] = NULL;
}

static void on_change(struct exchange *x)
{
    (void)x;
}

static void on_abort(struct exchange *x, const char *reason)
{
    (void)reason;
    forget(x);
}

static bool copy_piece(struct exchange *x)
{
    size_t n, taken = 0;
    const char *piece = exchange_peek(x, &n);
    if (!n) {
        exchange_want_body(x);
        return false;
    }
    assert_int_equal(exchange_write(x, piece, n, &taken), RC_OK);
    exchange_consume(x, taken);
    return taken > 0;
}

static void end_exchange(struct exchange *x)
{
    struct outgoing *o = &x->response.message;
    const struct field *f = fields_find(&x->request.trailers, STR("x-sum"));
    if (f && outgoing_supports_trailers(o))
        assert_int_equal(outgoing_append_trailer(o, f->name, f->value), RC_OK);
    assert_int_equal(exchange_finish(x), RC_OK);
    exchange_detach(x);
}

static void work(struct exchange *x)
{
    if (str_eq(x->request.path, STR("/hang")))
        return;
    if (str_eq(x->request.path, STR("/reset"))) {
        forget(x);
        exchange_reset(x, ERROR_ENHANCE_YOUR_CALM);
        return;
    }
    while (copy_piece(x))
        continue;
    if (x->request.ended && x->request.body.len == 0) {
        forget(x);
        end_exchange(x);
    }
}

static bool on_run(struct handler *h)
{
    (void)h;
    for (int i = 0; i < CALLS; i++)
        if (echo.waiting[i])
            work(echo.waiting[i]);
    return false;
}

static const struct handler_ops echo_ops = {
    .start = on_start,
    .on_readable = on_change,
    .on_writable = on_change,
    .on_abort = on_abort,
    .run = on_run,
};

/* The caller. */

struct caller {
    struct call call;
    struct call_options options;
    char notes[NOTES];
    size_t noted;
    size_t unsent;   /* bytes of body still to be written */
    bool streams;    /* the request's end has not been written */
    size_t received; /* bytes */
    bool done;
    enum call_end end;
    const char *trailer;
};

static struct world {
    struct ev_loop *ev;
    struct loop loop;
    struct net_limits net;
    struct pool_limits limits;
    struct pool *pool;
    struct listener listener;
    bool listens;
    struct tls *tls;
    struct origin origin;
    struct caller callers[CALLS];
} w;

static struct caller *caller_of(struct call *c)
{
    return container_of(c, struct caller, call);
}

static void note(struct caller *r, const char *text)
{
    r->noted += (size_t)snprintf(r->notes + r->noted, NOTES - r->noted, "%s\n", text);
}

static void on_interim(struct call *c, int status, const struct fields *fields)
{
    (void)status, (void)fields;
    note(caller_of(c), "interim");
}

static void on_head(struct call *c)
{
    char text[64];
    snprintf(text, sizeof text, "%s %d", c->protocol, c->status);
    note(caller_of(c), text);
}

static void on_event(struct call *c)
{
    (void)c;
}

static void on_done(struct call *c, enum call_end end, const char *why)
{
    static const char *const ends[] = {
        "whole", "unreachable", "refused", "reset", "lost", "timed out"};
    char text[256];
    struct caller *r = caller_of(c);
    snprintf(text, sizeof text, *why ? "%s: %s" : "%s%s", ends[end], why);
    note(r, text);
    r->done = true;
    r->end = end;
}

static const struct call_ops call_ops = {on_interim, on_head, on_event, on_event, on_done};

/* Writes and reads what can be now. */
static void move(struct caller *r)
{
    static const char zeros[16384];
    size_t n, taken;
    while (call_peek(&r->call, &n) && n) {
        r->received += n;
        call_consume(&r->call, n);
    }
    while (!r->done && r->unsent) {
        n = r->unsent < sizeof zeros ? r->unsent : sizeof zeros;
        assert_int_equal(call_write(&r->call, zeros, n, &taken), RC_OK);
        r->unsent -= taken;
        if (taken < n)
            return;
    }
    if (r->streams && !r->done && !r->unsent) {
        r->streams = false;
        if (r->trailer)
            assert_int_equal(
                outgoing_append_trailer(&r->call.request, STR("x-sum"), str_of(r->trailer)), RC_OK);
        assert_int_equal(call_finish(&r->call), RC_OK);
    }
}

/* The world. */

static int listen_on(const char *url, struct origin *origin)
{
    char why[ADDRESS_WHY], text[ADDRESS_TEXT], made[ADDRESS_TEXT + 16];
    struct address a;
    struct str target;
    int fd;
    assert_int_equal(address_parse(url, &a, why), RC_OK);
    assert_int_equal(address_listen(&a, &fd, why), RC_OK);
    address_of_socket(fd, text);
    snprintf(made, sizeof made, "%s://%s", a.tls ? "https" : "http", text);
    assert_int_equal(origin_parse(str_of(made), origin, &target, why), RC_OK);
    return fd;
}

static void open_world(const char *url)
{
    char why[TLS_WHY];
    memset(&w, 0, sizeof w);
    memset(&echo, 0, sizeof echo);
    log_configure(LOG_ERROR + 1, LOG_TEXT);
    echo.handler.ops = &echo_ops;
    w.ev = ev_loop_new(EVFLAG_AUTO);
    w.net = net_limits_default;
    w.limits = pool_limits_default;
    assert_int_equal(loop_init(&w.loop, w.ev, &echo.handler, &w.net), RC_OK);
    assert_int_equal(pool_new(&w.loop, &w.limits, &w.pool), RC_OK);
    if (strncmp(url, "https", 5) == 0)
        assert_int_equal(tls_new(NULL, 0, &w.tls, why), RC_OK);
    listener_start(&w.listener, &w.loop, listen_on(url, &w.origin), w.tls);
    w.listens = true;
}

__attribute__((unused)) static void stop_listening(void)
{
    if (w.listens)
        listener_stop(&w.listener);
    w.listens = false;
}

static void close_world(bool pool_first)
{
    stop_listening();
    if (pool_first)
        pool_free(w.pool);
    loop_fini(&w.loop);
    if (!pool_first)
        pool_free(w.pool);
    for (int i = 0; i < CALLS; i++)
        if (w.callers[i].call.ops) {
            assert_int_not_equal(w.callers[i].call.state, CALL_HELD);
            call_fini(&w.callers[i].call);
        }
    ev_loop_destroy(w.ev);
    if (w.tls)
        tls_free(w.tls);
    assert_int_equal(live.conns, 0);
}

static struct caller *prepare(int i, const char *method, const char *target)
{
    struct caller *r = &w.callers[i];
    call_init(&r->call, &call_ops);
    r->options = call_options_default;
    r->options.insecure = true;
    assert_int_equal(call_aim(&r->call, str_of(method), origin_http_scheme(&w.origin),
                         str_of(w.origin.authority), str_of(target)),
        RC_OK);
    return r;
}

static void go(struct caller *r)
{
    assert_int_equal(pool_call(w.pool, &w.origin, &r->options, &r->call), RC_OK);
    assert_false(r->done);
}

static struct caller *get(int i, const char *target)
{
    struct caller *r = prepare(i, "GET", target);
    assert_int_equal(call_finish(&r->call), RC_OK);
    go(r);
    return r;
}

static void turn(void)
{
    for (int i = 0; i < CALLS; i++)
        if (w.callers[i].call.ops)
            move(&w.callers[i]);
    ev_run(w.ev, EVRUN_ONCE);
}

/* Turns until a call is done. */
static void await(struct caller *r)
{
    double end = clock_monotonic() + 20;
    while (!r->done && clock_monotonic() < end)
        turn();
    if (!r->done)
        fail_msg("no end of a call that has noted\n%s", r->notes);
    move(r);
}

static void expect(struct caller *r, const char *notes)
{
    await(r);
    assert_string_equal(r->notes, notes);
}

__attribute__((unused)) static void run_for(double seconds)
{
    double end = clock_monotonic() + seconds;
    struct ev_loop *ev = w.ev;
    while (clock_monotonic() < end) {
        ev_run(ev, EVRUN_NOWAIT);
        usleep(1000);
    }
}

/* Each protocol. */

static void echo_by(const char *url, enum call_version version, const char *notes)
{
    enum { BODY = 1000000 };
    open_world(url);
    struct caller *r = get(0, "/");
    r->options.version = version;
    call_cancel(&r->call, 0);
    struct caller *post = prepare(1, "POST", "/");
    post->options.version = version;
    post->unsent = BODY;
    post->streams = true;
    post->trailer = "12";
    go(post);
    expect(post, notes);
    assert_int_equal(post->received, BODY);
    const struct field *f = fields_find(&post->call.trailers, STR("x-sum"));
    if (version == CALL_HTTP_2) {
        assert_non_null(f);
        assert_str(f->value, "12");
    }
    struct caller *next = prepare(2, "GET", "/");
    next->options.version = version;
    assert_int_equal(call_finish(&next->call), RC_OK);
    go(next);
    expect(next, notes);
    assert_int_equal(pool_stats(w.pool)->reused, 1);
    close_world(version == CALL_HTTP_2);
}

static void Call_Http1_EchoedAndReused(void **state)
{
    (void)state;
    echo_by("http://127.0.0.1:0", CALL_ANY_HTTP, "HTTP/1.1 200\nwhole\n");
}

static void Call_Http2PriorKnowledge_EchoedAndReused(void **state)
{
    (void)state;
    echo_by("http://127.0.0.1:0", CALL_HTTP_2, "HTTP/2 200\nwhole\n");
}

static void Call_TlsByAlpn_Http2(void **state)
{
    (void)state;
    echo_by("https://127.0.0.1:0", CALL_ANY_HTTP, "HTTP/2 200\nwhole\n");
}

static void Call_TlsForcedHttp1_Http1(void **state)
{
    (void)state;
    echo_by("https://127.0.0.1:0", CALL_HTTP_1, "HTTP/1.1 200\nwhole\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        check(Call_Http1_EchoedAndReused),
        check(Call_Http2PriorKnowledge_EchoedAndReused),
        check(Call_TlsByAlpn_Http2),
        check(Call_TlsForcedHttp1_Http1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

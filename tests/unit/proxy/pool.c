/* The pool, and what it stands on, over real sockets: a server of ours and calls of it, in one
 * loop. */
#include "proxy/pool.h"

#include "tests/unit/check.h"

#include "core/clock.h"
#include "core/log.h"
#include "h2/limits.h"
#include "http/code.h"
#include "http/exchange.h"
#include "http/handler.h"
#include "http/limits.h"
#include "http/part.h"
#include "net/address.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/tls.h"
#include "net/tls_selfsigned.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

enum { CALLS = 400, NOTES = 4096 };

/* The server: it echoes, and does what the path asks for. */
static struct echo {
    struct handler handler;
    struct part part;
    struct exchange *waiting[CALLS]; /* those that have something to do */
    int count;
    int requests;
} echo;

static bool on_start(struct handler *h, struct exchange *x)
{
    echo.requests++;
    x->instance = h;
    for (int i = 0; i < CALLS; i++)
        if (!echo.waiting[i]) {
            echo.waiting[i] = x;
            return true;
        }
    fail_msg("too many requests");
    return false;
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

static void on_abort(struct exchange *x, struct cut cut)
{
    (void)cut;
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
    struct outgoing *o = &x->response.out;
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

static bool on_run(struct part *p)
{
    (void)p;
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
};

static const struct part_ops part_ops = {.run = on_run};

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
    static const char *const ends[] = {"whole", "unreachable", "refused", "reset", "lost",
        "no HTTP", "too large", "timed out", "no connection in time", "crowded"};
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
    snprintf(made, sizeof made, "%s://%s", a.kind->tls ? "https" : "http", text);
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
    echo.part.ops = &part_ops;
    w.ev = ev_loop_new(EVFLAG_AUTO);
    w.net = net_limits_default;
    w.limits = pool_limits_default;
    assert_int_equal(loop_init(&w.loop, w.ev, &echo.handler, &w.net), RC_OK);
    parts_add(&w.loop.parts, &echo.part);
    assert_int_equal(pool_new(&w.loop, &w.limits, &w.pool), RC_OK);
    if (strncmp(url, "https", 5) == 0)
        assert_int_equal(tls_new(NULL, 0, &w.tls, why), RC_OK);
    listener_start(&w.listener, w.tls ? &listener_https : &listener_http, &w.loop,
        listen_on(url, &w.origin), w.tls);
    w.listens = true;
}

static void stop_listening(void)
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

static void run_for(double seconds)
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

/* Many calls. */

static void run_many(const char *url, enum call_version version, uint32_t max_conns)
{
    open_world(url);
    w.limits.max_conns = max_conns;
    for (int i = 0; i < CALLS; i++) {
        struct caller *r = prepare(i, "POST", "/");
        r->options.version = version;
        r->unsent = 20000;
        r->streams = true;
        go(r);
    }
    for (int i = 0; i < CALLS; i++) {
        await(&w.callers[i]);
        assert_int_equal(w.callers[i].end, CALL_WHOLE);
        assert_int_equal(w.callers[i].received, 20000);
    }
}

static void Calls_ManyOfHttp1_NoMoreConnectionsThanAllowed(void **state)
{
    (void)state;
    run_many("http://127.0.0.1:0", CALL_ANY_HTTP, 7);
    assert_int_equal(pool_stats(w.pool)->opened, 7);
    assert_int_equal(pool_stats(w.pool)->reused, CALLS - 7);
    close_world(false);
}

static void Calls_ManyOfHttp2_ShareConnections(void **state)
{
    (void)state;
    run_many("https://127.0.0.1:0", CALL_ANY_HTTP, 0);
    assert_in_range(pool_stats(w.pool)->opened, 1, 4);
    close_world(true);
}

static void Calls_TooManyWait_Refused(void **state)
{
    (void)state;
    open_world("http://127.0.0.1:0");
    w.limits.max_conns = 1;
    w.limits.max_waiting = 2;
    get(0, "/hang");
    while (echo.requests == 0)
        turn();
    get(1, "/");
    get(2, "/");
    struct caller *r = prepare(3, "GET", "/");
    assert_int_equal(call_finish(&r->call), RC_OK);
    assert_int_equal(pool_call(w.pool, &w.origin, &r->options, &r->call), RC_LIMIT);
    assert_int_equal(r->call.state, CALL_IDLE);
    call_cancel(&w.callers[0].call, ERROR_CANCEL);
    expect(&w.callers[1], "HTTP/1.1 200\nwhole\n");
    expect(&w.callers[2], "HTTP/1.1 200\nwhole\n");
    close_world(false);
}

/* Servers that are not there. */

static void point_at(const char *url)
{
    char why[ORIGIN_WHY];
    struct str target;
    assert_int_equal(origin_parse(str_of(url), &w.origin, &target, why), RC_OK);
}

static void Unreachable_NobodyListens_AllWaitingTold(void **state)
{
    (void)state;
    open_world("http://127.0.0.1:0");
    stop_listening();
    for (int i = 0; i < 3; i++)
        get(i, "/");
    for (int i = 0; i < 3; i++)
        expect(&w.callers[i], "unreachable: Connection refused\n");
    close_world(false);
}

static void Unreachable_UnknownName_Told(void **state)
{
    (void)state;
    open_world("http://127.0.0.1:0");
    point_at("http://no-such-name.invalid");
    struct caller *r = get(0, "/");
    await(r);
    assert_int_equal(r->end, CALL_UNREACHABLE);
    close_world(true);
}

static void Unreachable_CertificateNobodySigned_Told(void **state)
{
    (void)state;
    open_world("https://127.0.0.1:0");
    struct caller *r = prepare(0, "GET", "/");
    r->options.insecure = false;
    assert_int_equal(call_finish(&r->call), RC_OK);
    go(r);
    expect(r, "unreachable: self-signed certificate\n");
    struct caller *other = prepare(1, "GET", "/");
    other->options.insecure = false;
    other->options.cas = "/no/such/file.pem";
    assert_int_equal(call_finish(&other->call), RC_OK);
    go(other);
    await(other);
    assert_int_equal(other->end, CALL_UNREACHABLE);
    assert_non_null(strstr(other->notes, "certificates \"/no/such/file.pem\" cannot be used"));
    close_world(false);
}

/* The server's certificate, which names localhost and 127.0.0.1, is its own store. */
static void write_certificate(char cert_path[64], char key_path[64])
{
    X509 *cert;
    EVP_PKEY *key;
    snprintf(cert_path, 64, "/tmp/moontrail-pool-%d.crt", (int)getpid());
    snprintf(key_path, 64, "/tmp/moontrail-pool-%d.key", (int)getpid());
    assert_int_equal(tls_selfsigned(&cert, &key), RC_OK);
    FILE *f = fopen(cert_path, "w");
    assert_int_equal(PEM_write_X509(f, cert), 1);
    fclose(f);
    f = fopen(key_path, "w");
    assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static struct caller *get_verified(int i, const char *cas)
{
    struct caller *r = prepare(i, "GET", "/");
    r->options.insecure = false;
    r->options.cas = cas;
    assert_int_equal(call_finish(&r->call), RC_OK);
    go(r);
    return r;
}

static void Certificate_InTheStore_OnlyForItsNames(void **state)
{
    (void)state;
    char cert[64], key[64], why[TLS_WHY], other[ADDRESS_TEXT + 16];
    write_certificate(cert, key);
    open_world("https://0.0.0.0:0");
    tls_free(w.tls);
    assert_int_equal(tls_new(&(struct tls_files){cert, key}, 1, &w.tls, why), RC_OK);
    w.listener.tls = w.tls;
    snprintf(other, sizeof other, "https://127.0.0.2:%s", w.origin.port);
    point_at(other);
    await(get_verified(0, cert));
    assert_string_equal(w.callers[0].notes, "unreachable: IP address mismatch\n");
    snprintf(other, sizeof other, "https://127.0.0.1:%s", w.origin.port);
    point_at(other);
    expect(get_verified(1, cert), "HTTP/2 200\nwhole\n");
    snprintf(other, sizeof other, "https://localhost:%s", w.origin.port);
    point_at(other);
    expect(get_verified(2, cert), "HTTP/2 200\nwhole\n");
    close_world(false);
    unlink(cert);
    unlink(key);
}

static void Unreachable_NoSocketFile_Told(void **state)
{
    (void)state;
    open_world("http://127.0.0.1:0");
    point_at("unix:/no/such/socket");
    expect(get(0, "/"), "unreachable: No such file or directory\n");
    close_world(false);
}

/* A socket in the file system, whose server closes what it accepts, or leaves it alone. */
struct raw {
    char path[64];
    int fd;
    char url[80];
};

static void open_raw(struct raw *raw)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(raw->path, sizeof raw->path, "/tmp/moontrail-pool-%d", (int)getpid());
    snprintf(raw->url, sizeof raw->url, "unix:%s", raw->path);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", raw->path);
    unlink(raw->path);
    raw->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(raw->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(raw->fd, 5), 0);
    point_at(raw->url);
}

static void close_raw(struct raw *raw)
{
    close(raw->fd);
    unlink(raw->path);
}

/* The next connection, once a request has come over it. */
static int await_request(struct raw *raw)
{
    char bytes[4096];
    int fd = -1;
    double end = clock_monotonic() + 10;
    while (fd < 0 && clock_monotonic() < end) {
        run_for(0.002);
        fd = accept(raw->fd, NULL, NULL);
    }
    assert_true(fd >= 0);
    run_for(0.01);
    assert_true(read(fd, bytes, sizeof bytes) > 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

#define OK "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"

/* What may be made again. */

static struct caller *lose_second(struct raw *raw, const char *method, int *fd)
{
    open_world("http://127.0.0.1:0");
    open_raw(raw);
    struct caller *first = get(0, "/");
    *fd = await_request(raw);
    say(*fd, OK);
    await(first);
    struct caller *second = prepare(1, method, "/");
    assert_int_equal(call_finish(&second->call), RC_OK);
    go(second);
    run_for(0.01);
    close(*fd);
    return second;
}

static void Lost_OnAReusedConnection_MadeAgainWhereItMay(void **state)
{
    (void)state;
    struct raw raw;
    int fd;
    struct caller *r = lose_second(&raw, "GET", &fd);
    fd = await_request(&raw);
    say(fd, OK);
    expect(r, "HTTP/1.1 200\nwhole\n");
    assert_int_equal(pool_stats(w.pool)->retried, 1);
    close(fd);
    close_world(false);
    close_raw(&raw);
}

static void Lost_NotIdempotent_Told(void **state)
{
    (void)state;
    struct raw raw;
    int fd;
    struct caller *r = lose_second(&raw, "POST", &fd);
    await(r);
    assert_int_equal(r->end, CALL_LOST);
    assert_int_equal(pool_stats(w.pool)->retried, 0);
    close_world(false);
    close_raw(&raw);
}

static void Lost_Twice_Told(void **state)
{
    (void)state;
    struct raw raw;
    int fd;
    struct caller *r = lose_second(&raw, "GET", &fd);
    close(await_request(&raw));
    await(r);
    assert_int_equal(r->end, CALL_LOST);
    close_world(true);
    close_raw(&raw);
}

static void Lost_OnANewConnection_Told(void **state)
{
    (void)state;
    struct raw raw;
    open_world("http://127.0.0.1:0");
    open_raw(&raw);
    struct caller *r = get(0, "/");
    close(await_request(&raw));
    expect(r, "lost: no response\n");
    close_world(false);
    close_raw(&raw);
}

/* Limits of time. */

static void Timeout_Response_Told(void **state)
{
    (void)state;
    open_world("http://127.0.0.1:0");
    struct caller *r = prepare(0, "GET", "/hang");
    r->options.response_timeout = 0.1;
    assert_int_equal(call_finish(&r->call), RC_OK);
    go(r);
    expect(r, "timed out: response-timeout\n");
    close_world(false);
}

static void Timeout_Idle_Told(void **state)
{
    (void)state;
    struct raw raw;
    open_world("http://127.0.0.1:0");
    open_raw(&raw);
    struct caller *r = prepare(0, "GET", "/");
    r->options.idle_timeout = 0.1;
    assert_int_equal(call_finish(&r->call), RC_OK);
    go(r);
    int fd = await_request(&raw);
    say(fd, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHel");
    expect(r, "HTTP/1.1 200\ntimed out: idle-timeout\n");
    assert_int_equal(r->received, 3);
    close(fd);
    close_world(false);
    close_raw(&raw);
}

static void Timeout_WhatTheOwnerTakes_DoesNotCount(void **state)
{
    (void)state;
    open_world("http://127.0.0.1:0");
    struct caller *r = prepare(0, "POST", "/");
    r->options.response_timeout = r->options.idle_timeout = 0.1;
    assert_int_equal(call_flush(&r->call), RC_OK);
    go(r);
    run_for(0.4);
    assert_false(r->done);
    r->unsent = 5;
    r->streams = true;
    expect(r, "HTTP/1.1 200\nwhole\n");
    close_world(false);
}

static void Timeout_NoConnectionGetsFree_Told(void **state)
{
    (void)state;
    open_world("http://127.0.0.1:0");
    w.limits.max_conns = 1;
    get(0, "/hang");
    struct caller *r = prepare(1, "GET", "/");
    r->options.connect_timeout = 0.1;
    assert_int_equal(call_finish(&r->call), RC_OK);
    go(r);
    expect(r, "crowded: all connections to it that may be had were in use\n");
    close_world(true);
}

static void Idle_ForTooLong_Closed(void **state)
{
    (void)state;
    for (int version = CALL_HTTP_1; version <= CALL_HTTP_2; version++) {
        open_world("http://127.0.0.1:0");
        w.limits.idle_timeout = 0.2;
        struct caller *r = prepare(0, "GET", "/");
        r->options.version = (enum call_version)version;
        assert_int_equal(call_finish(&r->call), RC_OK);
        go(r);
        await(r);
        assert_int_equal(live.conns, 2);
        run_for(2.5);
        assert_int_equal(live.conns, 0);
        close_world(false);
    }
}

/* Ends. */

static void Cancel_AtEachStage_NothingIsLeft(void **state)
{
    (void)state;
    static const char *const urls[] = {"http://127.0.0.1:0", "https://127.0.0.1:0"};
    for (int stage = 0; stage < 12; stage++) {
        open_world(urls[stage % 2]);
        struct caller *r = get(0, "/hang");
        for (int i = 0; i < stage / 2; i++)
            ev_run(w.ev, EVRUN_ONCE);
        call_cancel(&r->call, ERROR_CANCEL);
        assert_int_equal(r->call.state, CALL_DONE);
        expect(get(1, "/"), stage % 2 ? "HTTP/2 200\nwhole\n" : "HTTP/1.1 200\nwhole\n");
        close_world(stage % 4 < 2);
        assert_false(r->done);
    }
}

static void End_UnderWay_CallsTold(void **state)
{
    (void)state;
    for (int pool_first = 0; pool_first < 2; pool_first++) {
        open_world("http://127.0.0.1:0");
        w.limits.max_conns = 1;
        get(0, "/hang");
        while (echo.requests == 0)
            turn();
        get(1, "/"); /* waits for the connection */
        run_for(0.02);
        close_world(pool_first);
        assert_string_equal(w.callers[0].notes, "lost: shutdown\n");
        assert_true(w.callers[1].done);
    }
}

static void Drain_CallsGoOn_AndKeepNoLoopAlive(void **state)
{
    (void)state;
    open_world("http://127.0.0.1:0");
    struct caller *r = prepare(0, "POST", "/");
    assert_int_equal(call_flush(&r->call), RC_OK);
    go(r);
    while (echo.requests == 0)
        turn();
    stop_listening();
    loop_shut_down(&w.loop);
    run_for(0.05);
    r->unsent = 10;
    r->streams = true;
    expect(r, "HTTP/1.1 200\nwhole\n");
    ev_run(w.ev, 0); /* ends by itself */
    close_world(false);
}

static void Reset_ByServer_CodeTold(void **state)
{
    (void)state;
    open_world("https://127.0.0.1:0");
    struct caller *r = get(0, "/reset");
    expect(r, "reset: ENHANCE_YOUR_CALM\n");
    assert_int_equal(r->call.reset_code, ERROR_ENHANCE_YOUR_CALM);
    close_world(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Call_Http1_EchoedAndReused),
        checked(Call_Http2PriorKnowledge_EchoedAndReused),
        checked(Call_TlsByAlpn_Http2),
        checked(Call_TlsForcedHttp1_Http1),
        checked(Calls_ManyOfHttp1_NoMoreConnectionsThanAllowed),
        checked(Calls_ManyOfHttp2_ShareConnections),
        checked(Calls_TooManyWait_Refused),
        checked(Unreachable_NobodyListens_AllWaitingTold),
        checked(Unreachable_UnknownName_Told),
        checked(Unreachable_CertificateNobodySigned_Told),
        checked(Certificate_InTheStore_OnlyForItsNames),
        checked(Unreachable_NoSocketFile_Told),
        checked(Lost_OnAReusedConnection_MadeAgainWhereItMay),
        checked(Lost_NotIdempotent_Told),
        checked(Lost_Twice_Told),
        checked(Lost_OnANewConnection_Told),
        checked(Timeout_Response_Told),
        checked(Timeout_Idle_Told),
        checked(Timeout_WhatTheOwnerTakes_DoesNotCount),
        checked(Timeout_NoConnectionGetsFree_Told),
        checked(Idle_ForTooLong_Closed),
        checked(Cancel_AtEachStage_NothingIsLeft),
        checked(End_UnderWay_CallsTold),
        checked(Drain_CallsGoOn_AndKeepNoLoopAlive),
        checked(Reset_ByServer_CodeTold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "wire.h"

#include "peer.h"

#include "core/log.h"
#include "h1/server.h"
#include "http/exchange.h"
#include "http/handler.h"
#include "lua/scripts/bridge.h"

#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TURNS_MAX = 200000, ROOM = 16384 };

static const struct vm_options vm_options = {.body_limit = 1 << 20, .load_timeout = 1};

static struct wire wire;
static uint64_t blocks_at_start;

static const struct peer peer = {.remote = "127.0.0.1:51234", .conn = 7};

/* Turns. */

static void on_dirty(struct session_host *host)
{
    container_of(host, struct wire, host)->dirty = true;
}

static void on_alarm(struct session_host *host, double seconds)
{
    container_of(host, struct wire, host)->alarm = seconds;
}

void wire_collect(struct wire *w)
{
    const uint8_t *bytes;
    ssize_t n = 0;
    while (w->client && (n = nghttp2_session_mem_send(w->client, &bytes)) > 0)
        text_add(&w->up, bytes, (size_t)n);
    assert_int_equal(n, 0);
}

/* Delivers what the client has sent. The bytes get a block of their own, so that it is seen when
 * one is read that was not delivered. */
bool wire_deliver(struct wire *w)
{
    wire_collect(w);
    if (w->session && !w->session->ops->wants_input(w->session))
        return false;
    size_t n = w->up.n < w->grain ? w->up.n : w->grain;
    if (n == 0)
        return false;
    uint8_t *bytes = malloc(n);
    memcpy(bytes, w->up.p, n);
    text_drop(&w->up, n);
    if (w->session && !w->refused)
        w->refused = w->session->ops->recv(w->session, bytes, n);
    free(bytes);
    return true;
}

static void receive(struct wire *w, const uint8_t *bytes, size_t n)
{
    if (w->client)
        assert_int_equal(nghttp2_session_mem_recv(w->client, bytes, n), n);
    else
        text_add(&w->down, bytes, n);
}

static void send_down(struct wire *w)
{
    uint8_t bytes[ROOM];
    size_t room = w->grain < ROOM ? w->grain : ROOM, n;
    w->dirty = false;
    while ((n = w->session->ops->fill(w->session, bytes, room)) > 0)
        receive(w, bytes, n);
    w->session->ops->reap(w->session);
    if (w->refused || w->session->ops->is_over(w->session))
        wire_drop(w, cut_of(CUT_LOST));
}

bool wire_turn(struct wire *w)
{
    bool moved = wire_deliver(w);
    bool more = parts_run(&w->parts);
    more |= peer_sockets_run(w->sockets);
    bool sends = w->dirty && w->session && !w->stuck;
    if (sends)
        send_down(w);
    return moved || more || sends;
}

/* Lets the time of the session's alarm pass; false where none is set. */
static bool ring(struct wire *w)
{
    if (!w->session || w->alarm <= 0)
        return false;
    usleep((useconds_t)(w->alarm * 1e6));
    w->alarm = 0;
    w->session->ops->on_alarm(w->session);
    return true;
}

void wire_settle(struct wire *w)
{
    for (int i = 0; i < TURNS_MAX; i++)
        if (!wire_turn(w) && !ring(w))
            return;
    stage_fail("no end after %d turns", TURNS_MAX);
}

void wire_wait(struct wire *w)
{
    wire_settle(w);
    ev_run(w->ev, EVRUN_ONCE);
    wire_settle(w);
}

void wire_drop(struct wire *w, struct cut cut)
{
    w->cut = w->session->cut;
    w->session->ops->free(w->session, cut);
    w->session = NULL;
}

/* Assertions. */

/* The start of the line that differs first. */
static size_t first_difference(const char *a, const char *b)
{
    size_t line = 0;
    for (size_t i = 0; a[i] && a[i] == b[i]; i++)
        if (a[i] == '\n')
            line = i + 1;
    return line;
}

void wire_compare(const char *what, const char *expected, const struct text *actual)
{
    const char *got = text_of(actual);
    if (strcmp(expected, got) == 0)
        return;
    size_t at = first_difference(expected, got);
    stage_fail("%s differ.\n--- expected\n%.*s>>> %s--- actual\n%.*s>>> %s---", what, (int)at,
        expected, expected + at, (int)at, got, got + at);
}

void wire_expect(struct wire *w, const char *lines)
{
    wire_settle(w);
    frames_flush(&w->frames);
    wire_compare("frames", lines, &w->frames.lines);
    text_clear(&w->frames.lines);
}

/* Keeps a text where it is freed even if the test fails. */
static void take(struct wire *w, struct text t)
{
    text_clear(&w->taken);
    w->taken = t;
}

void wire_expect_notes(struct wire *w, const char *lines)
{
    wire_settle(w);
    take(w, stage_take_notes());
    wire_compare("notes", lines, &w->taken);
}

void wire_expect_log(struct wire *w, const char *part)
{
    wire_settle(w);
    take(w, stage_take_log());
    if (!strstr(text_of(&w->taken), part))
        stage_fail("the log has no\n  %s\nbut\n%s", part, text_of(&w->taken));
}

void wire_expect_body(struct wire *w, int32_t stream, char byte, size_t n)
{
    wire_settle(w);
    const struct text *body = frames_body(&w->frames, stream);
    assert_int_equal(body->n, n);
    for (size_t i = 0; i < n; i++)
        if (body->p[i] != byte)
            stage_fail("byte %zu is '%c'", i, body->p[i]);
    text_clear(&w->frames.lines);
}

void wire_expect_tasks(struct wire *w, int tasks, int waits)
{
    wire_settle(w);
    assert_int_equal(live.tasks, tasks);
    assert_int_equal(live.waits, waits);
}

void wire_expect_unloadable(const char *script, const char *part)
{
    char why[SCRIPT_WHY];
    struct bridge *b;
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    stage_write("handler.lua", script);
    enum rc rc = bridge_new(ev, stage_path("handler.lua"), &vm_options, &b, why);
    ev_loop_destroy(ev);
    assert_int_equal(rc, RC_INVALID);
    if (!strstr(why, part) || strchr(why, '\n'))
        stage_fail("expected a line with\n  %s\nbut it is\n  %s", part, why);
}

void wire_reload(struct wire *w, const char *script)
{
    char why[SCRIPT_WHY];
    stage_write("handler.lua", script);
    if (!parts_reload(&w->parts, why, sizeof why))
        stage_fail("%s", why);
}

/* Opening. */

struct wire_limits wire_limits(void)
{
    return (struct wire_limits){http_limits_default, h2_limits_default};
}

static void load_bridge(struct wire *w, const struct wire_options *o)
{
    char why[SCRIPT_WHY];
    struct text script = {0};
    if (o->handler)
        text_print(&script, "return function(ctx) %s\nend", o->handler);
    else if (o->script)
        text_print(&script, "%s", o->script);
    if (!o->folder)
        stage_write("handler.lua", text_of(&script));
    text_clear(&script);
    struct vm_options options = vm_options;
    options.dev = o->dev;
    options.max_memory = o->max_memory;
    options.max_generations = o->max_generations;
    options.connector = o->connector;
    options.programs = &w->programs;
    options.sockets = w->sockets;
    if (bridge_new(w->ev, stage_path(o->folder ? "" : "handler.lua"), &options, &w->bridge, why))
        stage_fail("%s", why);
    dispatch_add(&w->dispatch, bridge_handler(w->bridge));
    dispatch_add(&w->dispatch, bridge_missing(w->bridge));
    parts_add(&w->parts, bridge_part(w->bridge));
}

static void open_client(struct wire *w, int32_t window)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    assert_int_equal(nghttp2_option_new(&option), 0);
    frames_callbacks(callbacks);
    nghttp2_option_set_no_auto_window_update(option, window != 0);
    nghttp2_option_set_max_send_header_block_length(option, 1 << 20);
    assert_int_equal(nghttp2_session_client_new2(&w->client, callbacks, &w->frames, option), 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
}

/* The connection's window is out of the way where the stream's is what the test is about. */
static void submit_settings(struct wire *w, int32_t window)
{
    nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)window};
    size_t count = window ? 1 : 0;
    assert_int_equal(nghttp2_submit_settings(w->client, NGHTTP2_FLAG_NONE, &entry, count), 0);
    if (window)
        wire_credit(w, 0, 1 << 30);
}

static void greet(struct wire *w, int32_t window)
{
    submit_settings(w, window);
    wire_settle(w);
    text_clear(&w->frames.lines);
}

struct wire *wire_open(const struct wire_options *o)
{
    struct wire *w = &wire;
    w->grain = o->grain ? o->grain : SIZE_MAX;
    w->ev = ev_loop_new(EVFLAG_AUTO);
    programs_init(&w->programs, w->ev);
    w->sockets = peer_sockets_new(w->ev);
    dispatch_init(&w->dispatch);
    if (o->filters)
        dispatch_add_filters(&w->dispatch, o->filters);
    if (o->plugged)
        dispatch_add(&w->dispatch, o->plugged);
    else
        load_bridge(w, o);
    w->host = (struct session_host){
        .dirty = on_dirty, .alarm = on_alarm, .handler = &w->dispatch.base, .peer = &peer};
    w->limits = o->limits ? *o->limits : wire_limits();
    if (o->http_1) {
        assert_int_equal(h1_server_new(&w->host, &w->limits.http, &w->session), RC_OK);
        return w;
    }
    assert_int_equal(h2_server_new(&w->host, &w->limits.http, &w->limits.h2, &w->session), RC_OK);
    open_client(w, o->window);
    if (!o->bare)
        greet(w, o->window);
    return w;
}

struct wire *wire_handler(const char *body)
{
    return wire_open(&(struct wire_options){.handler = body});
}

struct wire *wire_script(const char *script)
{
    return wire_open(&(struct wire_options){.script = script});
}

void wire_close(struct wire *w)
{
    if (w->session)
        wire_drop(w, cut_of(CUT_LOST));
    if (w->bridge)
        bridge_free(w->bridge);
    if (w->ev)
        programs_fini(&w->programs);
    if (w->sockets)
        peer_sockets_free(w->sockets);
    if (w->client)
        nghttp2_session_del(w->client);
    if (w->ev)
        ev_loop_destroy(w->ev);
    for (size_t i = 0; i < WIRE_UPLOADS; i++) {
        text_clear(&w->uploads[i].body);
        text_clear(&w->uploads[i].trailers);
    }
    text_clear(&w->up);
    text_clear(&w->down);
    text_clear(&w->taken);
    frames_clear(&w->frames);
    *w = (struct wire){0};
}

/* Around each test. */

int wire_test_start(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    log_configure(LOG_DEBUG, LOG_TEXT);
    stage_open();
    wire = (struct wire){0};
    live = (struct live){0};
    blocks_at_start = mem_stats()->blocks;
    return 0;
}

/* Closes the stage; whether the log has nothing bad in it. */
static bool close_stage(void)
{
    struct text log = stage_take_log();
    bool quiet = !strstr(text_of(&log), " error ") && !strstr(text_of(&log), " warn ");
    stage_close();
    if (!quiet)
        print_error("logged, and not asked for:\n%s", text_of(&log));
    text_clear(&log);
    return quiet;
}

int wire_test_end(void **state)
{
    (void)state;
    mem_fail_at(0, 0);
    wire_close(&wire);
    bool quiet = close_stage();
    assert_true(quiet);
    assert_int_equal(live.conns, 0);
    assert_int_equal(live.exchanges, 0);
    assert_int_equal(live.calls, 0);
    assert_int_equal(live.tasks, 0);
    assert_int_equal(live.waits, 0);
    assert_int_equal(live.programs, 0);
    assert_int_equal(live.sockets, 0);
    assert_int_equal(mem_stats()->blocks, blocks_at_start);
    return 0;
}

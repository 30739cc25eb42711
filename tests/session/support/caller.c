#include "caller.h"

#include "h1/client.h"
#include "h2/client.h"
#include "http/exchange.h"

#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROOM = 16384 };

static struct caller caller;
static const struct peer peer = {.remote = "127.0.0.1:80", .conn = 7};

/* The host. */

static void nothing(struct session_host *host)
{
    (void)host;
}

static void on_alarm(struct session_host *host, double seconds)
{
    container_of(host, struct caller, host)->alarm = seconds;
}

/* Calls. */

static struct caller_call *of(struct call *c)
{
    return container_of(c, struct caller_call, call);
}

/* Of what is long only the size. */
static void note_text(struct str text)
{
    enum { LONG = 200 };
    if (text.n > LONG)
        text_print(&caller.notes, "(%zu bytes)", text.n);
    else
        text_add_escaped(&caller.notes, text.p, text.n);
}

static void note_fields(const struct fields *f)
{
    for (size_t i = 0; i < f->count; i++) {
        text_print(&caller.notes, " %.*s=", (int)f->list[i].name.n, f->list[i].name.p);
        note_text(f->list[i].value);
    }
    text_print(&caller.notes, "\n");
}

/* Reads what there is. */
static void read_body(struct caller_call *cc)
{
    size_t n;
    const char *piece;
    while (!cc->unread && (piece = call_peek(&cc->call, &n)) && n) {
        text_add(&cc->body, piece, n);
        call_consume(&cc->call, n);
    }
}

static void note_body(struct caller_call *cc)
{
    if (cc->body.n) {
        text_print(&caller.notes, "%d body '", cc->number);
        note_text((struct str){cc->body.p, cc->body.n});
        text_print(&caller.notes, "'\n");
    }
    text_clear(&cc->body);
}

static void on_interim(struct call *c, int status, const struct fields *fields)
{
    text_print(&caller.notes, "%d interim %d", of(c)->number, status);
    note_fields(fields);
}

static void on_head(struct call *c)
{
    text_print(&caller.notes, "%d head %s %d", of(c)->number, c->protocol, c->status);
    note_fields(&c->fields);
}

static void on_readable(struct call *c)
{
    of(c)->changed = true;
}

static void on_writable(struct call *c)
{
    (void)c;
}

static void on_done(struct call *c, enum call_end end, const char *why)
{
    static const char *const ends[] = {"whole", "unreachable", "refused", "reset", "lost",
        "no HTTP", "too large", "timed out", "no connection in time", "crowded"};
    struct caller_call *cc = of(c);
    read_body(cc);
    note_body(cc);
    if (c->trailers.count) {
        text_print(&caller.notes, "%d trailers", cc->number);
        note_fields(&c->trailers);
    }
    text_print(&caller.notes, "%d done %s%s%s\n", cc->number, ends[end], *why ? ": " : "", why);
    if (caller.frees) {
        cc->begun = false;
        call_fini(c);
        ASAN_POISON_MEMORY_REGION(c, sizeof *c);
    }
}

static const struct call_ops ops = {on_interim, on_head, on_readable, on_writable, on_done};

struct call *caller_aim(struct caller *c, int number, const char *method, const char *target)
{
    struct caller_call *cc = &c->calls[number];
    if (cc->begun)
        call_fini(&cc->call);
    ASAN_UNPOISON_MEMORY_REGION(&cc->call, sizeof cc->call);
    *cc = (struct caller_call){.number = number, .begun = true};
    call_init(&cc->call, &ops);
    assert_int_equal(
        call_aim(&cc->call, str_of(method), STR("http"), STR("test.example"), str_of(target)),
        RC_OK);
    return &cc->call;
}

void caller_begin(struct caller *c, int number)
{
    assert_int_equal(c->session->client->begin(c->session, &c->calls[number].call), RC_OK);
}

struct call *caller_get(struct caller *c, int number, const char *target)
{
    struct call *call = caller_aim(c, number, "GET", target);
    assert_int_equal(call_finish(call), RC_OK);
    caller_begin(c, number);
    return call;
}

void caller_write(struct caller *c, int number, const char *body)
{
    size_t taken;
    assert_int_equal(call_write(&c->calls[number].call, body, strlen(body), &taken), RC_OK);
    assert_int_equal(taken, strlen(body));
}

void caller_finish(struct caller *c, int number)
{
    assert_int_equal(call_finish(&c->calls[number].call), RC_OK);
}

/* Turns. */

void caller_drop(struct caller *c)
{
    struct session *s = c->session;
    c->session = NULL;
    if (s)
        s->ops->free(s, cut_of(CUT_LOST));
}

static void take(struct caller *c, const uint8_t *bytes, size_t n)
{
    if (c->peer)
        assert_int_equal(nghttp2_session_mem_recv(c->peer, bytes, n), n);
    else
        text_add(&c->sent, bytes, n);
}

static void turn(struct caller *c)
{
    uint8_t bytes[ROOM];
    size_t n;
    for (int i = 0; i < CALLER_CALLS; i++)
        if (c->calls[i].begun)
            read_body(&c->calls[i]);
    if (!c->session)
        return;
    while ((n = c->session->ops->fill(c->session, bytes, c->grain < ROOM ? c->grain : ROOM)) > 0)
        take(c, bytes, n);
    c->session->ops->reap(c->session);
    if (c->refused || c->session->ops->is_over(c->session))
        caller_drop(c);
}

void caller_wait_alarm(struct caller *c)
{
    caller_settle(c);
    assert_true(c->alarm > 0);
    usleep((useconds_t)(c->alarm * 1e6));
}

void caller_ring(struct caller *c)
{
    assert_non_null(c->session);
    c->alarm = 0;
    c->session->ops->on_alarm(c->session);
    caller_settle(c);
}

void caller_settle(struct caller *c)
{
    for (int i = 0; i < 4; i++)
        turn(c);
    for (int i = 0; i < CALLER_CALLS; i++) {
        struct caller_call *cc = &c->calls[i];
        if (cc->begun && cc->changed && cc->call.state == CALL_HELD) {
            note_body(cc);
            if (cc->call.ended)
                text_print(&c->notes, "%d ended\n", i);
        }
        cc->changed = false;
    }
}

/* Each piece gets a block of its own, so that it is seen when a byte is read that was not there. */
void caller_raw(struct caller *c, const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n && c->session && !c->refused) {
        size_t piece = n < c->grain ? n : c->grain;
        uint8_t *block = malloc(piece);
        memcpy(block, at, piece);
        c->refused = c->session->ops->recv(c->session, block, piece);
        free(block);
        at += piece;
        n -= piece;
        if (c->grain != SIZE_MAX || c->refused)
            turn(c);
    }
}

void caller_say(struct caller *c, const char *lines)
{
    struct text t = {0};
    for (const char *at = lines; *at;) {
        const char *end = strchrnul(at, '\n');
        text_add(&t, at, (size_t)(end - at));
        text_add(&t, "\r\n", *end ? 2 : 0);
        at = *end ? end + 1 : end;
    }
    caller_raw(c, text_of(&t), t.n);
    text_clear(&t);
}

void caller_frame(
    struct caller *c, uint8_t type, uint8_t flags, int32_t stream, const void *payload, size_t n)
{
    const uint8_t header[9] = {(uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, type, flags,
        (uint8_t)(stream >> 24), (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};
    struct text t = {0};
    text_add(&t, header, sizeof header);
    text_add(&t, payload, n);
    caller_raw(c, t.p, t.n);
    text_clear(&t);
}

void caller_settings(struct caller *c, const nghttp2_settings_entry *entries, size_t count)
{
    const uint8_t *bytes;
    ssize_t n;
    assert_int_equal(nghttp2_submit_settings(c->peer, NGHTTP2_FLAG_NONE, entries, count), 0);
    while ((n = nghttp2_session_mem_send(c->peer, &bytes)) > 0)
        caller_raw(c, bytes, (size_t)n);
    assert_int_equal(n, 0);
    caller_settle(c);
}

/* A literal without indexing, of up to 126 bytes each (RFC 7541 6.2.2). */
static void add_field(struct text *block, const char *name, size_t n, const char *value, size_t v)
{
    const char lengths[2] = {(char)n, (char)v};
    text_add(block, "", 1);
    text_add(block, &lengths[0], 1);
    text_add(block, name, n);
    text_add(block, &lengths[1], 1);
    text_add(block, value, v);
}

void caller_headers(struct caller *c, int32_t stream, uint8_t flags, const char *fields)
{
    struct text block = {0};
    for (const char *at = fields; *at;) {
        const char *end = strchr(at, '\n'), *colon = strstr(at + 1, ": ");
        add_field(&block, at, (size_t)(colon - at), colon + 2, (size_t)(end - colon - 2));
        at = end + 1;
    }
    caller_frame(c, NGHTTP2_HEADERS, flags | NGHTTP2_FLAG_END_HEADERS, stream, block.p, block.n);
    text_clear(&block);
}

void caller_data(struct caller *c, int32_t stream, uint8_t flags, const char *body)
{
    caller_frame(c, NGHTTP2_DATA, flags, stream, body, strlen(body));
}

void caller_end_input(struct caller *c)
{
    if (c->session && !c->session->ops->end_input(c->session))
        c->refused = RC_CLOSED;
    caller_settle(c);
}

/* Assertions. */

void caller_expect_sent(struct caller *c, const char *lines)
{
    struct text shown = {0};
    caller_settle(c);
    for (size_t i = 0; i < c->sent.n; i++)
        if (c->sent.p[i] != '\r' || i + 1 == c->sent.n || c->sent.p[i + 1] != '\n')
            text_add(&shown, c->sent.p + i, 1);
    text_clear(&c->sent);
    c->sent = shown;
    wire_compare("bytes", lines, &c->sent);
    text_clear(&c->sent);
}

void caller_expect_frames(struct caller *c, const char *lines)
{
    caller_settle(c);
    frames_flush(&c->frames);
    wire_compare("frames", lines, &c->frames.lines);
    text_clear(&c->frames.lines);
}

void caller_expect(struct caller *c, const char *notes)
{
    caller_settle(c);
    wire_compare("notes", notes, &c->notes);
    text_clear(&c->notes);
}

void caller_expect_room(struct caller *c, uint32_t room)
{
    caller_settle(c);
    assert_int_equal(c->session ? c->session->client->room(c->session) : 0, room);
}

/* Opening. */

static struct caller *open_caller(size_t grain)
{
    caller.grain = grain ? grain : SIZE_MAX;
    caller.http = http_limits_default;
    caller.h2 = h2_limits_default;
    caller.host = (struct session_host){
        .dirty = nothing, .alarm = on_alarm, .changed = nothing, .peer = &peer};
    return &caller;
}

struct caller *caller_open_1(size_t grain)
{
    struct caller *c = open_caller(grain);
    assert_int_equal(h1_client_new(&c->host, &c->http, &c->session), RC_OK);
    return c;
}

struct caller *caller_open_2(size_t grain)
{
    struct caller *c = open_caller(grain);
    nghttp2_session_callbacks *callbacks;
    assert_int_equal(h2_client_new(&c->host, &c->http, &c->h2, &c->session), RC_OK);
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    frames_callbacks(callbacks);
    assert_int_equal(nghttp2_session_server_new(&c->peer, callbacks, &c->frames), 0);
    nghttp2_session_callbacks_del(callbacks);
    caller_settings(c, NULL, 0);
    text_clear(&c->frames.lines);
    return c;
}

void caller_close(struct caller *c)
{
    caller_drop(c);
    for (int i = 0; i < CALLER_CALLS; i++) {
        if (c->calls[i].begun)
            call_fini(&c->calls[i].call);
        ASAN_UNPOISON_MEMORY_REGION(&c->calls[i].call, sizeof c->calls[i].call);
        text_clear(&c->calls[i].body);
    }
    if (c->peer)
        nghttp2_session_del(c->peer);
    frames_clear(&c->frames);
    text_clear(&c->sent);
    text_clear(&c->notes);
    *c = (struct caller){0};
}

int caller_test_end(void **state)
{
    caller_close(&caller);
    return wire_test_end(state);
}

#include "other.h"

#include "core/list.h"
#include "proxy/origin.h"

#include <stdio.h>
#include <string.h>

enum { BODY_MAX = 65536 };

static struct other {
    struct call *call; /* NULL once it is let go of */
    struct call_options options;
    struct text seen;
    bool cancelled;
    uint32_t code;
} others[OTHER_CALLS];

static int count;
static bool serves; /* calls are answered in other_turn, and their places used again */
static const char *refusal;

/* The seam. */

static void on_dirty(struct call *c)
{
    (void)c;
}

static void on_consumed(struct call *c, size_t n)
{
    (void)c, (void)n;
}

static void on_cancelled(struct call *c, uint32_t code)
{
    struct other *o = c->held;
    o->call = NULL;
    o->cancelled = true;
    o->code = code;
}

static const struct call_host host = {"HTTP/1.1", on_dirty, on_consumed, on_cancelled};

/* The place for a call; NULL where there is none. */
static struct other *find_place(void)
{
    if (!serves)
        return count < OTHER_CALLS ? &others[count++] : NULL;
    for (int i = 0; i < OTHER_CALLS; i++)
        if (!others[i].call)
            return &others[i];
    return NULL;
}

static enum rc refuse(enum rc rc, char why[CONNECTOR_WHY])
{
    snprintf(why, CONNECTOR_WHY, "%s", rc_text(rc));
    return rc;
}

static enum rc begin(struct connector *k, struct call *c, const struct connector_order *order,
    char why[CONNECTOR_WHY])
{
    struct origin origin;
    struct str target;
    (void)k;
    if (refusal) {
        snprintf(why, CONNECTOR_WHY, "%s", refusal);
        return RC_LIMIT;
    }
    if (origin_parse(order->url, &origin, &target, why))
        return RC_INVALID;
    struct str authority = order->authority.p ? order->authority : str_of(origin.authority);
    if (order->target.p)
        target = order->target;
    else if (!target.n)
        target = STR("/");
    enum rc rc = call_aim(c, order->method, origin_http_scheme(&origin), authority, target);
    struct other *o = rc ? NULL : find_place();
    if (!o)
        return refuse(rc ? rc : RC_LIMIT, why);
    o->call = c;
    o->options = order->options;
    call_hold(c, &host, o, BODY_MAX);
    return RC_OK;
}

static const struct connector_ops ops = {begin};
static struct connector connector = {&ops};

static void start(bool serve)
{
    for (int i = 0; i < OTHER_CALLS; i++)
        text_clear(&others[i].seen);
    memset(others, 0, sizeof others);
    count = 0;
    serves = serve;
    refusal = NULL;
}

struct wire *other_open(const char *handler)
{
    start(false);
    return wire_open(&(struct wire_options){.handler = handler, .connector = &connector});
}

struct wire *other_open_served(const char *script)
{
    start(true);
    return wire_open(&(struct wire_options){.script = script, .connector = &connector});
}

void other_refuse(const char *why)
{
    refusal = why;
}

const struct call_options *other_options(int call)
{
    return &others[call].options;
}

/* The request. */

static void end(struct other *o, enum call_end how, const char *why)
{
    struct call *c = o->call;
    o->call = NULL;
    call_end(c, how, why);
}

static void end_if_complete(struct other *o)
{
    if (call_is_complete(o->call))
        end(o, CALL_WHOLE, "");
}

static void print_fields(struct text *t, const struct fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        const struct field *f = &fields->list[i];
        if (str_eq(f->name, STR("user-agent")) || str_eq(f->name, STR("te")))
            continue;
        text_print(t, "%.*s: %.*s\n", (int)f->name.n, f->name.p, (int)f->value.n, f->value.p);
    }
}

static void print_head(struct other *o)
{
    const struct call *c = o->call;
    text_print(&o->seen, "%.*s %.*s://%.*s%.*s\n", (int)c->method.n, c->method.p, (int)c->scheme.n,
        c->scheme.p, (int)c->authority.n, c->authority.p, (int)c->target.n, c->target.p);
    print_fields(&o->seen, &c->request.head);
    text_print(&o->seen, "\n");
}

/* Whether there was memory for it. */
static bool take_head(struct other *o)
{
    if (call_take_head(o->call)) {
        end(o, CALL_LOST, "not enough memory");
        return false;
    }
    print_head(o);
    return true;
}

static void take_body(struct other *o)
{
    size_t n;
    const char *piece = bytes_front(&o->call->request.body, &n);
    text_add(&o->seen, piece, n);
    bytes_drop(&o->call->request.body, n);
    call_progress(o->call);
}

static void take_end(struct other *o)
{
    text_print(&o->seen, "|");
    print_fields(&o->seen, &o->call->request.trailers);
    o->call->request.state = OUTGOING_SENT;
    end_if_complete(o);
}

/* Takes the next step of a request; false where there is none. */
static bool take_step(struct other *o)
{
    if (!o->call)
        return false;
    switch (outgoing_next(&o->call->request)) {
    case OUTGOING_NOTHING:
    case OUTGOING_FAILED:
        return false;
    case OUTGOING_HEAD:
        return take_head(o);
    case OUTGOING_HEAD_END:
        if (take_head(o))
            take_end(o);
        return true;
    case OUTGOING_BODY:
        take_body(o);
        return true;
    case OUTGOING_TRAILERS:
    case OUTGOING_END:
        take_end(o);
        return true;
    }
    return false;
}

static void settle(struct wire *w, struct other *o)
{
    do
        wire_settle(w);
    while (take_step(o));
}

void other_expect(struct wire *w, int call, const char *text)
{
    struct other *o = &others[call];
    settle(w, o);
    text_clear(&w->taken);
    w->taken = o->seen;
    o->seen = (struct text){0};
    wire_compare("requests", text, &w->taken);
}

size_t other_take(struct wire *w, int call)
{
    settle(w, &others[call]);
    size_t n = others[call].seen.n;
    text_clear(&others[call].seen);
    return n;
}

void other_expect_none(struct wire *w)
{
    wire_settle(w);
    assert_int_equal(count, 0);
}

void other_expect_cancelled(struct wire *w, int call, uint32_t code)
{
    wire_settle(w);
    assert_true(others[call].cancelled);
    assert_int_equal(others[call].code, code);
}

void other_expect_held(struct wire *w, int call)
{
    wire_settle(w);
    assert_non_null(others[call].call);
}

/* The response. */

static struct call *held(struct wire *w, int call)
{
    wire_settle(w);
    assert_non_null(others[call].call);
    return others[call].call;
}

/* Adds "name: value\n" for each. */
static void add_fields(struct call *c, struct fields *fields, const char *lines)
{
    while (*lines) {
        const char *colon = strchr(lines, ':'), *end = strchr(lines, '\n');
        struct str name = {lines, (size_t)(colon - lines)};
        struct str value = {colon + 2, (size_t)(end - colon) - 2};
        assert_int_equal(fields_copy(fields, &c->arena, name, value), RC_OK);
        lines = end + 1;
    }
}

void other_head(struct wire *w, int call, int status, const char *fields)
{
    struct call *c = held(w, call);
    add_fields(c, &c->fields, fields);
    assert_int_equal(call_receive_head(c, "HTTP/2", status), RC_OK);
}

void other_body(struct wire *w, int call, const char *data, size_t n)
{
    assert_int_equal(call_receive(held(w, call), data, n), RC_OK);
}

void other_end(struct wire *w, int call, const char *trailers)
{
    struct call *c = held(w, call);
    add_fields(c, &c->trailers, trailers);
    call_receive_end(c);
    end_if_complete(&others[call]);
}

void other_done(struct wire *w, int call, enum call_end how, const char *why)
{
    held(w, call);
    end(&others[call], how, why);
}

void other_answer(struct wire *w, int call, int status, const char *body)
{
    settle(w, &others[call]);
    struct call *c = held(w, call);
    assert_int_equal(call_receive_head(c, "HTTP/2", status), RC_OK);
    assert_int_equal(call_receive(c, body, strlen(body)), RC_OK);
    call_receive_end(c);
    end_if_complete(&others[call]);
}

/* The whole answer, where there is memory for it. */
static void serve(struct other *o)
{
    struct call *c = o->call;
    enum rc rc = fields_copy(&c->fields, &c->arena, STR("x-a"), STR("1"));
    if (!rc)
        rc = fields_copy(&c->trailers, &c->arena, STR("x-t"), STR("2"));
    if (!rc) {
        assert_int_equal(call_receive_head(c, "HTTP/2", 200), RC_OK);
        rc = call_receive(c, "hello", 5);
    }
    if (rc) {
        end(o, CALL_LOST, "not enough memory");
        return;
    }
    call_receive_end(c);
    end_if_complete(o);
}

bool other_turn(void)
{
    bool moved = false;
    for (int i = 0; i < OTHER_CALLS; i++) {
        while (take_step(&others[i]))
            moved = true;
        text_clear(&others[i].seen);
        if (others[i].call && outgoing_over(&others[i].call->request)) {
            serve(&others[i]);
            moved = true;
        }
    }
    return moved;
}

#include "calls.h"

#include "cost.h"

#include "core/list.h"
#include "core/live.h"
#include "core/log.h"
#include "core/mem.h"
#include "http/call.h"
#include "http/code.h"
#include "http/exchange.h"

#include <stdlib.h>

enum { CALLS = 8, TURN_OUT = 1 << 16 };

/* What the first byte asks for. */
enum {
    POSTS = 1,      /* requests have bodies */
    HEADS = 2,      /* or their method is HEAD */
    LAZY = 4,       /* responses are not read while a call is under way */
    CANCELS = 8,    /* a call is cancelled once its head is here */
    OPEN_ENDED = 16 /* requests do not end before their responses */
};

static struct {
    struct call calls[CALLS];
    size_t begun;
    uint8_t manner;
} f;

static void on_interim(struct call *c, int status, const struct fields *fields)
{
    if (c->state != CALL_HELD || status < 100 || status > 199 || fields != &c->fields)
        abort();
}

static void nothing(struct call *c)
{
    if (c->state != CALL_HELD)
        abort();
}

static void on_done(struct call *c, enum call_end end, const char *why)
{
    if (c->state != CALL_DONE || !why || (end == CALL_WHOLE && (!c->ended || c->status < 200)))
        abort();
}

static const struct call_ops ops = {on_interim, nothing, nothing, nothing, on_done};

static void begin_one(struct session *s)
{
    struct call *c = &f.calls[f.begun];
    size_t taken;
    struct str method = f.manner & HEADS   ? STR("HEAD")
                        : f.manner & POSTS ? STR("POST")
                                           : STR("GET");
    call_init(c, &ops);
    if (call_aim(c, method, STR("http"), STR("a"), STR("/")))
        abort();
    if (f.manner & POSTS && call_write(c, "body", 4, &taken))
        abort();
    if (f.manner & OPEN_ENDED ? call_flush(c) : call_finish(c))
        abort();
    if (s->client->begin(s, c))
        abort();
    f.begun++;
}

static void read_and_cancel(struct call *c)
{
    size_t n;
    while (!(f.manner & LAZY && c->state == CALL_HELD) && call_peek(c, &n) && n)
        call_consume(c, n);
    if (f.manner & CANCELS && c->status)
        call_cancel(c, ERROR_CANCEL);
    if (f.manner & OPEN_ENDED && c->ended && call_sending(c) &&
        c->request.state == OUTGOING_STARTED && call_finish(c))
        abort();
}

static void turn(struct session *s)
{
    static uint8_t out[TURN_OUT];
    for (size_t i = 0; i < f.begun; i++)
        read_and_cancel(&f.calls[i]);
    while (f.begun < CALLS && s->client->room(s))
        begin_one(s);
    cost_resume();
    s->ops->fill(s, out, sizeof out);
    cost_pause();
    s->ops->sweep(s, 1);
    s->ops->reap(s);
}

static void feed(struct session *s, const uint8_t *data, size_t size)
{
    enum rc rc = RC_OK;
    turn(s);
    while (!rc && size && !s->ops->is_over(s)) {
        size_t piece = 1 + (size_t)*data++ * 4;
        size--;
        piece = piece < size ? piece : size;
        cost_resume();
        if (s->ops->wants_input(s))
            rc = s->ops->recv(s, data, piece);
        cost_pause();
        data += piece;
        size -= piece;
        turn(s);
    }
    s->ops->end_input(s);
    turn(s);
}

static void quiet(struct session_host *host)
{
    (void)host;
}

static void no_alarm(struct session_host *host, double seconds)
{
    (void)host, (void)seconds;
}

void fuzz_calls(enum rc (*open)(struct session_host *host, struct session **out), uint64_t each,
    const uint8_t *data, size_t size)
{
    const struct peer peer = {.remote = "127.0.0.1:80"};
    struct session_host host = {.dirty = quiet, .alarm = no_alarm, .changed = quiet, .peer = &peer};
    struct session *s;
    uint64_t blocks = mem_stats()->blocks;
    if (size == 0)
        return;
    log_configure(LOG_ERROR + 1, LOG_TEXT);
    f.begun = 0;
    f.manner = data[0];
    cost_begin();
    if (open(&host, &s))
        abort();
    feed(s, data + 1, size - 1);
    s->ops->free(s, cut_of(CUT_LOST));
    for (size_t i = 0; i < f.begun; i++) {
        if (f.calls[i].state != CALL_DONE)
            abort();
        call_fini(&f.calls[i]);
    }
    if (live.calls || mem_stats()->blocks != blocks)
        abort();
    cost_check(COST_FIXED, each, size);
}

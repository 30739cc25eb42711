#include "support.h"

#include "cost.h"

#include "core/live.h"
#include "core/log.h"
#include "core/mem.h"

#include <stdlib.h>

enum { TURN_OUT = 1 << 16 };

struct answer {
    struct list link;
    struct exchange *x;
};

static struct fuzz *fuzz_of(struct handler *h)
{
    return container_of(h, struct fuzz, handler);
}

static bool on_start(struct handler *h, struct exchange *x)
{
    struct answer *a = mem_get(sizeof *a);
    if (!a)
        abort();
    list_init(&a->link);
    a->x = x;
    x->instance = a;
    list_append(&fuzz_of(h)->waiting, &a->link);
    return true;
}

static void nothing(struct exchange *x)
{
    (void)x;
}

static void free_answer(struct answer *a)
{
    list_remove(&a->link);
    mem_put(a, sizeof *a);
}

static void on_abort(struct exchange *x, struct cut cut)
{
    (void)cut;
    free_answer(x->instance);
}

/* Echoes what has arrived; whether the answer is over. */
static bool echo(struct exchange *x)
{
    size_t n, taken = 0;
    const char *piece = exchange_peek(x, &n);
    if (n == 0) {
        exchange_want_body(x);
        return x->request.ended;
    }
    if (exchange_write(x, piece, n, &taken))
        return true;
    exchange_consume(x, taken);
    return false;
}

static void end(struct exchange *x)
{
    const struct field *f = fields_find(&x->request.fields, STR("x-trailer"));
    bool trailers = outgoing_supports_trailers(&x->response.out);
    if (f && trailers && outgoing_append_trailer(&x->response.out, f->name, f->value))
        exchange_reset(x, 2);
    else if (x->response.out.state < OUTGOING_FINISHED && exchange_finish(x))
        exchange_reset(x, 1);
    else
        exchange_detach(x);
}

static void work(struct answer *a)
{
    struct exchange *x = a->x;
    struct str path = x->request.path;
    char first = path.n > 1 ? path.p[1] : '\0';
    if (first != 'e' && !echo(x))
        return;
    free_answer(a);
    if (first == 'r')
        exchange_reset(x, 8);
    else
        end(x);
}

static bool on_run(struct part *p)
{
    struct list *list = &container_of(p, struct fuzz, part)->waiting;
    for (struct list *node = list->next, *next; node != list; node = next) {
        next = node->next;
        work(container_of(node, struct answer, link));
    }
    return false;
}

static const struct handler_ops ops = {
    .start = on_start,
    .on_readable = nothing,
    .on_writable = nothing,
    .on_abort = on_abort,
};

static const struct part_ops part_ops = {.run = on_run};

static void on_dirty(struct session_host *host)
{
    (void)host;
}

static void on_alarm(struct session_host *host, double seconds)
{
    (void)host, (void)seconds;
}

static void turn(struct fuzz *f)
{
    static uint8_t out[TURN_OUT];
    f->part.ops->run(&f->part);
    cost_resume();
    f->session->ops->fill(f->session, out, sizeof out);
    cost_pause();
    f->session->ops->sweep(f->session, 1);
    f->session->ops->reap(f->session);
}

/* One piece in 16 is fed though the session does not want it, as a connection may. */
static bool wanted(const struct fuzz *f, uint8_t length)
{
    return f->session->ops->wants_input(f->session) || length % 16 == 15;
}

void fuzz_feed(struct fuzz *f, const uint8_t *data, size_t size)
{
    enum rc rc = RC_OK;
    f->size = size;
    while (!rc && size && !f->session->ops->is_over(f->session)) {
        size_t piece = 1 + (size_t)data[0] * 4;
        bool take = wanted(f, data[0]);
        data++, size--;
        if (piece > size)
            piece = size;
        cost_resume();
        if (take)
            rc = f->session->ops->recv(f->session, data, piece);
        cost_pause();
        data += piece;
        size -= piece;
        turn(f);
        f->session->ops->on_alarm(f->session);
    }
    turn(f);
    f->session->ops->end_input(f->session);
    turn(f);
}

void fuzz_begin(struct fuzz *f)
{
    *f = (struct fuzz){
        .handler = {.ops = &ops}, .part = {.ops = &part_ops}, .blocks = mem_stats()->blocks};
    log_configure(LOG_ERROR + 1, LOG_TEXT);
    cost_begin();
    list_init(&f->waiting);
    f->host = (struct session_host){
        .dirty = on_dirty, .alarm = on_alarm, .handler = &f->handler, .peer = &f->peer};
}

void fuzz_end(struct fuzz *f, uint64_t each)
{
    f->session->ops->free(f->session, cut_of(CUT_LOST));
    if (live.exchanges || !list_empty(&f->waiting) || mem_stats()->blocks != f->blocks)
        abort();
    cost_check(COST_FIXED, each, f->size);
}

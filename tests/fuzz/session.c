/*
 * libFuzzer: what a client may send to a session. The input is cut into pieces by a length byte
 * each; after each piece the handler runs and the session's output is taken. A handler in C
 * answers: it echoes, with trailers, and does what the path asks for. Nothing may be alive in the
 * end.
 */
#include "h2/session.h"
#include "core/live.h"
#include "core/log.h"
#include "core/mem.h"
#include "http/exchange.h"
#include "http/handler.h"
#include "http/limits.h"
#include "http/session.h"

#include <stdlib.h>

enum { TURN_OUT = 1 << 16 };

static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct stage {
    struct handler handler;
    struct session_host host;
    struct peer peer;
    struct list waiting; /* struct answer */
    struct session *session;
};

struct answer {
    struct list link;
    struct exchange *x;
};

static struct stage *stage_of(struct handler *h)
{
    return container_of(h, struct stage, handler);
}

static void on_start(struct handler *h, struct exchange *x)
{
    struct answer *a = mem_get(sizeof *a);
    if (!a)
        abort();
    a->x = x;
    x->instance = a;
    list_append(&stage_of(h)->waiting, &a->link);
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

static void on_abort(struct exchange *x, const char *reason)
{
    (void)reason;
    free_answer(x->instance);
}

/* Echoes what has arrived; whether the answer is over. */
static bool echo(struct exchange *x)
{
    size_t n, taken = 0;
    const char *piece = exchange_peek(x, &n);
    if (n == 0)
        return x->request.ended;
    if (exchange_write(x, piece, n, &taken))
        return true;
    exchange_consume(x, taken);
    return false;
}

static void end(struct exchange *x)
{
    const struct field *f = fields_find(&x->request.fields, STR("x-trailer"));
    if (f && response_append_trailer(&x->response, f->name, f->value))
        exchange_reset(x, 2);
    else if (x->response.state < RESPONSE_FINISHED && exchange_finish(x))
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

static bool on_run(struct handler *h)
{
    struct list *list = &stage_of(h)->waiting;
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
    .run = on_run,
};

static void on_dirty(struct session_host *host)
{
    (void)host;
}

static void on_alarm(struct session_host *host, double seconds)
{
    (void)host, (void)seconds;
}

static void turn(struct stage *s)
{
    static uint8_t out[TURN_OUT];
    s->handler.ops->run(&s->handler);
    s->session->ops->fill(s->session, out, sizeof out);
    s->session->ops->on_alarm(s->session);
    s->session->ops->sweep(s->session, 1);
    s->session->ops->reap(s->session);
}

static void feed(struct stage *s, const uint8_t *data, size_t size)
{
    enum rc rc = s->session->ops->recv(s->session, preface, sizeof preface - 1);
    while (!rc && size && !s->session->ops->is_over(s->session)) {
        size_t piece = 1 + (size_t)data[0] * 4;
        data++, size--;
        if (piece > size)
            piece = size;
        rc = s->session->ops->recv(s->session, data, piece);
        data += piece;
        size -= piece;
        turn(s);
    }
    turn(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stage s = {.handler = {&ops}};
    uint64_t blocks = mem_stats()->blocks;
    log_configure(LOG_ERROR + 1, LOG_TEXT);
    list_init(&s.waiting);
    s.host = (struct session_host){on_dirty, on_alarm, &s.handler, &s.peer};
    if (h2_session_new(&s.host, &http_limits_default, &h2_limits_default, &s.session))
        abort();
    feed(&s, data, size);
    s.session->ops->free(s.session, "connection lost");
    if (live.exchanges || !list_empty(&s.waiting) || mem_stats()->blocks != blocks)
        abort();
    return 0;
}

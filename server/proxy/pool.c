#include "proxy/pool.h"

#include "core/clock.h"
#include "core/mem.h"
#include "net/tls.h"
#include "proxy/site.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const double sweep_seconds = 1;

const struct pool_limits pool_limits_default = {
    .max_conns = 512, .max_idle = 64, .max_waiting = 1024, .max_streams = 100, .idle_timeout = 50};

/* Tickets. */

static void leave_conn(struct ticket *t)
{
    struct pool_conn *pc = t->conn;
    t->conn = NULL;
    if (pc && --pc->calls == 0)
        pc->idle_since = clock_recent();
}

static void wait(struct ticket *t, bool first)
{
    struct site *s = t->site;
    list_append(first ? s->waiting.next : &s->waiting, &t->link);
    s->waits++;
    t->queued = clock_recent();
    if (t->connect_timeout > 0)
        timer_start(&t->timer, t->connect_timeout);
    site_dirty(s);
}

static void stop_waiting(struct ticket *t)
{
    if (!list_linked(&t->link))
        return;
    list_remove(&t->link);
    t->site->waits--;
}

static void free_ticket(struct ticket *t)
{
    leave_conn(t);
    stop_waiting(t);
    timer_stop(&t->timer);
    mem_put(t, sizeof *t);
}

void ticket_fail(struct ticket *t, enum call_end end, const char *why)
{
    struct call *c = t->call;
    loop_again(t->site->pool->loop);
    free_ticket(t);
    call_fail(c, end, why);
}

/* The limit that counts now, and since when; 0 for none. */
static double limit_of(const struct ticket *t, double *since)
{
    *since = t->conn ? t->call->progressed : t->queued;
    return !t->conn ? t->connect_timeout : t->call->status ? t->idle_timeout : t->response_timeout;
}

static void time_out(struct ticket *t)
{
    if (!t->conn)
        ticket_fail(t, CALL_CONNECT_TIMED_OUT, "connect-timeout");
    else
        ticket_fail(t, CALL_TIMED_OUT, t->call->status ? "idle-timeout" : "response-timeout");
}

/* A limit that comes into force meanwhile may be shorter than what is left. */
static double shortest(const struct ticket *t, double left)
{
    double idle = t->idle_timeout;
    return t->conn && idle > 0 && (left <= 0 || idle < left) ? idle : left;
}

static void set_timer(struct ticket *t, double left)
{
    left = shortest(t, left);
    if (left > 0)
        timer_start(&t->timer, left);
    else
        timer_stop(&t->timer);
}

/* What the owner keeps waiting does not count. */
static bool is_theirs(struct ticket *t)
{
    if (!t->conn || call_waits(t->call))
        return true;
    t->call->progressed = clock_recent();
    return false;
}

static void on_timer(struct timer *timer)
{
    struct ticket *t = container_of(timer, struct ticket, timer);
    bool theirs = is_theirs(t);
    double since, limit = limit_of(t, &since);
    double left = limit > 0 ? since + limit - clock_recent() : 0;
    if (theirs && limit > 0 && left <= 0)
        time_out(t);
    else
        set_timer(t, left);
}

/* Whether the timer that runs through the connect timeout is too late for what counts now; one that
 * fires early looks again. */
static bool fires_late(const struct ticket *t)
{
    double need = shortest(t, t->response_timeout);
    return need > 0 && (t->connect_timeout <= 0 || t->connect_timeout > need);
}

void ticket_taken(struct ticket *t, struct pool_conn *pc)
{
    stop_waiting(t);
    t->conn = pc;
    t->reused = pc->used;
    pc->site->pool->stats.reused += pc->used;
    pc->used = true;
    pc->calls++;
    if (fires_late(t))
        set_timer(t, t->response_timeout);
}

/* Whether a call that was lost may be made again: see pool.h. */
static bool may_repeat(const struct ticket *t, enum call_end end)
{
    if (t->again)
        return false;
    bool is_lost = end == CALL_LOST || end == CALL_PROTOCOL;
    return end == CALL_REFUSED || (is_lost && t->reused && call_is_idempotent(t->call));
}

static bool on_done(struct call *c, enum call_end end, const char *why)
{
    (void)why;
    struct ticket *t = c->ticket;
    struct pool *p = t->site->pool;
    if (!may_repeat(t, end) || call_rewind(c)) {
        free_ticket(t);
        return false;
    }
    leave_conn(t);
    t->again = true;
    p->stats.retried++;
    wait(t, true);
    return true;
}

static void on_cancel(struct call *c)
{
    free_ticket(c->ticket);
}

static const struct call_agent agent = {
    .on_done = on_done,
    .on_cancel = on_cancel,
};

enum rc pool_call(
    struct pool *p, const struct origin *origin, const struct call_options *options, struct call *c)
{
    assert(c->state == CALL_IDLE && c->method.n);
    struct site *s = site_of(p, origin, options);
    if (s && p->limits->max_waiting && s->waits >= p->limits->max_waiting)
        return RC_LIMIT;
    struct ticket *t = s ? mem_get_zeroed(sizeof *t) : NULL;
    if (!t)
        return RC_NOMEM;
    t->call = c;
    t->site = s;
    t->connect_timeout = options->connect_timeout;
    t->response_timeout = options->response_timeout;
    t->idle_timeout = options->idle_timeout;
    timer_init(&t->timer, p->loop->ev, on_timer);
    call_engage(c, &agent, t);
    wait(t, false);
    return RC_OK;
}

/* TLS. */

struct tls_entry {
    struct list link;
    struct tls_client *client;
    bool insecure;
    char cas[]; /* "" for the system's store */
};

static void free_entry(struct tls_entry *e)
{
    list_remove(&e->link);
    tls_client_free(e->client);
    mem_put(e, sizeof *e + strlen(e->cas) + 1);
}

struct tls_client *pool_tls(struct pool *p, bool insecure, const char *cas, char why[SITE_WHY])
{
    const char *name = cas ? cas : "";
    for (struct list *node = p->contexts.next; node != &p->contexts; node = node->next) {
        struct tls_entry *e = container_of(node, struct tls_entry, link);
        if (e->insecure == insecure && strcmp(e->cas, name) == 0)
            return e->client;
    }
    size_t size = sizeof(struct tls_entry) + strlen(name) + 1;
    struct tls_entry *e = mem_get_zeroed(size);
    if (!e || tls_client_new(!insecure, cas, &e->client, why)) {
        mem_put(e, size);
        return NULL;
    }
    e->insecure = insecure;
    strcpy(e->cas, name);
    list_append(&p->contexts, &e->link);
    return e->client;
}

/* The pool. */

static void run(struct loop_step *step)
{
    struct pool *p = container_of(step, struct pool, step);
    struct list now, *node;
    list_init(&now);
    list_splice(&now, &p->dirty);
    while ((node = list_shift(&now)))
        site_run(container_of(node, struct site, dirty));
    if (!list_empty(&p->sites) && !ev_is_active(&p->sweep.ev))
        timer_start(&p->sweep, sweep_seconds);
}

static void on_sweep(struct timer *t)
{
    struct pool *p = container_of(t, struct pool, sweep);
    double now = clock_recent();
    for (struct list *node = p->sites.next, *next; node != &p->sites; node = next) {
        struct site *s = container_of(node, struct site, link);
        next = node->next;
        site_sweep(s, now);
        if (site_is_empty(s))
            site_free(s);
    }
    if (!list_empty(&p->sites))
        timer_start(t, sweep_seconds);
}

enum rc pool_new(struct loop *loop, const struct pool_limits *limits, struct pool **out)
{
    struct pool *p = mem_get_zeroed(sizeof *p);
    if (!p)
        return RC_NOMEM;
    p->loop = loop;
    p->limits = limits;
    p->step.run = run;
    list_init(&p->sites);
    list_init(&p->dirty);
    list_init(&p->contexts);
    timer_init(&p->sweep, loop->ev, on_sweep);
    loop_add_step(loop, &p->step);
    *out = p;
    return RC_OK;
}

void pool_free(struct pool *p)
{
    while (!list_empty(&p->sites))
        site_free(container_of(p->sites.next, struct site, link));
    while (!list_empty(&p->contexts))
        free_entry(container_of(p->contexts.next, struct tls_entry, link));
    if (p->resolver)
        resolver_free(p->resolver);
    timer_stop(&p->sweep);
    list_remove(&p->step.link);
    mem_put(p, sizeof *p);
}

const struct pool_stats *pool_stats(const struct pool *p)
{
    return &p->stats;
}

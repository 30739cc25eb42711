#include "proxy/pool.h"

#include "core/check.h"
#include "core/clock.h"
#include "core/mem.h"
#include "net/tls.h"
#include "proxy/site.h"

#include <string.h>

static const double sweep_seconds = 1;

const struct pool_limits pool_limits_default = {.max_conns = 512,
    .max_each = 256,
    .max_idle = 64,
    .max_waiting = 1024,
    .max_streams = 100,
    .idle_timeout = 50};

/* Tickets. */

/* Whether the drawing has this arrow. */
static bool may_become(const struct ticket *t, enum ticket_state state)
{
    switch (state) {
    case TICKET_HELD:
        return false;
    case TICKET_WAITING:
        return true;
    case TICKET_PAUSED:
        return t->state == TICKET_GIVEN;
    case TICKET_GIVEN:
        return t->state == TICKET_WAITING;
    }
    return false;
}

static void set_state(struct ticket *t, enum ticket_state state)
{
    check_hot(may_become(t, state));
    t->state = state;
}

static void leave_conn(struct ticket *t)
{
    struct pool_conn *pc = t->conn;
    t->conn = NULL;
    if (!pc)
        return;
    check_hot(pc->calls > 0);
    if (--pc->calls == 0)
        pc->idle_since = clock_recent();
    if (pc->refused)
        site_left(pc);
}

/* Removes the ticket from the list in which it waits. */
static void stop_waiting(struct ticket *t)
{
    if (!list_linked(&t->link))
        return;
    list_remove(&t->link);
    check_hot(t->state != TICKET_WAITING || t->site->waits > 0);
    t->site->waits -= t->state == TICKET_WAITING;
    t->site->held -= t->state == TICKET_HELD;
    if (t->state == TICKET_HELD)
        t->share->waits--;
}

void ticket_wait(struct ticket *t, bool first)
{
    struct site *s = t->site;
    stop_waiting(t);
    set_state(t, TICKET_WAITING);
    if (first)
        list_prepend(&s->waiting, &t->link);
    else
        list_append(&s->waiting, &t->link);
    s->waits++;
    site_dirty(s);
}

/* The client's share is used up: the ticket waits until one of the client's calls ends. */
static void hold(struct ticket *t)
{
    list_append(&t->share->waiting, &t->link);
    t->share->waits++;
    t->site->held++;
}

/* The call was refused more than once: it is made again after a while. */
static void rest(struct ticket *t)
{
    static const double first_seconds = 0.05, last_seconds = 1;
    double seconds = first_seconds;
    for (unsigned i = 1; i < t->refusals && seconds < last_seconds; i++)
        seconds *= 2;
    t->rested = clock_recent() + (seconds < last_seconds ? seconds : last_seconds);
    set_state(t, TICKET_PAUSED);
    list_append(&t->site->paused, &t->link);
}

/* Starts the time within which a connection has to take the call. */
static void start_waiting(struct ticket *t)
{
    t->queued = clock_recent();
    if (t->connect_timeout > 0)
        timer_start(&t->timer, t->connect_timeout);
}

/* Shares. */

static uint64_t share_max(const struct pool *p)
{
    return (uint64_t)p->limits->max_each * SHARE_UNIT;
}

/* The part of its client's share that a call takes, as far as the connections' capacity is
 * known. */
static uint64_t part_of(const struct ticket *t)
{
    return SHARE_UNIT / site_carries(t->site);
}

static bool take_share(struct ticket *t)
{
    t->part = part_of(t);
    return !t->share || share_take(t->share, t->part, share_max(t->site->pool));
}

/* Lets the client's calls go on that wait for one of its own to end. */
static void share_on(struct share *s)
{
    while (!list_empty(&s->waiting)) {
        struct ticket *t = container_of(s->waiting.next, struct ticket, link);
        if (!take_share(t))
            break;
        ticket_wait(t, false);
    }
    share_release(s);
}

static void leave_share(struct ticket *t, bool had)
{
    if (!t->share)
        return;
    if (had)
        share_give_back(t->share, t->part);
    share_on(t->share);
}

static void free_ticket(struct ticket *t)
{
    bool had_share = t->state != TICKET_HELD;
    leave_conn(t);
    stop_waiting(t);
    leave_share(t, had_share);
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

/* The connection that has taken the call may tell more about the capacity: corrects the call's
 * part. */
static void reprice(struct ticket *t)
{
    uint64_t part = part_of(t);
    if (!t->share || part == t->part)
        return;
    share_give_back(t->share, t->part);
    t->share->taken += part;
    t->part = part;
    share_on(t->share);
}

/* Time. */

/* What a call is waiting for. */
enum ticket_phase {
    PHASE_CROWDED,    /* a free connection, or its client's share */
    PHASE_CONNECTING, /* a name, a connection, a handshake */
    PHASE_REFUSED,    /* the other server's consent, after a refusal */
    PHASE_RESPONSE,
    PHASE_BODY,
};

static enum ticket_phase phase_of(const struct ticket *t)
{
    if (t->conn)
        return t->call->status ? PHASE_BODY : PHASE_RESPONSE;
    if (t->refusals)
        return PHASE_REFUSED;
    return t->state == TICKET_HELD || site_is_open(t->site) ? PHASE_CROWDED : PHASE_CONNECTING;
}

/* The limit that applies to the phase, and since when it runs; 0 for none. */
static double limit_of(const struct ticket *t, double *since)
{
    *since = t->conn ? t->call->progressed : t->queued;
    switch (phase_of(t)) {
    case PHASE_BODY:
        return t->idle_timeout;
    case PHASE_RESPONSE:
        return t->response_timeout;
    default:
        return t->connect_timeout;
    }
}

/* The time left, or the idle timeout if that is shorter: it may come into force in the meantime. */
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

/* Whether the other server is awaited. The time for which the call's owner keeps it waiting does
 * not count. */
static bool is_theirs(struct ticket *t)
{
    if (!t->conn || call_waits(t->call))
        return true;
    t->call->progressed = clock_recent();
    return false;
}

/* The other server has not answered on a reused connection: it may be dead, and with it others that
 * have been kept as long. */
static void distrust_kept(const struct ticket *t)
{
    if (t->reused && !t->call->began)
        site_distrust(t->site, t->began);
}

/* The call's time is over; the error tells what it waited for. */
static void run_out(struct ticket *t)
{
    switch (phase_of(t)) {
    case PHASE_CROWDED:
        ticket_fail(t, CALL_CROWDED, "all connections to it that may be had were in use");
        break;
    case PHASE_CONNECTING:
        ticket_fail(t, CALL_CONNECT_TIMED_OUT, "connect-timeout");
        break;
    case PHASE_REFUSED:
        ticket_fail(t, CALL_REFUSED, "REFUSED_STREAM");
        break;
    case PHASE_RESPONSE:
        distrust_kept(t);
        ticket_fail(t, CALL_TIMED_OUT, "response-timeout");
        break;
    case PHASE_BODY:
        ticket_fail(t, CALL_TIMED_OUT, "idle-timeout");
        break;
    }
}

static void on_timer(struct timer *timer)
{
    struct ticket *t = container_of(timer, struct ticket, timer);
    bool theirs = is_theirs(t);
    double since, limit = limit_of(t, &since);
    double left = limit > 0 ? since + limit - clock_recent() : 0;
    if (theirs && limit > 0 && left <= 0)
        run_out(t);
    else
        set_timer(t, left);
}

/* Whether the timer, set for the connect timeout, fires too late for the limits that apply now. If
 * it fires too early, it is set again. */
static bool fires_late(const struct ticket *t)
{
    double need = shortest(t, t->response_timeout);
    return need > 0 && (t->connect_timeout <= 0 || t->connect_timeout > need);
}

void ticket_taken(struct ticket *t, struct pool_conn *pc)
{
    stop_waiting(t);
    check_hot(!t->conn);
    set_state(t, TICKET_GIVEN);
    reprice(t);
    t->conn = pc;
    t->reused = pc->used;
    t->began = clock_recent();
    pc->site->pool->stats.reused += pc->used;
    pc->used = true;
    pc->calls++;
    if (fires_late(t))
        set_timer(t, t->response_timeout);
}

/* Calls. */

/* Whether there is time to try a refused call again. The first retry is always allowed. */
static bool has_time(const struct ticket *t)
{
    return t->refusals == 0 || t->connect_timeout <= 0 ||
           clock_recent() - t->queued < t->connect_timeout;
}

/* Whether a call that was lost may be made again: see pool.h. */
static bool may_repeat(const struct ticket *t, enum call_end end)
{
    if (end == CALL_REFUSED)
        return has_time(t) && !(t->elsewhere && t->refusals);
    bool is_lost = end == CALL_LOST || end == CALL_PROTOCOL;
    return is_lost && !t->again && t->reused && call_is_idempotent(t->call);
}

/* After one refusal the call is retried at once: the server may accept it now, or on another
 * connection. After further refusals it waits for a while. */
static void wait_again(struct ticket *t, enum call_end end)
{
    if (end != CALL_REFUSED || t->refusals == 0)
        start_waiting(t);
    if (end == CALL_REFUSED && t->refusals++) {
        rest(t);
        return;
    }
    t->again |= end != CALL_REFUSED;
    ticket_wait(t, true);
}

static bool on_done(struct call *c, enum call_end end, const char *why)
{
    (void)why;
    struct ticket *t = c->ticket;
    struct site *s = t->site;
    struct pool_conn *pc = t->conn;
    if (!may_repeat(t, end) || call_rewind(c)) {
        free_ticket(t);
        return false;
    }
    leave_conn(t);
    if (end == CALL_REFUSED)
        site_refused(s, pc);
    s->pool->stats.retried++;
    wait_again(t, end);
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

static struct ticket *new_ticket(
    struct pool *p, struct site *s, const struct call_options *options, struct call *c)
{
    struct ticket *t = mem_get_zeroed(sizeof *t);
    struct share *share = t && options->client ? share_of(&p->shares, options->client) : NULL;
    if (!t || (options->client && !share)) {
        mem_put(t, sizeof *t);
        return NULL;
    }
    t->call = c;
    t->site = s;
    t->share = share;
    t->connect_timeout = options->connect_timeout;
    t->response_timeout = options->response_timeout;
    t->idle_timeout = options->idle_timeout;
    t->elsewhere = options->elsewhere;
    list_init(&t->link);
    timer_init(&t->timer, p->loop->ev, on_timer);
    return t;
}

/* Whether another call may wait for the client's share. Such calls hold up no other client's. */
static bool may_hold(const struct ticket *t, uint32_t max_waiting)
{
    return max_waiting == 0 || t->share->waits < max_waiting;
}

enum rc pool_call(
    struct pool *p, const struct origin *origin, const struct call_options *options, struct call *c)
{
    check(c->state == CALL_IDLE && c->method.n);
    struct site *s = site_of(p, origin, options);
    uint32_t most = p->limits->max_waiting;
    if (s && most && s->waits >= most)
        return RC_LIMIT;
    struct ticket *t = s ? new_ticket(p, s, options, c) : NULL;
    if (!t)
        return RC_NOMEM;
    if (take_share(t)) {
        ticket_wait(t, false);
    } else if (may_hold(t, most)) {
        hold(t);
    } else {
        mem_put(t, sizeof *t);
        return RC_LIMIT;
    }
    start_waiting(t);
    c->keepalive = options->keepalive;
    call_engage(c, &agent, t);
    return RC_OK;
}

bool pool_shares(struct pool *p, const struct origin *origin, const struct call_options *options)
{
    const struct site *s = site_of(p, origin, options);
    return s && site_shares(s);
}

/* TLS. */

struct tls_entry {
    struct list link;
    struct tls_client *client;
    bool insecure;
    char cas[]; /* "" for the system's */
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
    if (!e || tls_client_new(!insecure, &(struct tls_client_files){.cas = cas}, &e->client, why)) {
        mem_put(e, size);
        return NULL;
    }
    list_init(&e->link);
    e->insecure = insecure;
    strcpy(e->cas, name);
    list_append(&p->contexts, &e->link);
    return e->client;
}

/* The pool. */

static bool run(struct loop_step *step)
{
    struct pool *p = container_of(step, struct pool, step);
    struct list now, *node;
    list_init(&now);
    list_splice(&now, &p->dirty);
    while ((node = list_shift(&now)))
        site_run(container_of(node, struct site, dirty));
    if (!list_empty(&p->sites) && !ev_is_active(&p->sweep.ev))
        timer_start(&p->sweep, sweep_seconds);
    return false;
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
    list_init(&p->step.link);
    p->step.run = run;
    list_init(&p->sites);
    list_init(&p->dirty);
    list_init(&p->contexts);
    shares_init(&p->shares);
    timer_init(&p->sweep, loop->ev, on_sweep);
    loop_add_step(loop, &p->step);
    *out = p;
    return RC_OK;
}

/* Held tickets are freed first, so that none is moved up when another is freed. */
static void fail_held(struct pool *p)
{
    for (int i = 0; i < SHARE_BUCKETS; i++) {
        struct list *bucket = &p->shares.buckets[i];
        for (struct list *node = bucket->next, *next; node != bucket; node = next) {
            struct share *s = container_of(node, struct share, link);
            next = node->next;
            while (s->waits)
                ticket_fail(container_of(s->waiting.next, struct ticket, link), CALL_UNREACHABLE,
                    "shutdown");
        }
    }
}

void pool_free(struct pool *p)
{
    fail_held(p);
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

#include "net/loop.h"

#include "core/activity.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/live.h"
#include "core/log.h"
#include "core/mem.h"
#include "h2/limits.h"
#include "http/exchange.h"
#include "http/limits.h"
#include "net/access_log.h"
#include "net/conn.h"
#include "net/room.h"

/* Seconds between the two GOAWAYs: longer than a round trip, so that requests sent before the first
 * one arrived are still taken. */
static const double notice_seconds = 0.25;
static const double late_seconds = 1;
static const double sweep_seconds = 1;

const struct net_limits net_limits_default = {
    .http = &http_limits_default,
    .h2 = &h2_limits_default,
    .handshake_timeout = 10,
    .idle_timeout = 180,
    .max_conns = 20000,
    .max_conns_each = 10000,
    .max_conn_memory = 1024,
};

static void send_dirty(struct loop *l)
{
    struct list now;
    list_init(&now);
    list_splice(&now, &l->dirty);
    struct list *node;
    while ((node = list_shift(&now)))
        conn_turn(conn_of_dirty(node));
}

static void reap(struct loop *l)
{
    struct list *node;
    while ((node = list_shift(&l->dead)))
        conn_free(conn_of_dirty(node));
}

static bool run_steps(struct loop *l)
{
    bool more = false;
    for (struct list *node = l->steps.next; node != &l->steps; node = node->next) {
        struct loop_step *s = container_of(node, struct loop_step, link);
        more |= s->run(s);
    }
    return more;
}

void loop_add_step(struct loop *l, struct loop_step *s)
{
    list_append(&l->steps, &s->link);
}

void loop_observe(struct loop *l, struct exchange_observer *o)
{
    o->next = l->observers;
    l->observers = o;
}

void loop_again(struct loop *l)
{
    l->again = true;
    ev_idle_start(l->ev, &l->more);
}

void loop_turn(struct loop *l)
{
    check_hot(!l->turning);
    l->turning = true;
    l->again = false;
    bool more = parts_run(&l->parts);
    more |= run_steps(l);
    send_dirty(l);
    if (mem_stats()->bytes > l->memory_mark)
        room_bound_memory(l);
    more |= !list_empty(&l->dead); /* their handlers were told, and may have work to do */
    reap(l);
    l->turning = false;
    atomic_store_explicit(&activity->requests, live.exchanges, memory_order_relaxed);
    if (more || l->again || !list_empty(&l->dirty))
        ev_idle_start(l->ev, &l->more);
    else
        ev_idle_stop(l->ev, &l->more);
}

static void on_round(struct ev_loop *ev, ev_prepare *w, int events)
{
    (void)events;
    struct loop *l = container_of(w, struct loop, round);
    loop_turn(l);
    if (l->access_log)
        access_log_flush(l->access_log);
    if (l->going && list_empty(&l->conns) && !parts_hold(&l->parts))
        ev_break(ev, EVBREAK_ALL);
}

/* While it is active, the loop does not block. */
static void on_more(struct ev_loop *ev, ev_idle *w, int events)
{
    (void)ev, (void)w, (void)events;
}

static void sweep_conns(struct list *conns, double now, double seconds)
{
    for (struct list *node = conns->next, *next; node != conns; node = next) {
        next = node->next;
        conn_sweep(conn_of_link(node), now, seconds);
    }
}

/* While the whole heap is smaller than the limit, connections cannot exceed it. */
static size_t memory_limit(const struct loop *l)
{
    return l->limits->max_conn_memory ? (size_t)l->limits->max_conn_memory << 20 : SIZE_MAX;
}

static void on_sweep(struct timer *t)
{
    struct loop *l = container_of(t, struct loop, sweep);
    double now = clock_monotonic();
    double seconds = now - l->swept;
    l->swept = now;
    sweep_conns(&l->conns, now, seconds);
    sweep_conns(&l->outgoing, now, seconds);
    l->memory_mark = memory_limit(l); /* the rest of the heap may have changed */
    log_settle(false);
    timer_start(t, sweep_seconds);
}

static void shut_down_conns(struct loop *l, enum session_end how)
{
    for (struct list *node = l->conns.next, *next; node != &l->conns; node = next) {
        next = node->next;
        conn_shut_down(conn_of_link(node), how);
    }
}

static void on_notice(struct timer *t)
{
    shut_down_conns(container_of(t, struct loop, notice), END_NOW);
}

static void on_late(struct timer *t)
{
    struct loop *l = container_of(t, struct loop, late);
    for (struct list *node = l->conns.next, *next; node != &l->conns; node = next) {
        next = node->next;
        conn_cut_handshake(conn_of_link(node));
    }
}

void loop_notice(struct loop *l)
{
    timer_start(&l->notice, notice_seconds);
}

void loop_shut_down(struct loop *l)
{
    check(!l->going);
    l->going = true;
    parts_drain(&l->parts);
    shut_down_conns(l, END_NOTICE);
    loop_notice(l);
    timer_start(&l->late, late_seconds);
}

enum rc loop_init(
    struct loop *l, struct ev_loop *ev, struct handler *handler, const struct net_limits *limits)
{
    *l = (struct loop){.ev = ev, .handler = handler, .limits = limits};
    l->wire = mem_get_zeroed(sizeof *l->wire);
    if (!l->wire)
        return RC_NOMEM;
    list_init(&l->conns);
    list_init(&l->outgoing);
    list_init(&l->idle);
    l->memory_mark = memory_limit(l);
    list_init(&l->steps);
    list_init(&l->dirty);
    list_init(&l->dead);
    ev_prepare_init(&l->round, on_round);
    ev_idle_init(&l->more, on_more);
    timer_init(&l->sweep, ev, on_sweep);
    timer_init(&l->notice, ev, on_notice);
    timer_init(&l->late, ev, on_late);
    l->swept = clock_monotonic();
    ev_prepare_start(ev, &l->round);
    timer_start(&l->sweep, sweep_seconds);
    return RC_OK;
}

static void close_conns(struct list *conns)
{
    while (!list_empty(conns)) {
        struct conn *c = conn_of_link(conns->next);
        conn_close(c, cut_of(CUT_SHUTDOWN));
        conn_free(c);
    }
}

void loop_fini(struct loop *l)
{
    close_conns(&l->conns);
    close_conns(&l->outgoing);
    check(list_empty(&l->dirty) && list_empty(&l->dead));
    ev_prepare_stop(l->ev, &l->round);
    ev_idle_stop(l->ev, &l->more);
    timer_stop(&l->sweep);
    timer_stop(&l->notice);
    timer_stop(&l->late);
    mem_put(l->wire, sizeof *l->wire);
}

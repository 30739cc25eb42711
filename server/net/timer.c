#include "net/timer.h"

#include "core/list.h"

static void on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)loop, (void)events;
    struct timer *t = container_of(w, struct timer, ev);
    t->fire(t);
}

void timer_init(struct timer *t, struct ev_loop *loop, void (*fire)(struct timer *t))
{
    ev_timer_init(&t->ev, on_timer, 0, 0);
    t->loop = loop;
    t->fire = fire;
}

void timer_start(struct timer *t, double seconds)
{
    ev_timer_stop(t->loop, &t->ev);
    /* libev counts from the start of the turn, which may be long ago. */
    ev_timer_set(&t->ev, seconds + (ev_time() - ev_now(t->loop)), 0);
    ev_timer_start(t->loop, &t->ev);
}

void timer_stop(struct timer *t)
{
    ev_timer_stop(t->loop, &t->ev);
}

double timer_turn(struct ev_loop *loop)
{
    return ev_now(loop);
}

void timer_begin_turn(struct ev_loop *loop)
{
    ev_now_update(loop);
}

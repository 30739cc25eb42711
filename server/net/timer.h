/* One-shot timers on the worker's loop. The owner embeds one; a timer that runs refers to it. */
#ifndef NET_TIMER_H
#define NET_TIMER_H

#include <ev.h>

struct timer {
    ev_timer ev;
    struct ev_loop *loop;
    void (*fire)(struct timer *t);
};

/* fire is called once, from the loop, after each start that is not stopped. */
void timer_init(struct timer *t, struct ev_loop *loop, void (*fire)(struct timer *t));
/* Starts, or starts anew; the seconds count from this call. */
void timer_start(struct timer *t, double seconds);
void timer_stop(struct timer *t);
/* When the turn under way began, in seconds of clock_wall; and that it begins now. */
double timer_turn(struct ev_loop *loop);
void timer_begin_turn(struct ev_loop *loop);

#endif

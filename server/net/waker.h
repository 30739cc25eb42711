/* Watches a descriptor on the worker's loop that others make readable: an eventfd. The owner embeds
 * one, and has the descriptor; a waker that runs refers to it. */
#ifndef NET_WAKER_H
#define NET_WAKER_H

#include <ev.h>

struct waker {
    ev_io ev;
    struct ev_loop *loop;
    void (*fire)(struct waker *w);
};

/* fire is called, from the loop, as long as the descriptor is readable. */
void waker_start(struct waker *w, struct ev_loop *loop, int fd, void (*fire)(struct waker *w));
/* Nothing is to be done where it was never started, and all of it is zero. */
void waker_stop(struct waker *w);

#endif

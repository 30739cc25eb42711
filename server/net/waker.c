#include "net/waker.h"

#include "core/list.h"

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop, (void)events;
    struct waker *w = container_of(io, struct waker, ev);
    w->fire(w);
}

void waker_start(struct waker *w, struct ev_loop *loop, int fd, void (*fire)(struct waker *w))
{
    w->loop = loop;
    w->fire = fire;
    ev_io_init(&w->ev, on_readable, fd, EV_READ);
    ev_io_start(loop, &w->ev);
}

void waker_stop(struct waker *w)
{
    if (w->loop)
        ev_io_stop(w->loop, &w->ev);
}

#include "net/descriptor.h"

#include "core/list.h"

static void on_io(struct ev_loop *loop, ev_io *w, int events)
{
    (void)loop;
    struct descriptor *d = container_of(w, struct descriptor, ev);
    d->ready(d, (unsigned)events & (DESCRIPTOR_READABLE | DESCRIPTOR_WRITABLE));
}

void descriptor_init(struct descriptor *d, struct ev_loop *loop,
    void (*ready)(struct descriptor *d, unsigned events))
{
    ev_io_init(&d->ev, on_io, -1, 0);
    d->loop = loop;
    d->ready = ready;
}

void descriptor_watch(struct descriptor *d, int fd, unsigned events)
{
    descriptor_stop(d);
    ev_io_set(&d->ev, fd, (int)events);
    ev_io_start(d->loop, &d->ev);
}

void descriptor_stop(struct descriptor *d)
{
    ev_io_stop(d->loop, &d->ev);
}

bool descriptor_is_watched(const struct descriptor *d)
{
    return ev_is_active(&d->ev);
}

bool descriptor_is_pending(const struct descriptor *d)
{
    return ev_is_pending(&d->ev);
}

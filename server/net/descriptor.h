/* Watches a file descriptor on the worker's loop. The owner embeds one. While the descriptor is
 * watched, the loop refers to it: it must not be closed before it is stopped. */
#ifndef NET_DESCRIPTOR_H
#define NET_DESCRIPTOR_H

#include <ev.h>
#include <stdbool.h>

/* Bits. An error, or the end of the other side, sets both. */
enum descriptor_event { DESCRIPTOR_READABLE = EV_READ, DESCRIPTOR_WRITABLE = EV_WRITE };

struct descriptor {
    ev_io ev;
    struct ev_loop *loop;
    void (*ready)(struct descriptor *d, unsigned events);
};

/* ready is called from the loop, again and again, as long as one of the events is there and the
 * descriptor is watched. */
void descriptor_init(struct descriptor *d, struct ev_loop *loop,
    void (*ready)(struct descriptor *d, unsigned events));
/* Starts, or starts anew. */
void descriptor_watch(struct descriptor *d, int fd, unsigned events);
void descriptor_stop(struct descriptor *d);
bool descriptor_is_watched(const struct descriptor *d);
/* Whether events were seen in this round of the loop of which ready is told later. */
bool descriptor_is_pending(const struct descriptor *d);

#endif

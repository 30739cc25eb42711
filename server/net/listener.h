/* A listener: accepts connections from a socket into a loop. It owns the socket, once started, and
 * borrows the rest. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/timer.h"

struct listener_kind;
struct loop;
struct tls;

struct listener {
    struct loop *loop;
    const struct listener_kind *kind;
    struct tls *tls; /* NULL where no kind of the server's has TLS */
    ev_io readable;
    struct timer pause; /* runs while the process is out of descriptors or memory */
};

void listener_start(struct listener *ls, const struct listener_kind *kind, struct loop *loop,
    int fd, struct tls *tls);
/* Takes the connections that wait in the socket's queue: closing it would reset them. */
void listener_take_queue(struct listener *ls);
/* Closes the socket, so that later clients are refused at once instead of waiting in vain. */
void listener_stop(struct listener *ls);

#endif

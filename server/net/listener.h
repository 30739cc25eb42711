/* A listener: accepts connections from a socket into a loop. It borrows all three. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/timer.h"

struct loop;
struct tls;

struct listener {
    struct loop *loop;
    struct tls *tls; /* NULL for plaintext */
    ev_io readable;
    struct timer pause; /* runs while the process is out of descriptors or memory */
};

void listener_start(struct listener *ls, struct loop *loop, int fd, struct tls *tls);
void listener_stop(struct listener *ls);

#endif

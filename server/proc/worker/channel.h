/*
 * The channel between the master and one worker: orders go one way, replies the other, each a
 * packet with its kind and, for some, a text. Either side sees the end of the other.
 */
#ifndef PROC_WORKER_CHANNEL_H
#define PROC_WORKER_CHANNEL_H

#include "core/rc.h"

#include <ev.h>
#include <stddef.h>

enum message {
    ORDER_DRAIN,   /* exchanges finish within the grace; nothing new is taken */
    ORDER_STOP,    /* end at once */
    ORDER_CUT,     /* the same, and say which requests were under way */
    ORDER_RELOAD,  /* load the scripts anew */
    ORDER_REOPEN,  /* open the access log anew */
    ORDER_FAULT,   /* the scripts on disk do not load: why; without a text, they do again */
    ORDER_TICKETS, /* a struct tls_tickets */
    REPLY_READY,   /* requests are served from now on; a text says why there are no scripts yet */
    REPLY_RELOADED,
    REPLY_FAILED, /* what was ordered, or the start, did not succeed: why */
};

enum { CHANNEL_TEXT = 4096 }; /* bytes of a text at the most; what is longer is cut */

struct channel {
    struct ev_loop *loop;
    ev_io readable;
    /* text ends in NUL, which n does not count; it is borrowed for the call. */
    void (*on_message)(struct channel *ch, enum message kind, const char *text, size_t n);
    /* The other side has ended. The channel is to be stopped. */
    void (*on_end)(struct channel *ch);
};

/* The two ends, close-on-exec. RC_SYSTEM. */
enum rc channel_pair(int fds[2]) MUST_CHECK;
/* Takes over an end. The callbacks have been set. */
void channel_start(struct channel *ch, struct ev_loop *loop, int fd);
/* RC_CLOSED where the other side has ended, RC_AGAIN where it takes nothing. */
enum rc channel_send(struct channel *ch, enum message kind, const void *text, size_t n) MUST_CHECK;
/* Gives what has arrived to on_message, for a caller that cannot wait for the loop. */
void channel_take_all(struct channel *ch);
/* Closes this end. */
void channel_stop(struct channel *ch);

#endif

/*
 * A worker's sockets: all that are open, those that are kept to be used again, what they have in
 * common, and the step in which they send. It owns them, and outlives their owners.
 */
#ifndef SOCKET_GROUP_H
#define SOCKET_GROUP_H

#include "core/list.h"
#include "core/rc.h"
#include "net/loop.h"
#include "net/names.h"
#include "net/timer.h"
#include "socket/socket.h"

struct tls_client;

enum { SHELF_BUCKETS = 64 };

struct socket_group {
    struct ev_loop *ev;
    struct wire *wire;    /* of the loop; NULL before socket_group_join */
    struct names names;   /* that scripts look up, for sockets or for others */
    struct list all;      /* by socket.link */
    struct list dirty;    /* by socket.dirty */
    struct list contexts; /* of TLS, the last used first */
    size_t context_count;
    struct list shelves[SHELF_BUCKETS]; /* by their key's hash */
    size_t kept;
    bool told;          /* an owner was told of something, in the step */
    struct timer sweep; /* runs while one is kept */
    struct loop *loop;  /* gets the step; may be NULL */
    struct loop_step step;
};

void socket_group_init(struct socket_group *all, struct ev_loop *ev);
/* From here on sockets can be opened. The wire, which is borrowed, is empty whenever the step runs
 * or the loop reports an event. The loop gets the step with the first socket, and not before: until
 * then turns cost nothing more. It may be NULL: then the owner runs the step. */
void socket_group_join(struct socket_group *all, struct wire *wire, struct loop *loop);
/* Closes all at once. Their owners must have let go of them. */
void socket_group_fini(struct socket_group *all);

/*
 * Keeping. A key says whom a kept socket was connected with, and how: it is a run of bytes.
 */

/* Keeps a socket that nobody waits for; if more than `most` of its key were kept then, the oldest
 * goes. If it has no key, or something is unread or unsent, or either side has ended, it is closed
 * in place of that. Returns whether it is kept. A kept socket that turns readable is closed, as it
 * is after so many seconds. */
bool socket_group_keep(struct socket *s, size_t most, double seconds);
/* Takes the one that was kept last; NULL if there is none. */
struct socket *socket_group_take(
    struct socket_group *all, struct str key, const struct socket_ops *ops, void *owner);

/* For the files of sockets alone. */

/* A socket is about to be opened. */
void socket_group_begin(struct socket_group *all);
/* What TLS is spoken with; NULL on failure. RC_INVALID, RC_NOMEM. */
enum rc socket_group_context(struct socket_group *all, const struct socket_tls *tls,
    struct tls_client **out, char why[SOCKET_WHY]) MUST_CHECK;
/* socket_keep.c: it is kept no longer, if it was. */
void socket_group_forget(struct socket *s);
/* socket_keep.c: closes those that were kept for too long. */
void socket_group_sweep(struct timer *t);

#endif

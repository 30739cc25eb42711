/*
 * A worker: a loop, its listeners, and the signals that end it. It owns the loop and the sockets;
 * TLS contexts, the access log and the handler are borrowed, so that whoever holds them can outlive
 * it.
 */
#ifndef PROC_WORKER_H
#define PROC_WORKER_H

#include "core/rc.h"
#include "net/listener.h"
#include "net/loop.h"

enum { WORKER_LISTENERS = 16 };

struct worker {
    struct ev_loop *ev;
    struct loop loop;
    struct listener listeners[WORKER_LISTENERS];
    int listener_count;
    struct access_log *access_log; /* borrowed; NULL for none */
    double grace;                  /* seconds that exchanges have to finish in */
    ev_signal term, interrupt;
    struct timer cut; /* runs through the grace */
};

/* Makes the event loop, on which a handler may then put its timers. RC_SYSTEM. */
enum rc worker_init(struct worker *w) MUST_CHECK;
/* Takes a socket over, with TLS where tls is not NULL; serves it from worker_start on. */
struct tls;
void worker_listen(struct worker *w, int fd, struct tls *tls);
/* Has each exchange written to the access log; called before worker_start. */
void worker_log_access(struct worker *w, struct access_log *log);
/* From here on a signal is no longer the end of the process. RC_NOMEM. */
enum rc worker_start(struct worker *w, struct handler *handler, const struct net_limits *limits,
    double grace) MUST_CHECK;
/* Serves until SIGTERM or SIGINT, then lets exchanges finish within the grace; a second signal
 * stops at once. When it returns, no connection is left. */
void worker_run(struct worker *w);
void worker_fini(struct worker *w);

#endif

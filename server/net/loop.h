/*
 * The worker's turn. One libev loop, no threads; each turn has four steps, which never nest:
 *
 *     recv   readable sockets → transport → session → exchanges
 *     run    the parts do what was queued, and then the steps that were added
 *     send   each dirty connection: session → transport → socket
 *     reap   what was marked dead is freed
 *
 * A turn follows the input of each connection that was accepted, while what it brought is still in
 * the processor's caches, and each round of the libev loop, for other servers' answers, timers and
 * what was left over.
 *
 * It owns its connections; the handler, the parts, the observers, the limits, the access log and
 * the libev loop are borrowed.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "core/list.h"
#include "core/rc.h"
#include "http/part.h"
#include "net/census.h"
#include "net/timer.h"
#include "net/transport.h"

#include <stdbool.h>
#include <stdint.h>

struct access_log;
struct exchange_observer;
struct h2_limits;
struct handler;
struct http_limits;

struct net_limits {
    const struct http_limits *http;
    const struct h2_limits *h2;
    /* 0 is no limit, in all that follow. */
    double handshake_timeout; /* seconds from accept to the end of the TLS handshake */
    double idle_timeout;      /* seconds without a stream */
    uint32_t max_conns;       /* in all */
    uint32_t max_conns_each;  /* from one address */
    uint32_t max_conn_memory; /* MiB that those accepted hold */
};

/* The defaults. */
extern const struct net_limits net_limits_default;

/* What else is done in each turn: between run and send. */
struct loop_step {
    struct list link;
    bool (*run)(
        struct loop_step *s); /* whether there is to be another turn before the loop blocks */
};

struct loop {
    struct ev_loop *ev;
    struct handler *handler; /* of the exchanges of connections that were accepted */
    struct parts parts;
    struct exchange_observer *observers; /* of those exchanges; NULL for nobody */
    const struct net_limits *limits;
    struct access_log *access_log; /* flushed each round; NULL for none */
    struct wire *wire;
    struct list conns;    /* all that were accepted, by conn.link */
    struct list idle;     /* those without a request for a while, by conn.idle; see room.c */
    double looked;        /* when all were last looked at for such */
    size_t memory_mark;   /* bytes of the heap past which connections are weighed */
    struct list outgoing; /* all that this server opened, by conn.link; they keep no loop going */
    struct list steps;    /* by loop_step.link */
    bool again;           /* there is to be another turn before the loop blocks */
    struct list dirty;    /* those with something to send or free, by conn.dirty */
    struct census census;
    struct list dead; /* those to be freed, by conn.dirty */
    uint64_t opened;  /* connections so far */
    bool going;       /* loop_shut_down was called */
    bool turning;     /* in loop_turn, which does not nest */
    ev_prepare round;
    ev_idle more;
    struct timer sweep;  /* looks for timeouts, once a second */
    double swept;        /* when it last did */
    struct timer notice; /* between the two steps of a graceful end */
    struct timer late;   /* from a graceful end's start to that of handshakes under way */
};

/* RC_NOMEM. */
enum rc loop_init(struct loop *l, struct ev_loop *ev, struct handler *handler,
    const struct net_limits *limits) MUST_CHECK;
/* Closes all connections at once and frees what l owns. */
void loop_fini(struct loop *l);
/* The run, send and reap steps. */
void loop_turn(struct loop *l);
/* Adds an observer to those that the exchanges of later connections have. */
void loop_observe(struct loop *l, struct exchange_observer *o);
/* The owner may be freed after loop_fini. */
void loop_add_step(struct loop *l, struct loop_step *s);
/* There is to be another turn before the loop blocks. */
void loop_again(struct loop *l);
/* Starts a graceful end of all connections that were accepted (RFC 9113 6.8): two GOAWAYs, and
 * exchanges finish. The parts are told. The loop ends by itself (ev_break) when the last connection
 * has closed and no part holds it. */
void loop_shut_down(struct loop *l);
/* For a connection that took the first step of its end late: the second follows. */
void loop_notice(struct loop *l);

#endif

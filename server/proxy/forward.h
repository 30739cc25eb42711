/*
 * One exchange on its way to another server and back: the exchange at one end, a call at the other.
 * Both bodies stream at once, each as fast as the slower of its two ends: what one end does not
 * take stays in a bounded queue, and what fills it waits.
 *
 * Its states are drawn in forward_private.h. A call that fails before its response begins is
 * answered by 502, 503 or 504, or is made once more of another upstream; after that the client's
 * stream is reset.
 *
 * It owns the call, and borrows the exchange, which it has to itself until it is over. What it is
 * told it notes and queues; the work is done by forward_run.
 */
#ifndef PROXY_FORWARD_H
#define PROXY_FORWARD_H

#include "core/list.h"
#include "core/rc.h"
#include "core/str.h"
#include "http/call.h"
#include "http/cut.h"
#include "http/field.h"

struct exchange;
struct forward;
struct forward_order;
struct handler;
struct lender;
struct pool;
struct upstream;
struct upstreams;
struct upstreams_rules;

/* What all forwards share; borrowed. */
struct forward_shared {
    struct handler *handler; /* the exchange's handler while it is under way */
    struct pool *pool;
    struct ev_loop *ev;
    const struct upstreams_rules *rules;
    const struct call_options *options;
    bool pass_host;    /* the client's Host goes on, in place of the server's own */
    struct list ready; /* those that have something to do, by forward.queue */
};

/* Where a forward goes. */
struct forward_aim {
    struct upstreams *upstreams; /* borrowed; one of them is picked. NULL: use `only` */
    const struct upstream *only; /* copied, but for its base */
    struct str prefix;           /* of the path, in whose place a base goes; "/" for none */
    /* replaces the request's own path and query; p is NULL to keep them */
    struct str target;
    struct str path;                   /* likewise, but a base goes in front of it */
    const struct fields *replace;      /* fields in place of the request's; NULL for none */
    double timeout;                    /* seconds; 0: as the options say */
    bool malformed;                    /* it goes nowhere: the client is answered with 400 */
    struct lender *lender;             /* NULL if the exchange comes straight from its session */
    const struct forward_order *order; /* of the lender; copied but for its strings */
};

/* Takes over x, whose response has not started; from the next forward_run on it is under way.
 * RC_NOMEM: x is as it was. */
enum rc forward_new(
    struct forward_shared *shared, struct exchange *x, const struct forward_aim *aim) MUST_CHECK;
/* Goes on after its lender was told of the head. */
void forward_proceed(struct forward *f);
/* Gives up, and gives x back to its lender. */
void forward_cancel(struct forward *f);
/* Does what there is to do. May free. */
void forward_run(struct forward *f);

struct forward *forward_of_queue(struct list *queue);

/* The operations of a handler, for the exchanges that are under way. */
void forward_on_event(struct exchange *x); /* readable or writable */
void forward_on_abort(struct exchange *x, struct cut cut);

#endif

/*
 * The seam between the server and what answers a request. Each worker has one of a handler, which
 * may attach an instance of its own to each exchange. Its callbacks record and queue: the work is
 * done in turns, by a part (part.h).
 */
#ifndef HTTP_HANDLER_H
#define HTTP_HANDLER_H

#include "http/cut.h"

#include <stdbool.h>
#include <stddef.h>

struct exchange;
struct handler;
struct part;

struct handler_ops {
    /* A request's head is complete. Sets x->instance to attach, or responds at once and does not.
     * False declines an exchange that it has not touched: another handler is asked. */
    bool (*start)(struct handler *h, struct exchange *x);
    /* More of the body, or the end of the request, has arrived. */
    void (*on_readable)(struct exchange *x);
    /* What x->want asked for has come about. */
    void (*on_writable)(struct exchange *x);
    /* The exchange is lost, and is not to be touched after this call. */
    void (*on_abort)(struct exchange *x, struct cut cut);
};

struct handler {
    const struct handler_ops *ops;
    struct part *part; /* does what the handler queues; NULL where nothing is queued */
    bool tunnels;      /* it may open tunnels: clients are told that they may ask for them */
};

#endif

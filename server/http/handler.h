/*
 * The seam between the server and what answers a request. A handler is one for each worker; for
 * each exchange it may attach an instance of its own. Its callbacks record and queue: the work is
 * done in run, once in each turn of the worker.
 */
#ifndef HTTP_HANDLER_H
#define HTTP_HANDLER_H

#include <stdbool.h>

struct exchange;
struct handler;

enum { HANDLER_TICK_MS = 20 }; /* milliseconds of CPU time */

struct handler_ops {
    /* A request's head is complete. Sets x->instance to attach, or responds at once and does not.
     */
    void (*start)(struct handler *h, struct exchange *x);
    /* More of the body, or the end of the request, has arrived. */
    void (*on_readable)(struct exchange *x);
    /* What x->want asked for has come about. */
    void (*on_writable)(struct exchange *x);
    /* The exchange is lost, and is not to be touched after this call. reason is borrowed. */
    void (*on_abort)(struct exchange *x, const char *reason);
    /* Does queued work, within a budget. Returns whether there is more. */
    bool (*run)(struct handler *h);
    /* The process has run for another HANDLER_TICK_MS; may be NULL. Called from a signal handler.
     */
    void (*tick)(struct handler *h);
};

struct handler {
    const struct handler_ops *ops;
};

#endif

/*
 * The seam between the server and what answers a request. A handler is one for each worker; for
 * each exchange it may attach an instance of its own. Its callbacks record and queue: the work is
 * done in run, once in each turn of the worker.
 */
#ifndef HTTP_HANDLER_H
#define HTTP_HANDLER_H

#include "http/cut.h"

#include <stdbool.h>
#include <stddef.h>

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
    /* The exchange is lost, and is not to be touched after this call. */
    void (*on_abort)(struct exchange *x, struct cut cut);
    /* Does queued work, within a budget. Returns whether there is more. */
    bool (*run)(struct handler *h);
    /* The process has run for another HANDLER_TICK_MS; may be NULL. Called from a signal handler.
     */
    void (*tick)(struct handler *h);
    /* Reads anew what it answers with; where that fails, the old stays in force, and why says what
     * failed. Returns whether it did. May be NULL. */
    bool (*reload)(struct handler *h, char *why, size_t why_size);
    /* What is on disk does not load, for the reason given; NULL: it does again. May be NULL. */
    void (*set_fault)(struct handler *h, const char *why);
};

struct handler {
    const struct handler_ops *ops;
};

#endif

/*
 * The handler that picks the handler of each exchange: by the longest prefix of its path; if there
 * is none, or its handler declines, the others are asked in turn until one does not decline. If all
 * decline, the answer is 404 (exchange_start).
 *
 * It owns nothing: handlers, prefixes and filter sources are borrowed.
 */
#ifndef HTTP_DISPATCH_H
#define HTTP_DISPATCH_H

#include "core/rc.h"
#include "core/str.h"
#include "http/handler.h"

struct exchange;

enum { DISPATCH_OTHERS = 8 }; /* handlers behind the prefixes */

/* A prefix and its handler; embedded by its owner. "/" takes all. */
struct dispatch_prefix {
    struct dispatch_prefix *next;
    struct str prefix; /* begins with a slash; see prefix.h */
    struct handler *handler;
};

/* What puts filters (filter.h) between an answer and the connection, before a handler is asked. */
struct filter_source {
    struct filter_source *next;
    /* RC_NOMEM: the exchange is answered with 503. */
    enum rc (*put)(struct filter_source *s, struct exchange *x);
};

struct dispatch {
    struct handler base;
    struct dispatch_prefix *first; /* the longest come first */
    struct handler *others[DISPATCH_OTHERS];
    int count;
    struct filter_source *filters; /* in the order in which they put theirs */
};

void dispatch_init(struct dispatch *d);
/* p->prefix and p->handler are set. Of equal prefixes the one that was added first counts. */
void dispatch_add_prefix(struct dispatch *d, struct dispatch_prefix *p);
/* Adds a handler behind those that were added before. */
void dispatch_add(struct dispatch *d, struct handler *h);
/* Filters are put behind those of the sources that were added before: nearer to the handler. */
void dispatch_add_filters(struct dispatch *d, struct filter_source *s);

/* Whether nothing is left for the handlers behind the prefixes. */
bool dispatch_takes_all(const struct dispatch *d);
/* A prefix that takes every path of a pattern (router.h); NULL. */
const struct dispatch_prefix *dispatch_covering(const struct dispatch *d, struct str pattern);
/* The handler that a path's prefix names; NULL. */
struct handler *dispatch_find(const struct dispatch *d, struct str path);

#endif

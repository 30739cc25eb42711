/*
 * The addresses of a name that calls go round: which of them is to get the next connection. One
 * that none could be opened to is left out for some seconds; where all are, the one that comes back
 * first is tried.
 */
#ifndef PROXY_SPREAD_H
#define PROXY_SPREAD_H

#include "net/resolver.h"

#include <stdbool.h>
#include <stdint.h>

struct spread {
    struct spread_address {
        struct sockaddr_storage at;
        uint32_t conns; /* connections to it, those that are being opened included */
        double out_until;
    } list[LOOKUP_MAX];
    size_t count;
};

/* The addresses are these now; what is known of those that stay is kept. Connections to an address
 * that is listed no more are forgotten. */
void spread_set(struct spread *s, const struct sockaddr_storage *list, size_t count);
/* The one with the fewest connections of those that are not left out at the time given, or the one
 * that comes back first; of one at least. */
struct spread_address *spread_pick(struct spread *s, double now);
/* One that has no connection and is not left out, or NULL. */
struct spread_address *spread_find_bare(struct spread *s, double now);
/* A connection to it has ended; failed: it never came about. */
void spread_closed(struct spread *s, const struct sockaddr_storage *at, bool failed, double now);
/* Whether all are left out. */
bool spread_is_out(const struct spread *s, double now);

#endif

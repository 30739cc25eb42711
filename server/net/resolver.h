/*
 * Names of servers into addresses, without blocking (c-ares): by /etc/hosts and the name servers of
 * /etc/resolv.conf, as they are when the resolver is made. One for each worker.
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include "core/rc.h"

#include <stddef.h>
#include <sys/socket.h>

struct ev_loop;
struct resolver;
struct query;

enum { LOOKUP_MAX = 8 }; /* addresses of a name, at the most */

/* A name, and its addresses as they are known, which stay good while it is looked up anew. The
 * owner embeds one. */
struct lookup {
    /* Called once for each lookup_start, never from within it. The list has what was found; where
     * the name servers could not say, what it had before; and where that was nothing, or there is
     * no such name, nothing: then why says in static storage what went wrong. */
    void (*done)(struct lookup *l, const char *why);
    struct sockaddr_storage list[LOOKUP_MAX];
    size_t count;
    struct query *query; /* NULL while nothing is asked */
};

/* Asks the name servers listed, as "address[:port],…", or the system's where servers is NULL. The
 * loop is borrowed. RC_INVALID for a list that is none, RC_SYSTEM, RC_NOMEM. */
enum rc resolver_new(struct ev_loop *ev, const char *servers, struct resolver **out) MUST_CHECK;
/* Lookups under way must have been cancelled. */
void resolver_free(struct resolver *r);
/* port is in digits. RC_NOMEM. */
enum rc lookup_start(
    struct lookup *l, struct resolver *r, const char *host, const char *port) MUST_CHECK;
/* done will not be called. No effect if nothing was asked. */
void lookup_cancel(struct lookup *l);

#endif

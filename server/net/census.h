/*
 * How many connections there are, in all and from each address: an IPv4 address, or the /64 of an
 * IPv6 address. It owns its entries; an address has one while it has connections.
 */
#ifndef NET_CENSUS_H
#define NET_CENSUS_H

#include "core/rc.h"

#include <stdint.h>
#include <sys/socket.h>

enum { CENSUS_BUCKETS = 1024 };

struct census_entry;

struct census {
    uint32_t total;
    struct census_entry *buckets[CENSUS_BUCKETS];
};

/* Counts a connection in. RC_LIMIT where there are max_total in all, or max_each from its address
 * (0 is no limit): it is not counted then. RC_NOMEM. *entry must be given back when the connection
 * ends. */
enum rc census_enter(struct census *c, const struct sockaddr *sa, uint32_t max_total,
    uint32_t max_each, struct census_entry **entry) MUST_CHECK;
void census_leave(struct census *c, struct census_entry *entry);

#endif

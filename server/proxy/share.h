/*
 * Shares: what each client has of a pool's connections. A call takes a place of its client's share
 * from the time it waits for a connection until it is over: a whole connection of HTTP/1.x, or the
 * part of one of HTTP/2 that a stream is. Where the share is used up the client's further calls
 * wait here, and not with those of others.
 *
 * It owns its entries; a client has one while it has calls.
 */
#ifndef PROXY_SHARE_H
#define PROXY_SHARE_H

#include "core/list.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SHARE_UNIT = 65536,  /* one connection */
    SHARE_BUCKETS = 256, /* by 8 bits of a hash */
};

struct share {
    struct list link; /* in its bucket */
    uint64_t client;
    uint64_t taken;      /* in parts of SHARE_UNIT */
    struct list waiting; /* tickets, by ticket.link */
    uint32_t waits;
};

struct shares {
    struct list buckets[SHARE_BUCKETS];
};

/* Who a client is, by its address as exchanges have it ("1.2.3.4:5", "[2001:db8::1]:5"): an IPv4
 * address, or the /64 of an IPv6 address. 0 if it has none, as on a unix socket: then nobody's
 * share is taken. */
uint64_t share_client(const char *remote);

void shares_init(struct shares *s);
/* The client's; NULL when memory ran out. To be followed by share_take, or by share_release. */
struct share *share_of(struct shares *s, uint64_t client);
/* Takes a part, of at most so many in all; false if there is no room for it. A client that has
 * nothing gets its part in any case. */
bool share_take(struct share *s, uint64_t part, uint64_t most);
void share_give_back(struct share *s, uint64_t part);
/* Frees it, unless it has something, or something waits. */
void share_release(struct share *s);

#endif

/*
 * Connecting: one socket out of a list of addresses, which are tried in turn: another when one
 * fails, or has not answered after a while; the first to answer wins (RFC 8305, in short).
 *
 * The result is reported once, and never from within connecting_start; what was begun is freed
 * then.
 */
#ifndef NET_CONNECTING_H
#define NET_CONNECTING_H

#include "core/rc.h"

#include <stddef.h>
#include <sys/socket.h>

struct connecting;
struct ev_loop;

enum { CONNECTING_ADDRESSES = 8 };

/* fd is connected, to the address, and belongs to the owner. If none has answered, fd is -1, and
 * why says in static storage what went wrong last. The address is borrowed from the list. */
typedef void connecting_done(
    void *owner, int fd, const struct sockaddr_storage *address, const char *why);

/* Begins to try the addresses, one at least and CONNECTING_ADDRESSES at most, which are borrowed
 * until the end. RC_NOMEM. */
enum rc connecting_start(struct ev_loop *ev, const struct sockaddr_storage *addresses, size_t count,
    connecting_done *done, void *owner, struct connecting **out) MUST_CHECK;
/* Ends it: nothing is reported. */
void connecting_cancel(struct connecting *g);

/* The length of an address of its family. */
socklen_t connecting_length(const struct sockaddr_storage *address);

#endif

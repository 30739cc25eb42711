/*
 * Which version of HTTP a connection speaks: with TLS the one that ALPN agreed upon, or HTTP/1.x if
 * the client did not ask; on plaintext HTTP/2 if the client begins with its preface (RFC 9113 3.3
 * and 3.4), which is no valid beginning of an HTTP/1.x request.
 */
#ifndef NET_PROTOCOL_H
#define NET_PROTOCOL_H

#include "core/rc.h"

#include <stddef.h>
#include <stdint.h>

struct net_limits;
struct session;
struct session_host;

enum protocol { PROTOCOL_UNKNOWN, PROTOCOL_HTTP_1, PROTOCOL_HTTP_2 };

/* name is NULL where nothing was agreed upon. */
enum protocol protocol_of_alpn(const char *name);
/* Looks at the first bytes of a plaintext connection, in pieces of any size; *seen, 0 at first, is
 * how many bytes of the preface have come. */
enum protocol protocol_of_bytes(size_t *seen, const uint8_t *data, size_t n);

/* A session that speaks the protocol, fed with as many bytes of the preface as were kept from it.
 * RC_NOMEM. */
enum rc protocol_open(enum protocol protocol, size_t seen, struct session_host *host,
    const struct net_limits *limits, struct session **out) MUST_CHECK;
/* A session in the client role, of HTTP/2 or HTTP/1.x. */
enum rc protocol_open_client(enum protocol protocol, struct session_host *host,
    const struct net_limits *limits, struct session **out) MUST_CHECK;

#endif

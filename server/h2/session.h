/*
 * HTTP/2 sessions (RFC 9113) on nghttp2: one for each connection, owning its streams, each of which
 * holds an exchange. input.c turns what nghttp2 reads into exchanges; output.c turns what exchanges
 * hold into frames.
 */
#ifndef H2_SESSION_H
#define H2_SESSION_H

#include "core/rc.h"

#include <stdint.h>

struct session;
struct session_host;

struct h2_limits {
    uint32_t max_streams;   /* concurrent, announced as MAX_CONCURRENT_STREAMS */
    uint32_t header_bytes;  /* of a decoded header list, as RFC 9113 10.5.1 counts them */
    uint32_t header_fields; /* in a decoded header list */
    uint32_t stream_window; /* bytes of a request's body held for a handler that does not read */
    uint32_t conn_window;   /* bytes of all bodies under way at once */
};

/* The defaults. */
extern const struct h2_limits h2_limits_default;

/* A server session; limits are borrowed for its life. RC_NOMEM. */
enum rc h2_session_new(
    struct session_host *host, const struct h2_limits *limits, struct session **out) MUST_CHECK;

#endif

/*
 * HTTP/2 sessions (RFC 9113) on nghttp2: one for each connection, owning its streams, each of which
 * holds an exchange. input.c turns what nghttp2 reads into exchanges; output.c turns what exchanges
 * hold into frames; guard.c counts what a peer may not do too often.
 */
#ifndef H2_SESSION_H
#define H2_SESSION_H

#include "core/rc.h"
#include "h2/guard.h"

#include <stdint.h>

struct session;
struct session_host;

/* Seconds of 0 are no limit. */
struct h2_limits {
    uint32_t max_streams;   /* concurrent, announced as MAX_CONCURRENT_STREAMS */
    uint32_t header_bytes;  /* of a decoded header list, as RFC 9113 10.5.1 counts them */
    uint32_t header_fields; /* in a decoded header list */
    uint32_t continuations; /* CONTINUATION frames of one header block */
    uint32_t stream_window; /* bytes of a request's body held for a handler that does not read */
    uint32_t conn_window;   /* bytes of all bodies held at once, or under way */
    uint32_t queued_frames; /* frames of ours, acknowledgements and the like, waiting to go out */
    uint32_t a_second[GUARD_KINDS]; /* events of each kind in a second */
    double preface_timeout;         /* seconds until the peer's SETTINGS */
    double header_timeout;  /* seconds for a header block, from its first frame to its last */
    double body_timeout;    /* seconds for the next piece of a body that a handler waits for */
    double write_timeout;   /* seconds in which a peer's windows let nothing of a body go */
    double request_timeout; /* seconds for a whole exchange */
};

/* The defaults. */
extern const struct h2_limits h2_limits_default;

/* A server session; limits are borrowed for its life. RC_NOMEM. */
enum rc h2_session_new(
    struct session_host *host, const struct h2_limits *limits, struct session **out) MUST_CHECK;

#endif

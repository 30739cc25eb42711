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

struct http_limits;
struct session;
struct session_host;

/* What HTTP/2 alone has; http/limits.h has the rest. Seconds of 0 are no limit. */
struct h2_limits {
    uint32_t max_streams;   /* concurrent, announced as MAX_CONCURRENT_STREAMS */
    uint32_t continuations; /* CONTINUATION frames of one header block */
    uint32_t conn_window;   /* bytes of all bodies held at once, or under way */
    uint32_t queued_frames; /* frames of ours, acknowledgements and the like, waiting to go out */
    uint32_t a_second[GUARD_KINDS]; /* events of each kind in a second */
    double preface_timeout;         /* seconds until the peer's SETTINGS */
};

/* The defaults. */
extern const struct h2_limits h2_limits_default;

/* A server session; both limits are borrowed for its life. RC_NOMEM. */
enum rc h2_session_new(struct session_host *host, const struct http_limits *common,
    const struct h2_limits *limits, struct session **out) MUST_CHECK;

#endif

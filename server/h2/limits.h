/* What an HTTP/2 session, in either role, lets its peer do. */
#ifndef H2_LIMITS_H
#define H2_LIMITS_H

#include "h2/guard.h"

#include <stdint.h>

/* What HTTP/2 alone has; http/limits.h has the rest. Seconds of 0 are no limit. */
struct h2_limits {
    uint32_t max_streams;   /* concurrent, announced as MAX_CONCURRENT_STREAMS */
    uint32_t continuations; /* CONTINUATION frames of one header block */
    uint32_t conn_window;   /* bytes of all bodies that may be under way to us */
    uint32_t queued_frames; /* frames of ours, acknowledgements and the like, waiting to go out */
    uint32_t a_second[GUARD_KINDS]; /* events of each kind in a second */
    double preface_timeout;         /* seconds until the peer's SETTINGS */
};

/* The defaults. */
extern const struct h2_limits h2_limits_default;

#endif

/* The limits that every version of HTTP shares. Seconds and rates of 0 are no limit. */
#ifndef HTTP_LIMITS_H
#define HTTP_LIMITS_H

#include <stdint.h>

struct http_limits {
    uint32_t header_bytes;  /* of a decoded header list, as RFC 9113 10.5.1 counts them */
    uint32_t header_fields; /* in a decoded header list */
    uint32_t stream_window; /* bytes of a request's body held for a handler that does not read */
    uint32_t min_body_rate; /* bytes a second at which a body that a handler waits for arrives */
    uint32_t min_send_rate; /* bytes a second at which a peer takes what waits for it */
    double header_timeout;  /* seconds for a header block, from its first byte to its last */
    double body_timeout;    /* seconds for the next piece of a body that a handler waits for */
    double write_timeout;   /* seconds in which a peer lets nothing of a response go */
    double request_timeout; /* seconds for a whole exchange */
    double tunnel_timeout; /* seconds in which nothing moves in a tunnel; in place of the body's and
                              the request's */
};

/* The defaults. */
extern const struct http_limits http_limits_default;

#endif

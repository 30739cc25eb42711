/* The size of a header list while it is decoded, against the limits of http/limits.h. */
#ifndef H2_HEADER_SIZE_H
#define H2_HEADER_SIZE_H

#include "http/limits.h"

#include <stdbool.h>
#include <stddef.h>

struct header_size {
    size_t bytes, fields;
    const char *too_large; /* the limit that was passed, or NULL */
};

/* Counts a field, by RFC 9113 10.5.1; false once a limit is passed. */
static inline bool header_size_add(
    struct header_size *h, const struct http_limits *limits, size_t bytes)
{
    h->bytes += bytes + 32;
    h->fields++;
    if (!h->too_large && h->bytes > limits->header_bytes)
        h->too_large = "max-header-bytes";
    if (!h->too_large && h->fields > limits->header_fields)
        h->too_large = "max-header-fields";
    return !h->too_large;
}

/* Whether it is so many times a limit that it is no mistake: what HPACK made of few bytes would
 * take long to decode. */
static inline bool header_size_is_bomb(
    const struct header_size *h, const struct http_limits *limits)
{
    enum { BOMB = 4 };
    return h->bytes / BOMB > limits->header_bytes || h->fields / BOMB > limits->header_fields;
}

#endif

/*
 * Streams that the client has ended, with END_STREAM or RST_STREAM. DATA or HEADERS on one of these
 * can't have been in flight while we closed it: they are an error of the connection (RFC 9113 5.1).
 * nghttp2 forgets a stream once it is closed; here the last ENDED_MAX are known.
 */
#ifndef H2_ENDED_H
#define H2_ENDED_H

#include <stdbool.h>
#include <stdint.h>

enum { ENDED_MAX = 128 };

struct ended {
    int32_t streams[ENDED_MAX]; /* that of number n is at n / 2 modulo ENDED_MAX */
};

/* Notes the end of a client's stream. */
static inline void ended_add(struct ended *e, int32_t id)
{
    e->streams[id / 2 % ENDED_MAX] = id;
}

static inline bool ended_has(const struct ended *e, int32_t id)
{
    return id && e->streams[id / 2 % ENDED_MAX] == id;
}

#endif

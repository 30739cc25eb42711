/*
 * A bounded queue of bytes, first in, first out, kept in chunks. It owns its chunks and never holds
 * more than its maximum. Chunks come from the pool, small ones first, so that a short body costs a
 * short block.
 */
#ifndef CORE_BYTES_H
#define CORE_BYTES_H

#include "core/check.h"
#include "core/rc.h"

#include <stddef.h>

struct bytes_chunk;

struct bytes {
    struct bytes_chunk *first, *last;
    size_t len; /* bytes queued */
    size_t max; /* bytes that may be queued */
};

void bytes_init(struct bytes *b, size_t max);
void bytes_fini(struct bytes *b);

/* Appends a copy, whole or not at all. RC_LIMIT past the maximum, RC_NOMEM. */
enum rc bytes_append(struct bytes *b, const void *data, size_t n) MUST_CHECK;
/* The longest run at the front that lies in one piece; *n is 0 when the queue is empty. */
const char *bytes_front(const struct bytes *b, size_t *n);
/* Drops n bytes from the front; n is at most b->len. */
void bytes_drop(struct bytes *b, size_t n);
/* Moves up to n bytes from the front to out; returns how many. */
size_t bytes_take(struct bytes *b, void *out, size_t n);

static inline size_t bytes_room(const struct bytes *b)
{
    check_hot(b->len <= b->max);
    return b->max - b->len;
}

#endif

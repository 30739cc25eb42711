/*
 * An arena: many small allocations that all go at once. It owns its blocks and is bounded: past its
 * maximum, and when memory runs out, it gives NULL. The first block may be the owner's own.
 */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
    char *next, *end;           /* what is free in the current block */
    struct arena_block *blocks; /* those taken from the heap */
    size_t used, max;           /* bytes from the heap; their bound */
};

/* first, of the given size, serves before the heap does and is not owned. */
void arena_init(struct arena *a, void *first, size_t size, size_t max);
void arena_fini(struct arena *a);

/* Aligned for any type. NULL when out of memory or past the maximum. */
void *arena_alloc(struct arena *a, size_t size);
/* Not aligned, for text. */
char *arena_bytes(struct arena *a, size_t size);
/* A copy of size bytes with a NUL behind it. */
char *arena_copy(struct arena *a, const void *data, size_t size);

#endif

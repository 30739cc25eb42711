/*
 * Memory. All of the project's own heap, and that of the libraries that take an allocator, goes
 * through here, so that it can be counted, pooled, and made to fail by tests.
 *
 * Freed blocks of up to MEM_POOLED bytes are kept by size class, up to MEM_CLASS_KEEP bytes for
 * each class, and given out again without a call to malloc. In a sanitizer build nothing is kept,
 * so that each use after free is seen.
 *
 * One process, one thread: no locks.
 */
#ifndef CORE_MEM_H
#define CORE_MEM_H

#include <stddef.h>
#include <stdint.h>

enum {
    MEM_POOLED = 32768,       /* the largest block that is kept, in bytes */
    MEM_CLASS_KEEP = 4 << 20, /* bytes kept in each class at the most */
};

/* Sized blocks: the caller says the size again on free. NULL when memory ran out; zero is no size.
 */
void *mem_get(size_t size);
void *mem_get_zeroed(size_t size);
void mem_put(void *block, size_t size);
/* Moves to the new size, keeping the content; on NULL the old block is as it was. */
void *mem_resize(void *block, size_t old_size, size_t new_size);

/* Blocks that remember their size, for libraries with a malloc interface. */
void *mem_malloc(size_t size);
void *mem_calloc(size_t count, size_t size);
void *mem_realloc(void *block, size_t size);
void mem_free(void *block);
/* A copy of a text; NULL when memory ran out. */
char *mem_strdup(const char *text);
/* What was asked for. */
size_t mem_size(const void *block);

struct mem_stats {
    uint64_t blocks;  /* alive now */
    uint64_t bytes;   /* alive now, as asked for */
    uint64_t mallocs; /* calls to the system's allocator since the start */
};
const struct mem_stats *mem_stats(void);

/* Gives all kept blocks back to the system, and what its allocator keeps as well. Takes time. */
void mem_trim(void);

/* For tests: the n-th request from now (1 is the next) fails, and each one after it while sticky. 0
 * ends it. Only in a sanitizer build. */
void mem_fail_at(uint64_t n, int sticky);

#endif

#include "core/arena.h"

#include "core/check.h"
#include "core/mem.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { BLOCK_SIZE = 4096, ALIGNMENT = alignof(max_align_t) };

struct arena_block {
    struct arena_block *next;
    size_t size;
};

void arena_init(struct arena *a, void *first, size_t size, size_t max)
{
    a->next = first;
    a->end = a->next + size;
    a->blocks = NULL;
    a->used = 0;
    a->max = max;
}

void arena_fini(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *b = a->blocks;
        a->blocks = b->next;
        mem_put(b, b->size);
    }
    a->next = a->end = NULL;
    a->used = 0;
}

/* Makes a block of at least size bytes the current one; false when there is no memory for it. */
static bool grow(struct arena *a, size_t size)
{
    size_t header = (sizeof(struct arena_block) + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (size > a->max)
        return false;
    size_t total = header + size + ALIGNMENT;
    if (total < BLOCK_SIZE)
        total = BLOCK_SIZE;
    if (total > a->max - a->used)
        return false;
    struct arena_block *b = mem_get(total);
    if (!b)
        return false;
    b->next = a->blocks;
    b->size = total;
    a->blocks = b;
    a->used += total;
    check_hot(a->used <= a->max);
    a->next = (char *)b + header;
    a->end = (char *)b + total;
    return true;
}

/* Takes size bytes from the current block, aligned; NULL if they do not fit. */
static void *take(struct arena *a, size_t size, size_t alignment)
{
    uintptr_t at = ((uintptr_t)a->next + alignment - 1) & ~(uintptr_t)(alignment - 1);
    if (at > (uintptr_t)a->end || size > (uintptr_t)a->end - at)
        return NULL;
    void *found = a->next + (at - (uintptr_t)a->next);
    a->next = (char *)found + size;
    return found;
}

static void *alloc(struct arena *a, size_t size, size_t alignment)
{
    void *found = take(a, size, alignment);
    if (!found && grow(a, size))
        found = take(a, size, alignment);
    return found;
}

void *arena_alloc(struct arena *a, size_t size)
{
    return alloc(a, size, ALIGNMENT);
}

char *arena_bytes(struct arena *a, size_t size)
{
    if (size > (size_t)(a->end - a->next))
        return alloc(a, size, 1);
    char *found = a->next;
    a->next += size;
    return found;
}

char *arena_copy(struct arena *a, const void *data, size_t size)
{
    char *copy = arena_bytes(a, size + 1);
    if (!copy)
        return NULL;
    if (size)
        memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

#include "h2/memory.h"

#include "core/check.h"
#include "core/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A block has the size of a queue of 256 streams. */
enum { RESERVE_BLOCKS = 16, RESERVE_BLOCK = 2048 };

static union {
    char bytes[RESERVE_BLOCK];
    max_align_t align;
} reserve[RESERVE_BLOCKS];

static bool taken[RESERVE_BLOCKS];

/* The index of a block of the reserve; RESERVE_BLOCKS for another block. */
static size_t reserved(const void *block)
{
    uintptr_t at = (uintptr_t)block, first = (uintptr_t)reserve;
    return at >= first && at < first + sizeof reserve ? (at - first) / sizeof *reserve
                                                      : RESERVE_BLOCKS;
}

static void *take_reserved(const void *block, size_t size)
{
    for (size_t i = 0; size <= RESERVE_BLOCK && i < RESERVE_BLOCKS; i++) {
        if (taken[i])
            continue;
        taken[i] = true;
        if (block)
            memcpy(&reserve[i], block, mem_size(block) < size ? mem_size(block) : size);
        return &reserve[i];
    }
    return NULL;
}

static void *ng_malloc(size_t size, void *unused)
{
    (void)unused;
    return mem_malloc(size);
}

static void ng_free(void *block, void *unused)
{
    (void)unused;
    size_t i = reserved(block);
    check_hot(i == RESERVE_BLOCKS || taken[i]);
    if (i < RESERVE_BLOCKS)
        taken[i] = false;
    else
        mem_free(block);
}

static void *ng_calloc(size_t count, size_t size, void *unused)
{
    (void)unused;
    return mem_calloc(count, size);
}

static void *ng_realloc(void *block, size_t size, void *unused)
{
    if (reserved(block) < RESERVE_BLOCKS)
        return size <= RESERVE_BLOCK ? block : NULL;
    void *moved = mem_realloc(block, size);
    if (moved)
        return moved;
    moved = take_reserved(block, size);
    if (moved)
        ng_free(block, unused);
    return moved;
}

nghttp2_mem *h2_memory(void)
{
    static nghttp2_mem memory = {NULL, ng_malloc, ng_free, ng_calloc, ng_realloc};
    return &memory;
}

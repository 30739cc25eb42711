#include "core/mem.h"

#include "core/check.h"

#include <malloc.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

/*
 * Size classes: one for each 16 bytes up to 512, and then four to each doubling (640, 768, 896,
 * 1024, 1280 …), so that a block wastes at most a fifth of itself.
 */
enum { UNIT = 16, SMALL = 512, SMALL_CLASSES = SMALL / UNIT, CLASS_COUNT = SMALL_CLASSES + 24 };

struct kept {
    struct kept *next;
};

struct class
{
    struct kept *first;
    size_t kept_bytes;
};

static struct class classes[CLASS_COUNT];
static struct mem_stats stats;

/* With sanitizers on, nothing is kept, and a test can make requests fail. gcc and clang announce
 * sanitizers in different ways. */
#if defined(__has_feature)
#define HAS_FEATURE(x) __has_feature(x)
#else
#define HAS_FEATURE(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || HAS_FEATURE(address_sanitizer)
enum { KEEP = 0, CAN_FAIL = 1 };
#else
enum { KEEP = MEM_CLASS_KEEP, CAN_FAIL = 0 };
#endif

static uint64_t fail_at, requests;
static int fail_sticky;

const struct mem_stats *mem_stats(void)
{
    return &stats;
}

void mem_fail_at(uint64_t n, int sticky)
{
    fail_at = n ? requests + n : 0;
    fail_sticky = sticky;
}

static int told_to_fail(void)
{
    if (!CAN_FAIL)
        return 0;
    requests++;
    return fail_at && (requests == fail_at || (fail_sticky && requests > fail_at));
}

/* The class of a size. Rounds the size, at most MEM_POOLED, up to that of the class's blocks. */
static inline struct class *class_of(size_t *size)
{
    if (__builtin_expect(*size <= SMALL, 1)) {
        size_t index = (*size - 1) / UNIT;
        *size = (index + 1) * UNIT;
        return &classes[index];
    }
    int doubling = 63 - __builtin_clzll(*size - 1); /* 9 for 513..1024 */
    size_t quarter = (*size - 1) >> (doubling - 2); /* 4..7 */
    *size = (quarter + 1) << (doubling - 2);
    return &classes[SMALL_CLASSES + (size_t)(doubling - 9) * 4 + quarter - 4];
}

/* Out of line, as is give_back: so a request that the pool can answer needs no stack frame, and
 * costs half as much. */
static __attribute__((noinline)) void *take_new(size_t size, size_t rounded)
{
    stats.mallocs++;
    void *block = malloc(rounded);
    if (block) {
        stats.blocks++;
        stats.bytes += size;
    }
    return block;
}

void *mem_get(size_t size)
{
    check_hot(size > 0);
    if (told_to_fail())
        return NULL;
    if (!KEEP || size > MEM_POOLED)
        return take_new(size, size);
    size_t rounded = size;
    struct class *c = class_of(&rounded);
    struct kept *k = c->first;
    if (!k)
        return take_new(size, rounded);
    c->first = k->next;
    c->kept_bytes -= rounded;
    stats.blocks++;
    stats.bytes += size;
    return k;
}

void *mem_get_zeroed(size_t size)
{
    void *block = mem_get(size);
    return block ? memset(block, 0, size) : NULL;
}

static __attribute__((noinline)) void give_back(void *block)
{
    free(block);
}

void mem_put(void *block, size_t size)
{
    if (!block)
        return;
    check_hot(size > 0 && stats.blocks > 0 && stats.bytes >= size);
    stats.blocks--;
    stats.bytes -= size;
    if (!KEEP || size > MEM_POOLED) {
        give_back(block);
        return;
    }
    struct class *c = class_of(&size);
    if (c->kept_bytes + size > KEEP) {
        give_back(block);
        return;
    }
    struct kept *k = block;
    k->next = c->first;
    c->first = k;
    c->kept_bytes += size;
}

static size_t rounded_size(size_t size)
{
    class_of(&size);
    return size;
}

void *mem_resize(void *block, size_t old_size, size_t new_size)
{
    if (!block)
        return mem_get(new_size);
    if (old_size > MEM_POOLED && new_size > MEM_POOLED) {
        if (told_to_fail())
            return NULL;
        stats.mallocs++;
        void *moved = realloc(block, new_size);
        if (moved)
            stats.bytes += new_size - old_size;
        return moved;
    }
    if (KEEP && old_size <= MEM_POOLED && new_size <= MEM_POOLED &&
        rounded_size(old_size) == rounded_size(new_size)) {
        stats.bytes += new_size - old_size;
        return block;
    }
    void *moved = mem_get(new_size);
    if (!moved)
        return NULL;
    memcpy(moved, block, old_size < new_size ? old_size : new_size);
    mem_put(block, old_size);
    return moved;
}

/* The size stands in front of the block. The block stays aligned for any type. */
struct prefix {
    alignas(max_align_t) size_t size;
};

void *mem_malloc(size_t size)
{
    if (size > SIZE_MAX - sizeof(struct prefix))
        return NULL;
    struct prefix *p = mem_get(sizeof *p + size);
    if (!p)
        return NULL;
    p->size = sizeof *p + size;
    return p + 1;
}

void *mem_calloc(size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    void *block = mem_malloc(total);
    return block ? memset(block, 0, total) : NULL;
}

void *mem_realloc(void *block, size_t size)
{
    if (!block)
        return mem_malloc(size);
    if (size > SIZE_MAX - sizeof(struct prefix))
        return NULL;
    struct prefix *p = (struct prefix *)block - 1;
    p = mem_resize(p, p->size, sizeof *p + size);
    if (!p)
        return NULL;
    p->size = sizeof *p + size;
    return p + 1;
}

char *mem_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = mem_malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

void mem_free(void *block)
{
    if (!block)
        return;
    struct prefix *p = (struct prefix *)block - 1;
    mem_put(p, p->size);
}

size_t mem_size(const void *block)
{
    return block ? ((const struct prefix *)block - 1)->size - sizeof(struct prefix) : 0;
}

void mem_trim(void)
{
    for (int i = 0; i < CLASS_COUNT; i++) {
        while (classes[i].first) {
            struct kept *k = classes[i].first;
            classes[i].first = k->next;
            free(k);
        }
        classes[i].kept_bytes = 0;
    }
    malloc_trim(0);
}

#include "cost.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The linker gives these the calls that were meant for the functions of those names. None may count
 * itself. */
#define UNCOUNTED __attribute__((no_sanitize("coverage", "address", "undefined")))

enum { BYTES_A_STEP = 16, ONE_IN = 16 };

static uint64_t steps;
static bool counting;

static UNCOUNTED void count(size_t bytes)
{
    if (counting)
        steps += 1 + bytes / BYTES_A_STEP;
}

void __wrap___sanitizer_cov_trace_pc_guard(uint32_t *guard);
UNCOUNTED void __wrap___sanitizer_cov_trace_pc_guard(uint32_t *guard)
{
    (void)guard;
    steps += counting;
}

void __wrap___sanitizer_cov_trace_pc_guard_init(uint32_t *start, uint32_t *stop);
UNCOUNTED void __wrap___sanitizer_cov_trace_pc_guard_init(uint32_t *start, uint32_t *stop)
{
    (void)start, (void)stop;
}

void *__real___asan_memcpy(void *to, const void *from, size_t n);
void *__wrap___asan_memcpy(void *to, const void *from, size_t n);
UNCOUNTED void *__wrap___asan_memcpy(void *to, const void *from, size_t n)
{
    count(n);
    return __real___asan_memcpy(to, from, n);
}

void *__real___asan_memmove(void *to, const void *from, size_t n);
void *__wrap___asan_memmove(void *to, const void *from, size_t n);
UNCOUNTED void *__wrap___asan_memmove(void *to, const void *from, size_t n)
{
    count(n);
    return __real___asan_memmove(to, from, n);
}

void *__real___asan_memset(void *to, int byte, size_t n);
void *__wrap___asan_memset(void *to, int byte, size_t n);
UNCOUNTED void *__wrap___asan_memset(void *to, int byte, size_t n)
{
    count(n);
    return __real___asan_memset(to, byte, n);
}

void *__real_memchr(const void *in, int byte, size_t n);
void *__wrap_memchr(const void *in, int byte, size_t n);
UNCOUNTED void *__wrap_memchr(const void *in, int byte, size_t n)
{
    const char *found = __real_memchr(in, byte, n);
    count(found ? (size_t)(found - (const char *)in) : n);
    return (void *)found;
}

/* May move all of it. */
void *__real_mem_realloc(void *block, size_t size);
void *__wrap_mem_realloc(void *block, size_t size);
UNCOUNTED void *__wrap_mem_realloc(void *block, size_t size)
{
    count(size);
    return __real_mem_realloc(block, size);
}

void cost_begin(void)
{
    steps = 0;
    counting = false;
}

UNCOUNTED void cost_resume(void)
{
    counting = true;
}

UNCOUNTED void cost_pause(void)
{
    counting = false;
}

UNCOUNTED void cost_add(uint64_t n)
{
    if (counting)
        steps += n;
}

void cost_check(uint64_t fixed, uint64_t each, size_t bytes)
{
    if (steps <= fixed + each * bytes)
        return;
    fprintf(stderr, "%zu bytes cost %llu steps\n", bytes, (unsigned long long)steps);
    abort();
}

static uint32_t hash(const uint8_t *data, size_t size)
{
    uint32_t sum = 0x811c9dc5;
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ data[i]) * 0x01000193;
    return sum >> 16;
}

void cost_repeat(
    void (*run)(const uint8_t *data, size_t size), const uint8_t *data, size_t size, size_t head)
{
    static uint8_t all[COST_REPEATED];
    run(data, size);
    if (size <= head || size > sizeof all || hash(data, size) % ONE_IN)
        return;
    size_t n = size, piece = size - head;
    memcpy(all, data, size);
    for (; n + piece <= sizeof all; n += piece)
        memcpy(all + n, data + head, piece);
    run(all, n);
}

/*
 * What the unit tests share: cmocka, comparison of strings, and the rule that each test leaves as
 * many blocks and exchanges alive as it found. A test is listed with checked(), not
 * cmocka_unit_test().
 */
#ifndef UNIT_CHECK_H
#define UNIT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/live.h"
#include "core/mem.h"
#include "core/str.h"

static uint64_t blocks_at_start;

static inline int check_start(void **state)
{
    (void)state;
    blocks_at_start = mem_stats()->blocks;
    return 0;
}

static inline int check_end(void **state)
{
    (void)state;
    mem_fail_at(0, 0);
    assert_int_equal(mem_stats()->blocks, blocks_at_start);
    assert_int_equal(live.exchanges, 0);
    assert_int_equal(live.calls, 0);
    return 0;
}

#define checked(test) cmocka_unit_test_setup_teardown(test, check_start, check_end)

#define count_of(array) (sizeof(array) / sizeof *(array))

/* The bytes of a struct str are those of a string. */
#define assert_str(s, expected) \
    do { \
        struct str s_ = (s); \
        assert_int_equal(s_.n, strlen(expected)); \
        assert_memory_equal(s_.p ? s_.p : "", expected, s_.n); \
    } while (0)

/* Numbers for tests that try at random; the same in each run. */
static inline uint32_t check_random(void)
{
    static uint64_t seed = 1;
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33);
}

#endif

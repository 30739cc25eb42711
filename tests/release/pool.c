/* The pool of core/mem.h, which sanitizer builds leave out: built as for use. */
#include "core/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const size_t sizes[] = {1, 16, 17, 250, 512, 513, 700, 2100, 9000, MEM_POOLED};

enum { SIZES = sizeof sizes / sizeof *sizes };

static uint64_t mallocs(void)
{
    return mem_stats()->mallocs;
}

static void Put_EachSize_GivenOutAgain(void **state)
{
    (void)state;
    for (size_t size = 1; size <= MEM_POOLED; size += size < 600 ? 1 : 97) {
        void *block = mem_get(size);
        memset(block, 1, size);
        mem_put(block, size);
        uint64_t before = mallocs();
        assert_ptr_equal(mem_get(size), block);
        assert_int_equal(mallocs(), before);
        mem_put(block, size);
    }
}

/* The pool counts what it keeps: an error in that would fill it, for good, with nothing. */
static void Put_ManyTimes_StillKept(void **state)
{
    enum { ROUNDS = 500000 };
    (void)state;
    for (size_t i = 0; i < SIZES; i++) {
        mem_put(mem_get(sizes[i]), sizes[i]);
        uint64_t before = mallocs();
        for (int round = 0; round < ROUNDS; round++)
            mem_put(mem_get(sizes[i]), sizes[i]);
        assert_int_equal(mallocs(), before);
    }
}

static void Put_PastTheBound_NotKept(void **state)
{
    enum { BLOCKS = 2 * MEM_CLASS_KEEP / MEM_POOLED };
    void *blocks[BLOCKS];
    (void)state;
    mem_trim();
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = mem_get(MEM_POOLED);
    for (int i = 0; i < BLOCKS; i++)
        mem_put(blocks[i], MEM_POOLED);
    uint64_t before = mallocs();
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = mem_get(MEM_POOLED);
    assert_int_equal(mallocs(), before + BLOCKS / 2);
    for (int i = 0; i < BLOCKS; i++)
        mem_put(blocks[i], MEM_POOLED);
}

static void Put_TooLarge_NotKept(void **state)
{
    (void)state;
    mem_put(mem_get(MEM_POOLED + 1), MEM_POOLED + 1);
    uint64_t before = mallocs();
    mem_put(mem_get(MEM_POOLED + 1), MEM_POOLED + 1);
    assert_int_equal(mallocs(), before + 1);
}

static void Resize_WithinAClass_Stays(void **state)
{
    (void)state;
    void *block = mem_get(1030);
    uint64_t before = mallocs();
    assert_ptr_equal(mem_resize(block, 1030, 1280), block);
    assert_ptr_equal(mem_resize(block, 1280, 1025), block);
    assert_int_equal(mallocs(), before);
    mem_put(block, 1025);
}

static void Trim_EachSize_NothingKept(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIZES; i++)
        mem_put(mem_get(sizes[i]), sizes[i]);
    mem_trim();
    for (size_t i = 0; i < SIZES; i++) {
        uint64_t before = mallocs();
        mem_put(mem_get(sizes[i]), sizes[i]);
        mem_trim();
        assert_int_equal(mallocs(), before + 1);
    }
}

/* Whatever a test has taken is given back. */
static int check_end(void **state)
{
    (void)state;
    assert_int_equal(mem_stats()->blocks, 0);
    assert_int_equal(mem_stats()->bytes, 0);
    mem_trim();
    return 0;
}

#define checked(test) cmocka_unit_test_teardown(test, check_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Put_EachSize_GivenOutAgain),
        checked(Put_ManyTimes_StillKept),
        checked(Put_PastTheBound_NotKept),
        checked(Put_TooLarge_NotKept),
        checked(Resize_WithinAClass_Stays),
        checked(Trim_EachSize_NothingKept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

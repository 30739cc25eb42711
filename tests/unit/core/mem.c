#include "core/mem.h"

#include "tests/unit/check.h"

#include <stdalign.h>

/* In a sanitizer build no block is kept. */
#if defined(__SANITIZE_ADDRESS__)
enum { POOLED = 0 };
#else
enum { POOLED = 1 };
#endif

static void fill(unsigned char *block, size_t n)
{
    for (size_t i = 0; i < n; i++)
        block[i] = (unsigned char)(i * 7);
}

static void assert_filled(const unsigned char *block, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(block[i], (unsigned char)(i * 7));
}

static void Get_EachPooledSize_WholeBlockUsable(void **state)
{
    (void)state;
    for (size_t size = 1; size <= MEM_POOLED + 100; size += size < 600 ? 1 : 97) {
        unsigned char *block = mem_get(size);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % alignof(max_align_t), 0);
        fill(block, size);
        assert_filled(block, size);
        mem_put(block, size);
    }
}

static void Get_Neighbours_DoNotOverlap(void **state)
{
    (void)state;
    unsigned char *blocks[200];
    size_t size = 1;
    for (size_t i = 0; i < count_of(blocks); i++, size += 173) {
        blocks[i] = mem_get(size);
        memset(blocks[i], (int)i, size);
    }
    size = 1;
    for (size_t i = 0; i < count_of(blocks); i++, size += 173) {
        for (size_t j = 0; j < size; j++)
            assert_int_equal(blocks[i][j], i);
        mem_put(blocks[i], size);
    }
}

static void Get_Zeroed_AllZero(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        unsigned char *block = mem_get_zeroed(500);
        for (size_t j = 0; j < 500; j++)
            assert_int_equal(block[j], 0);
        memset(block, 0xff, 500);
        mem_put(block, 500);
    }
}

static void Put_SmallBlock_GivenOutAgain(void **state)
{
    (void)state;
    mem_put(mem_get(1000), 1000);
    uint64_t mallocs = mem_stats()->mallocs;
    mem_put(mem_get(1000), 1000);
    assert_int_equal(mem_stats()->mallocs, mallocs + !POOLED);
    mem_put(mem_get(MEM_POOLED + 1), MEM_POOLED + 1);
    assert_int_equal(mem_stats()->mallocs, mallocs + !POOLED + 1);
}

static void Trim_KeptBlocks_GoneFromPool(void **state)
{
    (void)state;
    mem_put(mem_get(1000), 1000);
    mem_trim();
    uint64_t mallocs = mem_stats()->mallocs;
    mem_put(mem_get(1000), 1000);
    assert_int_equal(mem_stats()->mallocs, mallocs + 1);
}

/* Only a sanitizer can fail it. */
static void Put_Null_Nothing(void **state)
{
    (void)state;
    mem_put(NULL, 0);
    mem_free(NULL);
}

static void Stats_GetAndPut_Counted(void **state)
{
    (void)state;
    struct mem_stats before = *mem_stats();
    void *small = mem_get(100), *large = mem_get(100000);
    assert_int_equal(mem_stats()->blocks, before.blocks + 2);
    assert_int_equal(mem_stats()->bytes, before.bytes + 100100);
    small = mem_resize(small, 100, 110);
    large = mem_resize(large, 100000, 200000);
    assert_int_equal(mem_stats()->blocks, before.blocks + 2);
    assert_int_equal(mem_stats()->bytes, before.bytes + 200110);
    mem_put(small, 110);
    mem_put(large, 200000);
    assert_int_equal(mem_stats()->bytes, before.bytes);
}

static const size_t sizes[] = {
    1, 15, 16, 17, 100, 111, 113, 4096, MEM_POOLED, MEM_POOLED + 1, MEM_POOLED * 2, MEM_POOLED * 3};

static void Resize_BetweenSizes_KeepsContent(void **state)
{
    (void)state;
    for (size_t i = 0; i < count_of(sizes); i++) {
        for (size_t j = 0; j < count_of(sizes); j++) {
            unsigned char *block = mem_resize(NULL, 0, sizes[i]);
            fill(block, sizes[i]);
            block = mem_resize(block, sizes[i], sizes[j]);
            assert_filled(block, sizes[i] < sizes[j] ? sizes[i] : sizes[j]);
            fill(block, sizes[j]);
            mem_put(block, sizes[j]);
        }
    }
}

static void Resize_MemoryRunsOut_OldBlockStays(void **state)
{
    (void)state;
    for (size_t i = 0; i < count_of(sizes); i++) {
        size_t more = sizes[i] * 2 + 100;
        unsigned char *block = mem_get(sizes[i]);
        fill(block, sizes[i]);
        struct mem_stats before = *mem_stats();
        mem_fail_at(1, 0);
        assert_null(mem_resize(block, sizes[i], more));
        assert_int_equal(mem_stats()->blocks, before.blocks);
        assert_int_equal(mem_stats()->bytes, before.bytes);
        assert_filled(block, sizes[i]);
        mem_put(block, sizes[i]);
    }
}

static void Malloc_Realloc_KeepsContent(void **state)
{
    (void)state;
    unsigned char *block = mem_realloc(NULL, sizes[0]);
    fill(block, sizes[0]);
    for (size_t i = 1; i < count_of(sizes); i++) {
        block = mem_realloc(block, sizes[i]);
        assert_int_equal((uintptr_t)block % alignof(max_align_t), 0);
        assert_filled(block, sizes[i - 1]);
        fill(block, sizes[i]);
    }
    mem_fail_at(1, 0);
    assert_null(mem_realloc(block, sizes[count_of(sizes) - 1] * 2));
    assert_filled(block, sizes[count_of(sizes) - 1]);
    mem_free(block);
}

static void Malloc_TooLarge_Null(void **state)
{
    (void)state;
    assert_null(mem_malloc(SIZE_MAX));
    assert_null(mem_calloc(SIZE_MAX / 2, 3));
    void *block = mem_malloc(0);
    assert_non_null(block);
    assert_null(mem_realloc(block, SIZE_MAX));
    mem_free(block);
}

static void Calloc_AfterUse_AllZero(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        unsigned char *block = mem_calloc(10, 30);
        for (size_t j = 0; j < 300; j++)
            assert_int_equal(block[j], 0);
        memset(block, 0xff, 300);
        mem_free(block);
    }
}

static void FailAt_Third_OnlyThatOne(void **state)
{
    (void)state;
    mem_fail_at(3, 0);
    for (int i = 1; i <= 5; i++) {
        void *block = mem_get(64);
        assert_int_equal(block == NULL, i == 3);
        mem_put(block, 64);
    }
}

static void FailAt_Sticky_UntilEnded(void **state)
{
    (void)state;
    mem_fail_at(2, 1);
    for (int i = 1; i <= 5; i++) {
        void *block = mem_malloc(64);
        assert_int_equal(block == NULL, i >= 2);
        mem_free(block);
    }
    mem_fail_at(0, 0);
    void *block = mem_malloc(64);
    assert_non_null(block);
    mem_free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Get_EachPooledSize_WholeBlockUsable),
        checked(Get_Neighbours_DoNotOverlap),
        checked(Get_Zeroed_AllZero),
        checked(Put_SmallBlock_GivenOutAgain),
        checked(Trim_KeptBlocks_GoneFromPool),
        checked(Put_Null_Nothing),
        checked(Stats_GetAndPut_Counted),
        checked(Resize_BetweenSizes_KeepsContent),
        checked(Resize_MemoryRunsOut_OldBlockStays),
        checked(Malloc_Realloc_KeepsContent),
        checked(Malloc_TooLarge_Null),
        checked(Calloc_AfterUse_AllZero),
        checked(FailAt_Third_OnlyThatOne),
        checked(FailAt_Sticky_UntilEnded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

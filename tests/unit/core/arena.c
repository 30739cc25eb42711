#include "core/arena.h"

#include "tests/unit/check.h"

#include <stdalign.h>

enum { FIRST = 256, MAX = 65536 };

static alignas(max_align_t) char first[FIRST];

static bool in_first(const void *p)
{
    return (const char *)p >= first && (const char *)p < first + FIRST;
}

static void Alloc_Small_ComesFromFirstBlock(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, first, FIRST, MAX);
    uint64_t blocks = mem_stats()->blocks;
    assert_true(in_first(arena_alloc(&a, 100)));
    assert_true(in_first(arena_alloc(&a, 100)));
    assert_int_equal(mem_stats()->blocks, blocks);
    assert_int_equal(a.used, 0);
    assert_false(in_first(arena_alloc(&a, 100)));
    assert_int_equal(mem_stats()->blocks, blocks + 1);
    arena_fini(&a);
}

static void Alloc_EachSize_Aligned(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, first + 1, FIRST - 1, MAX);
    for (size_t size = 0; size < 200; size++) {
        char *p = arena_alloc(&a, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
        memset(p, 0xaa, size);
        assert_non_null(arena_copy(&a, "x", 1));
    }
    arena_fini(&a);
}

static void Alloc_Many_DoNotOverlap(void **state)
{
    (void)state;
    struct arena a;
    unsigned char *kept[300];
    size_t sizes[300];
    arena_init(&a, first, FIRST, 1 << 20);
    for (size_t i = 0; i < count_of(kept); i++) {
        sizes[i] = check_random() % 1000;
        kept[i] = arena_alloc(&a, sizes[i]);
        assert_non_null(kept[i]);
        memset(kept[i], (int)(i & 0xff), sizes[i]);
    }
    for (size_t i = 0; i < count_of(kept); i++)
        for (size_t j = 0; j < sizes[i]; j++)
            assert_int_equal(kept[i][j], i & 0xff);
    arena_fini(&a);
}

static void Alloc_LargerThanBlock_OneBlock(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, NULL, 0, MAX);
    uint64_t blocks = mem_stats()->blocks;
    char *p = arena_alloc(&a, 20000);
    assert_non_null(p);
    memset(p, 0, 20000);
    assert_int_equal(mem_stats()->blocks, blocks + 1);
    arena_fini(&a);
}

static void Alloc_PastMaximum_Null(void **state)
{
    (void)state;
    struct arena a;
    size_t given = 0;
    arena_init(&a, NULL, 0, MAX);
    assert_null(arena_alloc(&a, MAX + 1));
    assert_null(arena_alloc(&a, SIZE_MAX / 2));
    while (arena_alloc(&a, 1000))
        given += 1000;
    assert_true(given > MAX / 2 && given <= MAX);
    assert_true(a.used <= MAX);
    arena_fini(&a);
}

static void Alloc_NoMaximum_HugeIsNull(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, NULL, 0, SIZE_MAX);
    for (size_t less = 0; less < 16; less++)
        assert_null(arena_alloc(&a, SIZE_MAX - less));
    arena_fini(&a);
}

static void Alloc_MemoryRunsOut_NullThenGoesOn(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, first, FIRST, MAX);
    mem_fail_at(1, 0);
    assert_null(arena_alloc(&a, 1000));
    assert_true(in_first(arena_alloc(&a, 100)));
    assert_non_null(arena_alloc(&a, 1000));
    arena_fini(&a);
}

static void Copy_Bytes_EndInNul(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, first, FIRST, MAX);
    char *copy = arena_copy(&a, "a\0b", 3);
    assert_memory_equal(copy, "a\0b", 4);
    assert_string_equal(arena_copy(&a, NULL, 0), "");
    arena_fini(&a);
}

static void Copy_ExactFit_NotOneMore(void **state)
{
    (void)state;
    static const char data[FIRST];
    struct arena a;
    arena_init(&a, first, FIRST, MAX);
    assert_false(in_first(arena_copy(&a, data, FIRST)));
    arena_fini(&a);
    arena_init(&a, first, FIRST, MAX);
    assert_true(in_first(arena_copy(&a, data, FIRST - 1)));
    assert_false(in_first(arena_copy(&a, data, 0)));
    arena_fini(&a);
}

static void Fini_Twice_Harmless(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, first, FIRST, MAX);
    assert_non_null(arena_alloc(&a, 10000));
    arena_fini(&a);
    assert_int_equal(a.used, 0);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Alloc_Small_ComesFromFirstBlock),
        checked(Alloc_EachSize_Aligned),
        checked(Alloc_Many_DoNotOverlap),
        checked(Alloc_LargerThanBlock_OneBlock),
        checked(Alloc_PastMaximum_Null),
        checked(Alloc_NoMaximum_HugeIsNull),
        checked(Alloc_MemoryRunsOut_NullThenGoesOn),
        checked(Copy_Bytes_EndInNul),
        checked(Copy_ExactFit_NotOneMore),
        checked(Fini_Twice_Harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

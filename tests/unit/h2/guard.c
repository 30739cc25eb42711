#include "h2/guard.h"

#include "tests/unit/check.h"

#include <time.h>

static void Count_UpToLimit_Passes(void **state)
{
    (void)state;
    struct guard g = {0};
    for (int i = 0; i < 100; i++)
        assert_true(guard_count(&g, GUARD_RESETS, 100));
    assert_false(guard_count(&g, GUARD_RESETS, 100));
}

static void Count_EachKind_OnItsOwn(void **state)
{
    (void)state;
    struct guard g = {0};
    for (enum guard_kind k = 0; k < GUARD_KINDS; k++) {
        assert_true(guard_count(&g, k, 1));
        assert_string_not_equal(guard_name(k), "");
    }
    assert_false(guard_count(&g, GUARD_EMPTY, 1));
}

static void Count_LimitZero_NoLimit(void **state)
{
    (void)state;
    struct guard g = {0};
    for (int i = 0; i < 100000; i++)
        assert_true(guard_count(&g, GUARD_CONTROL, 0));
}

static void Count_NextSecond_Anew(void **state)
{
    (void)state;
    struct guard g = {0};
    for (int i = 0; i < 3; i++)
        assert_true(guard_count(&g, GUARD_CONTROL, 3));
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 10000000}, NULL);
    for (int i = 0; i < 3; i++)
        assert_true(guard_count(&g, GUARD_CONTROL, 3));
    assert_false(guard_count(&g, GUARD_CONTROL, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Count_UpToLimit_Passes),
        checked(Count_EachKind_OnItsOwn),
        checked(Count_LimitZero_NoLimit),
        checked(Count_NextSecond_Anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

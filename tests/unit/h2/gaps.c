#include "h2/gaps.h"

#include "tests/unit/check.h"

static void Open_InOrder_NothingSkipped(void **state)
{
    (void)state;
    struct gaps g = {0};
    for (int32_t id = 1; id < 1000; id += 2)
        assert_true(gaps_open(&g, id));
    assert_int_equal(g.count, 0);
}

static void Open_Again_MayBeInFlight(void **state)
{
    (void)state;
    struct gaps g = {0};
    assert_true(gaps_open(&g, 1));
    assert_true(gaps_open(&g, 3));
    assert_true(gaps_open(&g, 1));
}

static void Open_Skipped_Refused(void **state)
{
    (void)state;
    struct gaps g = {0};
    assert_true(gaps_open(&g, 5));
    assert_false(gaps_open(&g, 1));
    assert_false(gaps_open(&g, 3));
    assert_true(gaps_open(&g, 5));
    assert_true(gaps_open(&g, 13));
    assert_false(gaps_open(&g, 7));
    assert_false(gaps_open(&g, 11));
}

static void Open_ManyGaps_LastOnesKnown(void **state)
{
    (void)state;
    struct gaps g = {0};
    for (int32_t id = 5; id < 5 + 4 * 3 * GAPS_MAX; id += 4)
        assert_true(gaps_open(&g, id));
    for (int i = 0; i < GAPS_MAX; i++)
        assert_false(gaps_open(&g, g.highest - 2 - 4 * i));
    assert_true(gaps_open(&g, 3));
}

static void Open_HighestIdThereIs_NoOverflow(void **state)
{
    (void)state;
    struct gaps g = {0};
    assert_true(gaps_open(&g, INT32_MAX));
    assert_true(gaps_open(&g, INT32_MAX));
    assert_false(gaps_open(&g, INT32_MAX - 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Open_InOrder_NothingSkipped),
        checked(Open_Again_MayBeInFlight),
        checked(Open_Skipped_Refused),
        checked(Open_ManyGaps_LastOnesKnown),
        checked(Open_HighestIdThereIs_NoOverflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

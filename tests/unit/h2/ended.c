#include "h2/ended.h"

#include "tests/unit/check.h"

static void Add_LastOnesKnown(void **state)
{
    (void)state;
    struct ended e = {{0}};
    for (int32_t id = 1; id < 1000; id += 2) {
        assert_false(ended_has(&e, id));
        ended_add(&e, id);
        assert_true(ended_has(&e, id));
    }
    assert_true(ended_has(&e, 999 - 2 * (ENDED_MAX - 1)));
    assert_false(ended_has(&e, 999 - 2 * ENDED_MAX));
}

static void Has_NoStream_False(void **state)
{
    (void)state;
    struct ended e = {{0}};
    assert_false(ended_has(&e, 0));
    ended_add(&e, INT32_MAX);
    assert_true(ended_has(&e, INT32_MAX));
    assert_false(ended_has(&e, INT32_MAX - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Add_LastOnesKnown),
        checked(Has_NoStream_False),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

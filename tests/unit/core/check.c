#include "core/check.h"

#include "tests/unit/death.h"

static void check_number(void *number)
{
    const int *n = number;
    check(*n == 1);
}

static void check_number_hot(void *number)
{
    const int *n = number;
    check_hot(*n > 0);
}

static void Check_Holds_GoesOn(void **state)
{
    (void)state;
    int one = 1;
    check_number(&one);
    check_number_hot(&one);
}

static void Check_DoesNotHold_Aborts(void **state)
{
    (void)state;
    int zero = 0;
    assert_aborts(check_number, &zero, "*n == 1");
}

static void CheckHot_BuildOfTests_Aborts(void **state)
{
    (void)state;
    int zero = 0;
    assert_aborts(check_number_hot, &zero, "*n > 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Check_Holds_GoesOn),
        checked(Check_DoesNotHold_Aborts),
        checked(CheckHot_BuildOfTests_Aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "program/signal_name.h"

#include "tests/unit/check.h"

#include <signal.h>

static void Name_OfEachSignal_GivesItsNumber(void **state)
{
    (void)state;
    char name[SIGNAL_NAME];
    for (int number = 1; number <= SIGNAL_LAST; number++)
        if (number < 32 || number >= SIGRTMIN)
            assert_int_equal(signal_number(signal_name(number, name)), number);
}

static void Name_AsItIsCalled(void **state)
{
    (void)state;
    char name[SIGNAL_NAME];
    assert_string_equal(signal_name(SIGTERM, name), "SIGTERM");
    assert_string_equal(signal_name(SIGRTMIN, name), "SIGRTMIN");
    assert_string_equal(signal_name(SIGRTMAX, name), "SIGRTMIN+30");
    assert_string_equal(signal_name(0, name), "0");
}

static void Number_OfNoName_None(void **state)
{
    (void)state;
    static const char *const names[] = {"", "TERM", "SIG", "sigterm", "SIGTERM ", "SIGNO", "15",
        "SIGRTMIN+0", "SIGRTMIN+31", "SIGRTMIN+1x", "SIG15"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(signal_number(names[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Name_OfEachSignal_GivesItsNumber),
        checked(Name_AsItIsCalled),
        checked(Number_OfNoName_None),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

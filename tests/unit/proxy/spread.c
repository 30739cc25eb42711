#include "proxy/spread.h"

#include "tests/unit/check.h"

#include <string.h>

/* The address that a number stands for. */
static struct sockaddr_storage address(int number)
{
    struct sockaddr_storage at;
    memset(&at, 0, sizeof at);
    ((unsigned char *)&at)[8] = (unsigned char)number;
    return at;
}

static int number_of(const struct spread_address *a)
{
    return a ? ((const unsigned char *)&a->at)[8] : 0;
}

static void set(struct spread *s, int first, int last)
{
    struct sockaddr_storage list[LOOKUP_MAX];
    size_t count = 0;
    for (int i = first; i <= last; i++)
        list[count++] = address(i);
    spread_set(s, list, count);
}

static void fail_address(struct spread *s, int number, double now)
{
    struct sockaddr_storage at = address(number);
    spread_closed(s, &at, true, now);
}

static void Pick_AllWork_TheOneWithTheFewestConnections(void **state)
{
    (void)state;
    struct spread s = {.count = 0};
    set(&s, 1, 3);
    for (int i = 0; i < 7; i++) {
        struct spread_address *a = spread_pick(&s, 0);
        assert_int_equal(number_of(a), i % 3 + 1);
        a->conns++;
    }
}

static void Bare_OneWithoutConnection_EachOnce(void **state)
{
    (void)state;
    struct spread s = {.count = 0};
    assert_null(spread_find_bare(&s, 0));
    set(&s, 1, 2);
    spread_find_bare(&s, 0)->conns++;
    assert_int_equal(number_of(spread_find_bare(&s, 0)), 2);
    spread_find_bare(&s, 0)->conns++;
    assert_null(spread_find_bare(&s, 0));
    struct sockaddr_storage at = address(1);
    spread_closed(&s, &at, false, 0);
    assert_int_equal(number_of(spread_find_bare(&s, 0)), 1);
}

static void Closed_Failed_LeftOutForAWhile(void **state)
{
    (void)state;
    struct spread s = {.count = 0};
    set(&s, 1, 2);
    fail_address(&s, 1, 100);
    s.list[1].conns = 7;
    assert_int_equal(number_of(spread_pick(&s, 101)), 2);
    assert_null(spread_find_bare(&s, 101));
    assert_false(spread_is_out(&s, 101));
    assert_int_equal(number_of(spread_find_bare(&s, 110)), 1);
}

static void Closed_AllFailed_TheOneThatComesBackFirst(void **state)
{
    (void)state;
    struct spread s = {.count = 0};
    set(&s, 1, 3);
    fail_address(&s, 2, 100);
    fail_address(&s, 1, 101);
    fail_address(&s, 3, 102);
    assert_true(spread_is_out(&s, 103));
    assert_int_equal(number_of(spread_pick(&s, 103)), 2);
    assert_null(spread_find_bare(&s, 103));
}

static void Set_Anew_WhatIsKnownIsKept(void **state)
{
    (void)state;
    struct spread s = {.count = 0};
    set(&s, 1, 3);
    fail_address(&s, 3, 100);
    s.list[1].conns = 4;
    set(&s, 2, 4);
    assert_int_equal(s.count, 3);
    assert_int_equal(s.list[0].conns, 4);
    assert_true(s.list[1].out_until > 100);
    assert_int_equal(number_of(spread_pick(&s, 101)), 4);
    fail_address(&s, 1, 100);
    assert_int_equal(s.count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(Pick_AllWork_TheOneWithTheFewestConnections),
        cmocka_unit_test(Bare_OneWithoutConnection_EachOnce),
        cmocka_unit_test(Closed_Failed_LeftOutForAWhile),
        cmocka_unit_test(Closed_AllFailed_TheOneThatComesBackFirst),
        cmocka_unit_test(Set_Anew_WhatIsKnownIsKept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "net/census.h"

#include "tests/unit/check.h"

#include <arpa/inet.h>
#include <stdio.h>

static struct census census;

static enum rc enter(const char *address, uint32_t total, uint32_t each, struct census_entry **e)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, address, &in.sin_addr) == 1)
        return census_enter(&census, (struct sockaddr *)&in, total, each, e);
    assert_int_equal(inet_pton(AF_INET6, address, &in6.sin6_addr), 1);
    return census_enter(&census, (struct sockaddr *)&in6, total, each, e);
}

static void Enter_PastTotal_Refused(void **state)
{
    (void)state;
    struct census_entry *a, *b, *c;
    assert_int_equal(enter("127.0.0.1", 2, 0, &a), RC_OK);
    assert_int_equal(enter("127.0.0.2", 2, 0, &b), RC_OK);
    assert_int_equal(enter("127.0.0.3", 2, 0, &c), RC_LIMIT);
    census_leave(&census, a);
    assert_int_equal(enter("127.0.0.3", 2, 0, &c), RC_OK);
    census_leave(&census, b);
    census_leave(&census, c);
    assert_int_equal(census.total, 0);
}

static void Enter_PastEach_OthersUnharmed(void **state)
{
    (void)state;
    struct census_entry *a, *b, *c;
    assert_int_equal(enter("127.0.0.1", 0, 1, &a), RC_OK);
    assert_int_equal(enter("127.0.0.1", 0, 1, &b), RC_LIMIT);
    assert_int_equal(enter("127.0.0.2", 0, 1, &c), RC_OK);
    census_leave(&census, a);
    census_leave(&census, c);
}

static void Enter_IPv6_CountedByNetwork(void **state)
{
    (void)state;
    struct census_entry *a, *b, *c;
    assert_int_equal(enter("2001:db8:0:1::1", 0, 1, &a), RC_OK);
    assert_int_equal(enter("2001:db8:0:1:ffff::2", 0, 1, &b), RC_LIMIT);
    assert_int_equal(enter("2001:db8:0:2::1", 0, 1, &c), RC_OK);
    census_leave(&census, a);
    census_leave(&census, c);
}

static void Leave_AnyOrder_NothingKept(void **state)
{
    (void)state;
    enum { MANY = 3000 };
    static struct census_entry *entries[MANY];
    char text[32];
    for (int i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, "10.0.%d.%d", i / 250, i % 250);
        assert_int_equal(enter(text, 0, 0, &entries[i]), RC_OK);
    }
    for (int i = 0; i < MANY; i++)
        census_leave(&census, entries[(i * 7) % MANY]);
    assert_int_equal(census.total, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Enter_PastTotal_Refused),
        checked(Enter_PastEach_OthersUnharmed),
        checked(Enter_IPv6_CountedByNetwork),
        checked(Leave_AnyOrder_NothingKept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

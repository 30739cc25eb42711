#include "proxy/share.h"

#include "tests/unit/check.h"

static void Client_Addresses_OneForEachHost(void **state)
{
    (void)state;
    uint64_t one = share_client("192.0.2.7:1");
    assert_true(one != 0);
    assert_true(share_client("192.0.2.7:65535") == one);
    assert_true(share_client("192.0.2.7") == 0); /* no port, no client */
    assert_true(share_client("[::ffff:192.0.2.7]:1") == one);
    assert_true(share_client("192.0.2.8:1") != one);
    assert_true(share_client("[2001:db8::1]:1") == share_client("[2001:db8::ffff:2]:9"));
    assert_true(share_client("[2001:db8::1]:1") != share_client("[2001:db8:0:1::1]:1"));
    assert_true(share_client("[::1]:1") != 0);
    assert_true(share_client("unix:/run/x") == 0);
    assert_true(share_client("unix:") == 0);
    assert_true(share_client("unknown") == 0);
    assert_true(share_client("") == 0);
}

static void Take_UpToTheMost_ThenRefused(void **state)
{
    (void)state;
    struct shares shares;
    shares_init(&shares);
    struct share *s = share_of(&shares, 7);
    assert_non_null(s);
    assert_true(share_of(&shares, 7) == s);
    assert_true(share_take(s, SHARE_UNIT, 1)); /* who has nothing gets it in any case */
    assert_false(share_take(s, 1, SHARE_UNIT));
    assert_true(share_take(s, 1, SHARE_UNIT + 1));
    assert_true(share_take(s, SHARE_UNIT, 0)); /* no limit */
    share_give_back(s, SHARE_UNIT);
    share_give_back(s, 1);
    share_release(s);
    assert_true(share_of(&shares, 7) == s); /* it has something still */
    share_give_back(s, SHARE_UNIT);
    share_release(s);
}

static void Of_ManyClients_EachItsOwn(void **state)
{
    (void)state;
    enum { CLIENTS = 1000 };
    struct shares shares;
    struct share *made[CLIENTS];
    shares_init(&shares);
    for (uint64_t i = 0; i < CLIENTS; i++) {
        made[i] = share_of(&shares, i + 1);
        assert_true(share_take(made[i], i + 1, 0));
    }
    for (uint64_t i = 0; i < CLIENTS; i++) {
        assert_true(share_of(&shares, i + 1) == made[i]);
        assert_int_equal(made[i]->taken, i + 1);
        share_give_back(made[i], i + 1);
        share_release(made[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Client_Addresses_OneForEachHost),
        checked(Take_UpToTheMost_ThenRefused),
        checked(Of_ManyClients_EachItsOwn),
    };
    return cmocka_run_group_tests_name("unit/proxy/share", tests, NULL, NULL);
}

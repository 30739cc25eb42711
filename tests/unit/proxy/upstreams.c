#include "proxy/upstreams.h"

#include "tests/unit/check.h"

static const struct upstreams_rules rules = {.max_failures = 2, .recovery = 10};

static void add(struct upstreams *u, const char *url)
{
    char why[ORIGIN_WHY];
    assert_int_equal(upstreams_add(u, str_of(url), why), RC_OK);
}

/* The host of whose turn it is. */
static const char *pick(struct upstreams *u, const struct upstream *except, double now)
{
    return upstreams_pick(u, except, now)->origin.host;
}

static struct upstreams three(void)
{
    struct upstreams u = {.count = 0};
    add(&u, "http://a");
    add(&u, "http://b");
    add(&u, "http://c");
    return u;
}

static void Pick_AllWell_InTurn(void **state)
{
    (void)state;
    struct upstreams u = three();
    const char *const order[] = {"a", "b", "c", "a", "b"};
    for (size_t i = 0; i < count_of(order); i++)
        assert_string_equal(pick(&u, NULL, 0), order[i]);
}

static void Pick_Not_IsLeftOut(void **state)
{
    (void)state;
    struct upstreams u = three();
    assert_string_equal(pick(&u, &u.list[0], 0), "b");
    struct upstreams alone = {.count = 0};
    add(&alone, "http://a");
    assert_string_equal(pick(&alone, &alone.list[0], 0), "a");
}

static void Pick_OneFails_OutForTheRecovery(void **state)
{
    (void)state;
    struct upstreams u = three();
    assert_false(upstream_note(&u.list[0], &rules, true, 100));
    assert_string_equal(pick(&u, NULL, 100), "a");
    assert_true(upstream_note(&u.list[0], &rules, true, 100));
    assert_false(upstream_note(&u.list[0], &rules, true, 101));
    const char *const order[] = {"b", "c", "b"};
    for (size_t i = 0; i < count_of(order); i++)
        assert_string_equal(pick(&u, NULL, 105), order[i]);
    assert_string_equal(pick(&u, NULL, 112), "c");
    assert_string_equal(pick(&u, NULL, 112), "a");
}

static void Pick_SuccessBetween_ForgetsFailures(void **state)
{
    (void)state;
    struct upstreams u = three();
    assert_false(upstream_note(&u.list[0], &rules, true, 0));
    assert_false(upstream_note(&u.list[0], &rules, false, 0));
    assert_false(upstream_note(&u.list[0], &rules, true, 0));
    assert_string_equal(pick(&u, NULL, 1), "a");
}

static void Pick_AllOut_TheLongestOut(void **state)
{
    (void)state;
    struct upstreams u = three();
    for (int i = 0; i < 3; i++)
        for (int n = 0; n < 2; n++)
            (void)upstream_note(&u.list[2 - i], &rules, true, 100 + i);
    assert_string_equal(pick(&u, NULL, 103), "c");
}

static void Note_NoLimit_NeverOut(void **state)
{
    (void)state;
    struct upstreams u = three();
    const struct upstreams_rules none = {.max_failures = 0, .recovery = 10};
    for (int i = 0; i < 100; i++)
        assert_false(upstream_note(&u.list[0], &none, true, 0));
    assert_string_equal(pick(&u, NULL, 1), "a");
}

static void Add_TooMany_Refused(void **state)
{
    (void)state;
    struct upstreams u = {.count = 0};
    char why[ORIGIN_WHY];
    for (int i = 0; i < UPSTREAMS_MAX; i++)
        add(&u, "http://a");
    assert_int_equal(upstreams_add(&u, STR("http://a"), why), RC_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(Pick_AllWell_InTurn),
        cmocka_unit_test(Pick_Not_IsLeftOut),
        cmocka_unit_test(Pick_OneFails_OutForTheRecovery),
        cmocka_unit_test(Pick_SuccessBetween_ForgetsFailures),
        cmocka_unit_test(Pick_AllOut_TheLongestOut),
        cmocka_unit_test(Note_NoLimit_NeverOut),
        cmocka_unit_test(Add_TooMany_Refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

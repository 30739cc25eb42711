#include "proxy/routes.h"

#include "tests/unit/check.h"

#include "http/request.h"

static struct routes routes_of(const char *const *texts)
{
    struct routes r = {NULL};
    char why[ORIGIN_WHY];
    for (; *texts; texts++)
        assert_int_equal(routes_add(&r, *texts, why), RC_OK);
    return r;
}

static void Add_SamePrefix_TakeTurns(void **state)
{
    (void)state;
    struct routes r = routes_of((const char *const[]){"/a=http://b", "/a=http://c", NULL});
    const struct route *route = r.first;
    assert_null(route->next);
    assert_int_equal(route->upstreams.count, 2);
    assert_string_equal(route->upstreams.list[1].origin.host, "c");
    routes_fini(&r);
}

static void Add_Malformed_SaysWhy(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "/api", "/api=", "/a%20b=http://c", "ftp://a", "/x=ftp://a", "http://a/b?c", "http://"};
    for (size_t i = 0; i < count_of(bad); i++) {
        struct routes r = {NULL};
        char why[ORIGIN_WHY] = "";
        if (routes_add(&r, bad[i], why) != RC_INVALID || !*why)
            fail_msg("taken: %s", bad[i]);
        routes_fini(&r);
    }
}

/* What becomes of a target; NULL: it is refused. */
static const struct {
    const char *target, *prefix, *base, *becomes;
} targets[] = {
    {"/a/b?c=d", "/", "", "/a/b?c=d"},
    {"/a/../b", "/", "", "/a/../b"},
    {"*", "/", "", "*"},
    {"/api/a?b", "/api", "", "/api/a?b"},
    {"/api/a?b", "/api", "/", "/a?b"},
    {"/api/a", "/api/", "/", "/a"},
    {"/api/a?", "/api/", "/v1/", "/v1/a?"},
    {"/api", "/api", "/v1", "/v1/"},
    {"/%61pi/a", "/api", "/v1", "/v1/a"},
    {"/a/b", "/", "/base", "/base/a/b"},
    {"/a/b?c", "/", "/base/", "/base/a/b?c"},
    {"/api/../x", "/api", "", NULL},
    {"/api/%2e%2E/x", "/api", "", NULL},
    {"/api/.%2e", "/api", "/v1", NULL},
    {"/api/a\\..\\x", "/api", "", NULL},
    {"/./x", "/", "/base", NULL},
    {"/api/..%2fadmin", "/api/", "", NULL},
    {"/api/%2e%2e%2Fadmin", "/api/", "", NULL},
    {"/api/.%2e%5cadmin", "/api/", "", NULL},
    {"/api/x%2f..%2f..%2fadmin", "/api/", "", NULL},
    {"/api/..;/admin", "/api/", "", NULL},
    {"/api/..;x=y", "/api/", "/v", NULL},
    {"/api/..%3b/admin", "/api/", "", NULL},
    {"/%61pi/..%2fadmin", "/api/", "", NULL},
    {"/api/..%00/admin", "/api/", "", NULL},
    {"/a/..%2fb", "/", "/base", NULL},
    {"/api/a%2Fb", "/api/", "", "/api/a%2Fb"},
    {"/api/...", "/api/", "", "/api/..."},
    {"/api/a;b/c", "/api/", "", "/api/a;b/c"},
    {"/api/;../a;..", "/api/", "", "/api/;../a;.."},
    {"/api/..%252f", "/api/", "", "/api/..%252f"},
    {"/api/%", "/api/", "", "/api/%"},
    {"/api/..x/.y/z./...", "/api", "/v", "/v/..x/.y/z./..."},
    {"*", "/", "/base", NULL},
};

static void Target_EachCase_AsTheTable(void **state)
{
    (void)state;
    for (size_t i = 0; i < count_of(targets); i++) {
        struct arena arena;
        struct request r = {.version = HTTP_2};
        struct str out = STR("");
        arena_init(&arena, NULL, 0, 1 << 16);
        request_set_target(&r, str_of(targets[i].target));
        enum rc rc =
            routes_target(&r, str_of(targets[i].prefix), str_of(targets[i].base), &arena, &out);
        bool same =
            targets[i].becomes ? !rc && str_eq(out, str_of(targets[i].becomes)) : rc == RC_INVALID;
        if (!same)
            fail_msg("%s became %.*s", targets[i].target, (int)out.n, out.p);
        arena_fini(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(Add_SamePrefix_TakeTurns),
        cmocka_unit_test(Add_Malformed_SaysWhy),
        cmocka_unit_test(Target_EachCase_AsTheTable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

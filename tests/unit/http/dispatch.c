#include "http/dispatch.h"

#include "tests/unit/check.h"

#include "core/list.h"
#include "http/exchange.h"
#include "http/prefix.h"

#include <stdio.h>

/* Handlers that take what they are told to take. */
struct taker {
    struct handler base;
    char name;
    bool declines;
};

static char asked[16]; /* the names of those that were, in order */

static bool on_start(struct handler *h, struct exchange *x)
{
    struct taker *t = container_of(h, struct taker, base);
    size_t n = strlen(asked);
    assert_ptr_equal(x->handler, h);
    assert_true(n + 1 < sizeof asked);
    asked[n] = t->name;
    asked[n + 1] = '\0';
    return !t->declines;
}

static const struct handler_ops ops = {.start = on_start};

static struct taker taker(char name, bool declines)
{
    return (struct taker){{.ops = &ops}, name, declines};
}

static void ignore(struct exchange *x)
{
    (void)x;
}

static void ignore_consumed(struct exchange *x, size_t n)
{
    (void)x, (void)n;
}

/* Who was asked for a path, and the response's status; 200 where nobody responded. */
static const char *ask(struct dispatch *d, const char *path)
{
    static const struct exchange_host host = {ignore, ignore_consumed, ignore, NULL};
    static const struct peer peer = {.remote = "127.0.0.1:1"};
    static struct exchange x;
    static char told[32];
    asked[0] = '\0';
    exchange_init(&x, &host, &peer, &d->base, 1000);
    x.request.method = STR("GET");
    request_set_target(&x.request, str_of(path));
    exchange_start(&x);
    snprintf(told, sizeof told, "%s %d", asked, x.response.status);
    exchange_fini(&x);
    return told;
}

/* Which prefix takes a path. */
static const struct {
    const char *path, *prefix;
} taken[] = {
    {"/", "/"},
    {"/other", "/"},
    {"*", "/"},
    {"/api", "/api"},
    {"/api/", "/api"},
    {"/api/users", "/api"},
    {"/%61pi/users", "/api"},
    {"/apis", "/"},
    {"/api%2Fusers", "/"},
    {"/api/v2", "/api"},
    {"/api/v2/", "/api/v2/"},
    {"/api/v2/x", "/api/v2/"},
    {"/ap", "/"},
    {"/a%", "/"},
};

static void Find_LongestPrefix_Taken(void **state)
{
    (void)state;
    static struct dispatch_prefix prefixes[] = {
        {.prefix = {"/", 1}}, {.prefix = {"/api", 4}}, {.prefix = {"/api/v2/", 8}}};
    struct taker takers[count_of(prefixes)];
    struct dispatch d;
    dispatch_init(&d);
    for (size_t i = 0; i < count_of(prefixes); i++) {
        takers[i] = taker('a', false);
        prefixes[i].handler = &takers[i].base;
        dispatch_add_prefix(&d, &prefixes[i]);
    }
    assert_true(dispatch_takes_all(&d));
    for (size_t i = 0; i < count_of(taken); i++) {
        const struct handler *h = dispatch_find(&d, str_of(taken[i].path));
        size_t k = h ? (size_t)(container_of(h, struct taker, base) - takers) : 0;
        if (!h || !str_eq(prefixes[k].prefix, str_of(taken[i].prefix)))
            fail_msg("%s is not of %s", taken[i].path, taken[i].prefix);
    }
}

static void Find_NoPrefix_Null(void **state)
{
    (void)state;
    struct taker a = taker('a', false);
    struct dispatch_prefix p = {.prefix = STR("/api/"), .handler = &a.base};
    struct dispatch d;
    dispatch_init(&d);
    assert_null(dispatch_find(&d, STR("/api/")));
    dispatch_add_prefix(&d, &p);
    assert_false(dispatch_takes_all(&d));
    assert_null(dispatch_find(&d, STR("/")));
    assert_null(dispatch_find(&d, STR("*")));
    assert_null(dispatch_find(&d, STR("/api")));
    assert_null(dispatch_find(&d, STR("")));
    assert_ptr_equal(dispatch_find(&d, STR("/api/x")), &a.base);
}

static void Start_Declined_NextIsAsked(void **state)
{
    (void)state;
    struct taker a = taker('a', true), b = taker('b', true), c = taker('c', false);
    struct dispatch_prefix p = {.prefix = STR("/p"), .handler = &a.base};
    struct dispatch d;
    dispatch_init(&d);
    dispatch_add_prefix(&d, &p);
    dispatch_add(&d, &b.base);
    dispatch_add(&d, &c.base);
    assert_string_equal(ask(&d, "/p/x"), "abc 200");
    assert_string_equal(ask(&d, "/q"), "bc 200");
    b.declines = false;
    assert_string_equal(ask(&d, "/q"), "b 200");
    a.declines = false;
    assert_string_equal(ask(&d, "/p"), "a 200");
}

static void Start_AllDecline_404(void **state)
{
    (void)state;
    struct taker a = taker('a', true);
    struct dispatch d;
    dispatch_init(&d);
    assert_string_equal(ask(&d, "/"), " 404");
    dispatch_add(&d, &a.base);
    assert_string_equal(ask(&d, "/"), "a 404");
}

static int sources_left;

static enum rc put(struct filter_source *s, struct exchange *x)
{
    (void)s;
    assert_true(x->response.out.state == OUTGOING_OPEN);
    assert_string_equal(asked, "");
    return sources_left-- > 0 ? RC_OK : RC_NOMEM;
}

static void Start_FilterSources_AskedFirst(void **state)
{
    (void)state;
    struct taker a = taker('a', false);
    struct filter_source first = {.put = put}, second = {.put = put};
    struct dispatch d;
    dispatch_init(&d);
    dispatch_add(&d, &a.base);
    dispatch_add_filters(&d, &first);
    dispatch_add_filters(&d, &second);
    sources_left = 2;
    assert_string_equal(ask(&d, "/"), "a 200");
    assert_int_equal(sources_left, 0);
    sources_left = 1;
    assert_string_equal(ask(&d, "/"), " 503");
}

/* Whether all that a route's pattern takes has the prefix. */
static const struct {
    const char *prefix, *pattern;
    bool covers;
} covered[] = {
    {"/", "/", true},
    {"/", "/[...rest]", true},
    {"/api", "/api", true},
    {"/api", "/api/users", true},
    {"/api", "/api/[id]", true},
    {"/api", "/api/[...rest]", true},
    {"/api", "/apis", false},
    {"/api", "/[...rest]", false},
    {"/api", "/[name]/users", false},
    {"/api", "/", false},
    {"/api/", "/api", false},
    {"/api/", "/api/[id]", true},
    {"/api/", "/api/x/y", true},
    {"/api/x", "/api/[id]", false},
    {"/api/x", "/api/x[1]", false},
    {"/api/x", "/api/[id]/x", false},
};

static void Covers_EachCase_AsTheTable(void **state)
{
    (void)state;
    for (size_t i = 0; i < count_of(covered); i++)
        if (prefix_covers(str_of(covered[i].prefix), str_of(covered[i].pattern)) !=
            covered[i].covers)
            fail_msg("%s and %s", covered[i].prefix, covered[i].pattern);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Find_LongestPrefix_Taken),
        checked(Find_NoPrefix_Null),
        checked(Start_Declined_NextIsAsked),
        checked(Start_AllDecline_404),
        checked(Start_FilterSources_AskedFirst),
        checked(Covers_EachCase_AsTheTable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What callers of proxy/ must not do. */
#include "tests/unit/death.h"

#include "net/resolver.h"
#include "proxy/pool.h"
#include "proxy/upstreams.h"

#include <ev.h>

static struct lookup lookup;

static struct resolver *ask(void)
{
    struct resolver *r;
    if (resolver_new(ev_loop_new(EVFLAG_AUTO), "127.0.0.1", &r) ||
        lookup_start(&lookup, r, "127.0.0.1", "80"))
        return NULL;
    return r;
}

static void pick_of_none(void *unused)
{
    (void)unused;
    static struct upstreams u;
    (void)upstreams_pick(&u, NULL, 0);
}

static void ask_twice(void *unused)
{
    (void)unused;
    (void)!lookup_start(&lookup, ask(), "127.0.0.1", "80");
}

static void free_while_asked(void *unused)
{
    (void)unused;
    resolver_free(ask());
}

static void call_without_aim(void *unused)
{
    (void)unused;
    struct call c = {.state = CALL_IDLE};
    (void)!pool_call(NULL, NULL, NULL, &c);
}

static const struct death deaths[] = {
    {pick_of_none, "u->count > 0"},
    {ask_twice, "!l->query"},
    {free_while_asked, "all_cancelled(r)"},
    {call_without_aim, "c->state == CALL_IDLE && c->method.n"},
};

static void Misuse_EachKind_Aborts(void **state)
{
    (void)state;
    for (size_t i = 0; i < count_of(deaths); i++)
        assert_aborts(deaths[i].run, NULL, deaths[i].condition);
}

int main(void)
{
    const struct CMUnitTest tests[] = {checked(Misuse_EachKind_Aborts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What connections must not do with the census. */
#include "tests/unit/death.h"

#include "net/census.h"

#include <netinet/in.h>

static void leave_unseen(void *unused)
{
    (void)unused;
    static struct census c;
    struct census_entry *e;
    struct sockaddr_in sa = {.sin_family = AF_INET};
    if (census_enter(&c, (const struct sockaddr *)&sa, 0, 0, &e))
        return;
    c.total = 0;
    census_leave(&c, e);
}

static const struct death deaths[] = {
    {leave_unseen, "c->total > 0 && entry->conns > 0"},
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

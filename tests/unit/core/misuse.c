/* What callers of core/ must not do. */
#include "tests/unit/death.h"

#include "core/bytes.h"
#include "core/line.h"

static void drop_too_much(void *unused)
{
    (void)unused;
    struct bytes b;
    bytes_init(&b, 10);
    bytes_drop(&b, 1);
}

static void hold_too_much(void *unused)
{
    (void)unused;
    struct bytes b = {.len = 2, .max = 1};
    (void)bytes_room(&b);
}

static void get_nothing(void *unused)
{
    (void)unused;
    (void)mem_get(0);
}

static void put_too_often(void *unused)
{
    (void)unused;
    mem_put(&(int){0}, SIZE_MAX);
}

static void keep_no_room(void *unused)
{
    (void)unused;
    struct line l;
    line_init(&l, sizeof l.text);
}

static void pad_too_far(void *unused)
{
    (void)unused;
    struct line l;
    line_init(&l, 1);
    line_put_number(&l, 1, 21);
}

static void format_too_much(void *unused)
{
    (void)unused;
    struct line l;
    line_init(&l, 1);
    line_put_format(&l, "%64d", 1);
}

static const struct death deaths[] = {
    {drop_too_much, "n <= b->len"},
    {hold_too_much, "b->len <= b->max"},
    {get_nothing, "size > 0"},
    {put_too_often, "size > 0 && stats.blocks > 0 && stats.bytes >= size"},
    {keep_no_room, "end_room < sizeof l->text"},
    {pad_too_far, "digits <= (int)sizeof text"},
    {format_too_much, "n >= 0 && (size_t)n < sizeof piece"},
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

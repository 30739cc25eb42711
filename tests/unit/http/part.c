#include "http/part.h"

#include "tests/unit/check.h"

#include "core/list.h"

#include <stdio.h>

/* A part that hands something to another, or to itself, so many times. */
struct worker {
    struct part base;
    struct part *to;
    int gives, runs, ticks, faults, drains;
    bool more, fails, holds;
};

static struct worker *of(struct part *p)
{
    return container_of(p, struct worker, base);
}

static bool on_run(struct part *p)
{
    struct worker *w = of(p);
    w->runs++;
    if (w->gives && w->gives--)
        w->to->ready = true;
    return w->more;
}

static void on_tick(struct part *p)
{
    of(p)->ticks++;
}

static bool on_reload(struct part *p, char *why, size_t why_size)
{
    snprintf(why, why_size, "no");
    return !of(p)->fails;
}

static void on_set_fault(struct part *p, const char *why)
{
    of(p)->faults += why ? 1 : -1;
}

static void on_drain(struct part *p)
{
    of(p)->drains++;
}

static bool on_holds(struct part *p)
{
    return of(p)->holds;
}

static const struct part_ops ops = {.run = on_run,
    .tick = on_tick,
    .reload = on_reload,
    .drain = on_drain,
    .holds = on_holds,
    .set_fault = on_set_fault};
static const struct part_ops no_ops = {.run = NULL};

static struct worker a, b;
static struct parts all;

static void join(void)
{
    a = b = (struct worker){.base.ops = &ops};
    all = (struct parts){NULL};
    parts_add(&all, &a.base);
    parts_add(&all, &b.base);
}

static void Run_NothingHandedOn_EachOnce(void **state)
{
    (void)state;
    join();
    assert_false(parts_run(&all));
    assert_int_equal(a.runs, 1);
    assert_int_equal(b.runs, 1);
    b.more = true;
    assert_true(parts_run(&all));
}

/* What a later part hands to an earlier one is under way in the same turn. */
static void Run_HandedBack_EarlierRunsAgain(void **state)
{
    (void)state;
    join();
    b.to = &a.base;
    b.gives = 1;
    assert_false(parts_run(&all));
    assert_int_equal(a.runs, 2);
    assert_int_equal(b.runs, 1);
}

static void Run_HandedForward_NobodyRunsAgain(void **state)
{
    (void)state;
    join();
    a.to = &b.base;
    a.gives = 1;
    assert_false(parts_run(&all));
    assert_int_equal(a.runs, 1);
    assert_int_equal(b.runs, 1);
}

/* Two that hand on without end have other turns. */
static void Run_HandedOnForEver_TwiceAndMore(void **state)
{
    (void)state;
    join();
    a.to = &b.base;
    b.to = &a.base;
    a.gives = b.gives = 1000;
    assert_true(parts_run(&all));
    assert_int_equal(a.runs, 2);
    assert_int_equal(b.runs, 2);
}

static void Run_MadeReadyBefore_OnceOnly(void **state)
{
    (void)state;
    join();
    a.base.ready = true;
    assert_false(parts_run(&all));
    assert_int_equal(a.runs, 1);
}

static void Operations_Null_LeftOut(void **state)
{
    (void)state;
    char why[8] = "";
    struct part bare = {.ops = &no_ops};
    struct parts only = {NULL};
    parts_add(&only, &bare);
    assert_false(parts_run(&only));
    assert_false(parts_have_tick(&only));
    parts_tick(&only);
    parts_set_fault(&only, "x");
    parts_drain(&only);
    assert_false(parts_hold(&only));
    assert_true(parts_reload(&only, why, sizeof why));
}

static void Operations_OfEach_Called(void **state)
{
    (void)state;
    char why[8] = "";
    join();
    assert_true(parts_have_tick(&all));
    parts_tick(&all);
    assert_int_equal(a.ticks + b.ticks, 2);
    parts_set_fault(&all, "x");
    assert_int_equal(a.faults + b.faults, 2);
    parts_drain(&all);
    assert_int_equal(a.drains + b.drains, 2);
    assert_false(parts_hold(&all));
    b.holds = true;
    assert_true(parts_hold(&all));
    assert_true(parts_reload(&all, why, sizeof why));
    b.fails = true;
    assert_false(parts_reload(&all, why, sizeof why));
    assert_string_equal(why, "no");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Run_NothingHandedOn_EachOnce),
        checked(Run_HandedBack_EarlierRunsAgain),
        checked(Run_HandedForward_NobodyRunsAgain),
        checked(Run_HandedOnForEver_TwiceAndMore),
        checked(Run_MadeReadyBefore_OnceOnly),
        checked(Operations_Null_LeftOut),
        checked(Operations_OfEach_Called),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What the files of proc/ must not do with each other. */
#include "tests/unit/death.h"

#include "proc/master/master.h"
#include "proc/worker/board.h"

static struct master master;

static void change_unproved(void *unused)
{
    (void)unused;
    master_set_task(&master, MASTER_CHANGING);
}

static void two_tasks(void *unused)
{
    (void)unused;
    master.task = MASTER_CHANGING;
    master_next_task(&master);
}

static void vacate_no_post(void *unused)
{
    (void)unused;
    const struct child c = {.index = -1};
    posts_vacated(&master, &c);
}

static void serve_again(void *unused)
{
    (void)unused;
    struct child c = {.state = CHILD_DRAINING};
    child_set_state(&c, CHILD_SERVING);
}

static void two_proofs(void *unused)
{
    (void)unused;
    int fd;
    struct proof p = {.pid = 1};
    (void)!proof_start(&p, 0, &fd);
}

static void two_upgrades(void *unused)
{
    (void)unused;
    struct upgrade u = {.pid = 1};
    (void)!upgrade_start(&u, NULL, NULL, NULL, 0);
}

static void read_over_a_setup(void *unused)
{
    (void)unused;
    char why[SERVICE_WHY];
    struct setup s = {.number = 1};
    (void)!setup_read(&s, NULL, NULL, NULL, why);
}

static void give_no_heart(void *unused)
{
    (void)unused;
    struct board *b;
    if (board_new(&b))
        return;
    board_give(b, 0);
}

static void hear_no_heart(void *unused)
{
    (void)unused;
    (void)board_beats(NULL, BOARD_NONE);
}

static void beat_no_heart(void *unused)
{
    (void)unused;
    board_beat(NULL, BOARD_NONE);
}

static const struct death deaths[] = {
    {change_unproved, "may_begin(m->task, task)"},
    {two_tasks, "m->task == MASTER_IDLE"},
    {vacate_no_post, "c->index >= 0 && c->index < OPTIONS_WORKERS"},
    {serve_again, "state > c->state"},
    {two_proofs, "!p->pid"},
    {two_upgrades, "!u->pid"},
    {read_over_a_setup, "s->number == 0"},
    {give_no_heart, "heart >= 0 && heart < HEARTS && b->taken[heart]"},
    {hear_no_heart, "heart >= 0 && heart < HEARTS"},
    {beat_no_heart, "heart >= 0 && heart < HEARTS"},
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

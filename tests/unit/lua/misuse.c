/* What the rooms of lua/ must not do with each other. */
#include "tests/unit/death.h"

#include "lua/ctx/ctx.h"
#include "lua/modules/zlib/zlib_stream.h"
#include "lua/runtime/handles.h"
#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"
#include "lua/scripts/generation.h"

static void drop_twice(void *unused)
{
    (void)unused;
    struct handles h = {0};
    int64_t handle;
    if (handles_put(&h, &h, &handle))
        return;
    handles_drop(&h, handle);
    handles_drop(&h, handle);
}

static void leave_unentered(void *unused)
{
    (void)unused;
    struct task t = {.depth = 0};
    task_leave(&t);
}

static void drop_running(void *unused)
{
    (void)unused;
    struct task t = {.state = TASK_RUNNING};
    task_drop(&t);
}

static void interrupt_for_nothing(void *unused)
{
    (void)unused;
    struct task t = {.state = TASK_WAITING};
    task_interrupt(&t);
}

static void run_within_a_run(void *unused)
{
    (void)unused;
    struct task t = {.state = TASK_READY};
    struct vm vm = {.running = &t};
    t.vm = &vm;
    task_run(&t);
}

static void turn_within_a_run(void *unused)
{
    (void)unused;
    struct task t;
    struct vm vm = {.running = &t};
    (void)vm_run(&vm);
}

static void free_with_requests(void *unused)
{
    (void)unused;
    struct vm vm = {.requests.used = 1};
    list_init(&vm.tasks);
    list_init(&vm.ready);
    vm_free(&vm);
}

static void lose_memory(void *unused)
{
    (void)unused;
    struct vm vm = {.memory = 1};
    list_init(&vm.tasks);
    list_init(&vm.ready);
    vm_free(&vm);
}

static void close_the_current(void *unused)
{
    (void)unused;
    struct generation g = {.state = GENERATION_CURRENT};
    generation_set_state(&g, GENERATION_CLOSING);
}

static void abort_the_current(void *unused)
{
    (void)unused;
    struct generation g = {.state = GENERATION_CURRENT};
    generation_abort(&g);
}

static void wind_up_the_current(void *unused)
{
    (void)unused;
    struct generation g = {.state = GENERATION_CURRENT};
    (void)generation_wind_up(&g);
}

static void abort_twice(void *unused)
{
    (void)unused;
    struct ctx c = {.x = NULL};
    ctx_abort(&c, (struct cut){0});
}

static void run_closed(void *unused)
{
    (void)unused;
    struct zlib_stream s = {.state = ZLIB_CLOSED};
    (void)!zlib_stream_run(&s, "", 0, 0);
}

static void open_twice(void *unused)
{
    (void)unused;
    struct zlib_stream s = {.state = ZLIB_OPEN};
    (void)!zlib_stream_open_deflate(&s, ZLIB_GZIP, 1);
}

static const struct death deaths[] = {
    {drop_twice, "p"},
    {leave_unentered, "t->depth > 0"},
    {drop_running, "may_go(t->state, state)"},
    {interrupt_for_nothing, "t->cancel"},
    {run_within_a_run, "!vm->running"},
    {turn_within_a_run, "!vm->running"},
    {free_with_requests,
        "list_empty(&vm->tasks) && list_empty(&vm->ready) && vm->requests.used == 0"},
    {lose_memory, "vm->memory == 0"},
    {close_the_current, "state == g->state + 1"},
    {abort_the_current, "g->state != GENERATION_CURRENT && !g->aborted"},
    {wind_up_the_current, "g->state != GENERATION_CURRENT"},
    {abort_twice, "c->x && !c->aborted"},
    {run_closed, "s->state == ZLIB_OPEN"},
    {open_twice, "s->state == ZLIB_CLOSED"},
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

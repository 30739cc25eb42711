#include "core/pool.h"

#include "tests/unit/check.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { MANY = 500 };

struct task {
    struct pool_work work;
    int number, square;
    pthread_t thread;
    int again; /* times that done submits it once more */
};

static int watched = -1;
static int done_count;
static long done_sum;

static void watch(void *data, int fd)
{
    *(int *)data = fd;
}

static void run(struct pool_work *w)
{
    struct task *t = container_of(w, struct task, work);
    t->square = t->number * t->number;
    t->thread = pthread_self();
}

static void done(struct pool_work *w)
{
    struct task *t = container_of(w, struct task, work);
    done_count++;
    done_sum += t->square;
    if (t->again-- > 0)
        assert_int_equal(pool_submit(w), RC_OK);
}

static void open_pool(void)
{
    watched = -1;
    done_count = 0;
    done_sum = 0;
    pool_open(watch, &watched);
}

static void init(struct task *t, int number)
{
    *t = (struct task){.work = {.run = run, .done = done}, .number = number};
}

static void Submit_BeforeOpen_Refused(void **state)
{
    (void)state;
    struct task t;
    init(&t, 1);
    assert_int_equal(pool_submit(&t.work), RC_STATE);
    pool_collect();
    pool_close();
}

static void Open_WithoutWork_HasNoThreads(void **state)
{
    (void)state;
    open_pool();
    pool_close();
    assert_int_equal(watched, -1);
}

static void Submit_Many_EachIsDoneOnceInTheLoop(void **state)
{
    (void)state;
    static struct task tasks[MANY];
    long sum = 0;
    open_pool();
    for (int i = 0; i < MANY; i++) {
        init(&tasks[i], i);
        assert_int_equal(pool_submit(&tasks[i].work), RC_OK);
        sum += (long)i * i;
    }
    assert_true(watched >= 0);
    while (done_count < MANY) {
        struct pollfd p = {.fd = watched, .events = POLLIN};
        assert_int_equal(poll(&p, 1, -1), 1);
        pool_collect();
    }
    assert_int_equal(done_sum, sum);
    for (int i = 0; i < MANY; i++)
        assert_false(pthread_equal(tasks[i].thread, pthread_self()));
    pool_close();
}

static void Close_WithWorkUnderWay_WaitsForItAndWhatFollows(void **state)
{
    (void)state;
    static struct task tasks[MANY];
    int expected = 0;
    open_pool();
    for (int i = 0; i < MANY; i++) {
        init(&tasks[i], 1);
        tasks[i].again = i % 3;
        expected += 1 + i % 3;
        assert_int_equal(pool_submit(&tasks[i].work), RC_OK);
    }
    pool_close();
    assert_int_equal(done_count, expected);
    assert_int_equal(pool_submit(&tasks[0].work), RC_STATE);
}

static void Open_Again_Works(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct task t;
        init(&t, 7);
        open_pool();
        assert_int_equal(pool_submit(&t.work), RC_OK);
        pool_close();
        assert_int_equal(done_sum, 49);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Submit_BeforeOpen_Refused),
        checked(Open_WithoutWork_HasNoThreads),
        checked(Submit_Many_EachIsDoneOnceInTheLoop),
        checked(Close_WithWorkUnderWay_WaitsForItAndWhatFollows),
        checked(Open_Again_Works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Connections to SQLite under the sanitizer for threads: errands side by side, interrupted at any
 * moment, and closed with work under way. */
#include "lua/modules/sqlite/connection.h"

#include "tests/unit/check.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CONNECTIONS = 6, QUERIES = 60 };

static const char endless[] =
    "with recursive c(i) as (select 1 union all select i + 1 from c) select max(i) from c";

static int wakes = -1;
static int done_count, failed_count;
static long done_sum;

static void watch(void *data, int fd)
{
    *(int *)data = fd;
}

static void collect(void)
{
    struct pollfd p = {.fd = wakes, .events = POLLIN};
    assert_int_equal(poll(&p, 1, -1), 1);
    pool_collect();
}

static void on_done(struct errand *e)
{
    struct reply *r = &e->order->reply;
    int64_t integer = 0;
    done_count++;
    failed_count += r->kind == REPLY_FAILED;
    if (r->n == 1 + sizeof integer)
        memcpy(&integer, r->rows + 1, sizeof integer);
    done_sum += integer;
    errand_free(e);
}

static struct errand *submit(struct connection *c, enum order_kind kind, const char *text)
{
    struct order *o = order_new(kind, text, strlen(text), 0, 0);
    struct errand *e = errand_new(o);
    assert_non_null(e);
    o->may_write = true;
    e->done = on_done;
    assert_false(connection_submit(c, e));
    return e;
}

static void expect_done(int count)
{
    while (done_count < count)
        collect();
    done_count = 0;
}

static char *start(void)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/moontrail-sqlite-%d.db", (int)getpid());
    unlink(path);
    wakes = -1;
    done_count = failed_count = 0;
    done_sum = 0;
    pool_open(watch, &wakes);
    return path;
}

static struct connection *open_one(const char *path)
{
    struct connection *c = connection_new(false);
    assert_non_null(c);
    submit(c, ORDER_OPEN, path);
    expect_done(1);
    assert_int_equal(failed_count, 0);
    return c;
}

static void finish(const char *path)
{
    char name[80];
    pool_close();
    unlink(path);
    snprintf(name, sizeof name, "%s-wal", path);
    unlink(name);
    snprintf(name, sizeof name, "%s-shm", path);
    unlink(name);
}

static void Submit_OnManyConnections_EachErrandIsDoneOnceInOrder(void **state)
{
    (void)state;
    struct connection *c[CONNECTIONS];
    const char *path = start();
    for (int i = 0; i < CONNECTIONS; i++)
        c[i] = open_one(path);
    submit(c[0], ORDER_SCRIPT, "create table t (n); insert into t values (7)");
    expect_done(1);
    for (int i = 0; i < CONNECTIONS * QUERIES; i++)
        submit(c[i % CONNECTIONS], ORDER_QUERY, "select n from t");
    expect_done(CONNECTIONS * QUERIES);
    assert_int_equal(failed_count, 0);
    assert_int_equal(done_sum, 7 * CONNECTIONS * QUERIES);
    for (int i = 0; i < CONNECTIONS; i++)
        connection_close(c[i]);
    finish(path);
}

static void Abandon_AtAnyMoment_EndsTheErrandAndTheConnectionGoesOn(void **state)
{
    (void)state;
    const char *path = start();
    struct connection *c = open_one(path);
    for (int i = 0; i < QUERIES; i++) {
        struct errand *e = submit(c, ORDER_QUERY, endless);
        if (i % 3)
            usleep((useconds_t)(check_random() % 3000));
        errand_abandon(e);
        while (!connection_database(c))
            collect();
        assert_true(connection_tidy(c));
        submit(c, ORDER_QUERY, "select 1");
        expect_done(1);
    }
    assert_int_equal(failed_count, 0);
    assert_int_equal(done_sum, QUERIES);
    connection_close(c);
    finish(path);
}

static void Close_WithWorkUnderWay_InterruptsIt(void **state)
{
    (void)state;
    struct connection *c[CONNECTIONS];
    const char *path = start();
    for (int i = 0; i < CONNECTIONS; i++)
        c[i] = open_one(path);
    for (int i = 0; i < CONNECTIONS; i++) {
        struct errand *e = submit(c[i], ORDER_QUERY, endless);
        submit(c[i], ORDER_SCRIPT, "begin");
        errand_abandon(e);
        connection_close(c[i]);
    }
    expect_done(CONNECTIONS);
    finish(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Submit_OnManyConnections_EachErrandIsDoneOnceInOrder),
        checked(Abandon_AtAnyMoment_EndsTheErrandAndTheConnectionGoesOn),
        checked(Close_WithWorkUnderWay_InterruptsIt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

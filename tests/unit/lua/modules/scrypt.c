#include "lua/modules/crypto/scrypt.h"

#include "tests/unit/check.h"

#include <poll.h>
#include <string.h>

enum { MANY = SCRYPT_AT_ONCE + SCRYPT_WAITING };

static int watched = -1;
static int order[MANY + 1], done_count;

struct one {
    struct scrypt_job job;
    int number;
};

static void watch(void *data, int fd)
{
    *(int *)data = fd;
}

static void done(struct scrypt_job *job)
{
    order[done_count++] = container_of(job, struct one, job)->number;
}

static void open_pool(void)
{
    watched = -1;
    done_count = 0;
    pool_open(watch, &watched);
}

static void init(struct one *o, int number)
{
    *o = (struct one){.number = number};
    o->job.costs = (struct scrypt_costs){.ln = 4, .r = 1, .p = 1};
    o->job.password = STR("");
    o->job.hash_len = SCRYPT_HASH_MAX;
    o->job.done = done;
}

static void await(int count)
{
    while (done_count < count) {
        struct pollfd wake = {.fd = watched, .events = POLLIN};
        poll(&wake, 1, -1);
        pool_collect();
    }
}

/* RFC 7914 12, the first. */
static void expect_hash(const struct one *o)
{
    static const unsigned char first[] = {0x77, 0xd6, 0x57, 0x62, 0x38, 0x65, 0x7b, 0x20};
    assert_true(o->job.made);
    assert_memory_equal(o->job.hash, first, sizeof first);
}

static void Start_PoolClosed_Refused(void **state)
{
    (void)state;
    struct one o;
    init(&o, 0);
    assert_int_equal(scrypt_start(&o.job), RC_STATE);
    assert_int_equal(o.job.state, SCRYPT_IDLE);
}

static void Start_Many_TwoRunAndTheRestWait(void **state)
{
    (void)state;
    static struct one jobs[MANY + 1];
    open_pool();
    for (int i = 0; i < MANY; i++) {
        init(&jobs[i], i);
        assert_int_equal(scrypt_start(&jobs[i].job), RC_OK);
        assert_int_equal(jobs[i].job.state, i < SCRYPT_AT_ONCE ? SCRYPT_RUNS : SCRYPT_WAITS);
    }
    init(&jobs[MANY], MANY);
    assert_int_equal(scrypt_start(&jobs[MANY].job), RC_LIMIT);
    await(MANY);
    for (int i = 0; i < MANY; i++)
        expect_hash(&jobs[i]);
    assert_int_equal(scrypt_start(&jobs[MANY].job), RC_OK);
    await(MANY + 1);
    expect_hash(&jobs[MANY]);
    pool_close();
}

static void Leave_WhatWaits_IsDoneAtOnceAndNotMade(void **state)
{
    (void)state;
    struct one jobs[4];
    open_pool();
    for (int i = 0; i < 4; i++) {
        init(&jobs[i], i);
        assert_int_equal(scrypt_start(&jobs[i].job), RC_OK);
    }
    scrypt_leave(&jobs[2].job);
    assert_int_equal(done_count, 1);
    assert_int_equal(order[0], 2);
    assert_false(jobs[2].job.made);
    await(4);
    expect_hash(&jobs[3]);
    pool_close();
}

static void Leave_WhatRuns_IsDoneAtItsEnd(void **state)
{
    (void)state;
    struct one o;
    open_pool();
    init(&o, 0);
    assert_int_equal(scrypt_start(&o.job), RC_OK);
    scrypt_leave(&o.job);
    assert_int_equal(done_count, 0);
    await(1);
    pool_close();
}

/* The end of a worker: what waits is made in its turn. */
static void Close_WithSomeWaiting_AllAreDone(void **state)
{
    (void)state;
    static struct one jobs[10];
    open_pool();
    for (int i = 0; i < 10; i++) {
        init(&jobs[i], i);
        assert_int_equal(scrypt_start(&jobs[i].job), RC_OK);
    }
    pool_close();
    assert_int_equal(done_count, 10);
    for (int i = 0; i < 10; i++)
        expect_hash(&jobs[i]);
}

static void Affordable_ByCosts(void **state)
{
    (void)state;
    static const struct {
        struct scrypt_costs costs;
        bool is_made;
    } cases[] = {
        {{15, 8, 3}, true}, {{16, 8, 1}, true}, {{15, 8, 12}, true}, {{16, 8, 6}, true},
        {{1, 1, 1}, true}, {{15, 8, 13}, false}, {{16, 8, 7}, false}, {{16, 9, 1}, false},
        {{17, 8, 1}, false}, {{17, 4, 1}, true},
        {{16, 1, 1}, false}, /* RFC 7914 6: N is below 2^(16 r) */
        {{15, 1, 96}, true}, {{15, 1, 97}, false}, {{0, 8, 1}, false}, {{15, 0, 1}, false},
        {{15, 8, 0}, false}, {{64, 8, 1}, false}, {{4000000000, 8, 1}, false},
        {{15, 4000000000, 1}, false}, {{15, 8, 4000000000}, false}, {{1, 8192, 8192}, false},
        {{1, 4000, 1}, false}, /* what is beside the table */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (scrypt_is_affordable(&cases[i].costs) != cases[i].is_made)
            fail_msg("ln=%u r=%u p=%u", cases[i].costs.ln, cases[i].costs.r, cases[i].costs.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Start_PoolClosed_Refused),
        checked(Start_Many_TwoRunAndTheRestWait),
        checked(Leave_WhatWaits_IsDoneAtOnceAndNotMade),
        checked(Leave_WhatRuns_IsDoneAtItsEnd),
        checked(Close_WithSomeWaiting_AllAreDone),
        checked(Affordable_ByCosts),
    };
    return cmocka_run_group_tests_name("lua/modules/scrypt", tests, NULL, NULL);
}

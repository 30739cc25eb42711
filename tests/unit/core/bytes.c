#include "core/bytes.h"

#include "tests/unit/check.h"

enum { MAX = 100000 };

static char text[MAX];

static void fill_text(void)
{
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 31 + i / 251);
}

/* The queue holds exactly these bytes; it is emptied. */
static void assert_drains(struct bytes *b, const char *expected, size_t n)
{
    assert_int_equal(b->len, n);
    while (n) {
        size_t run;
        const char *front = bytes_front(b, &run);
        assert_true(run > 0 && run <= n);
        assert_memory_equal(front, expected, run);
        bytes_drop(b, run);
        expected += run;
        n -= run;
    }
    size_t run;
    assert_null(bytes_front(b, &run));
    assert_int_equal(run, 0);
    assert_int_equal(b->len, 0);
}

static void Append_EachSize_ComesOutWhole(void **state)
{
    (void)state;
    fill_text();
    for (size_t n = 0; n < 40000; n += n < 1200 ? 1 : 499) {
        struct bytes b;
        bytes_init(&b, MAX);
        assert_int_equal(bytes_append(&b, text, n), RC_OK);
        assert_drains(&b, text, n);
        bytes_fini(&b);
    }
}

static void Append_Nothing_StaysEmpty(void **state)
{
    (void)state;
    struct bytes b;
    bytes_init(&b, MAX);
    assert_int_equal(bytes_append(&b, NULL, 0), RC_OK);
    assert_int_equal(b.len, 0);
    assert_int_equal(bytes_append(&b, "x", 1), RC_OK);
    assert_int_equal(bytes_append(&b, NULL, 0), RC_OK);
    assert_drains(&b, "x", 1);
    bytes_fini(&b);
}

static void Append_PastMaximum_NothingQueued(void **state)
{
    (void)state;
    struct bytes b;
    fill_text();
    bytes_init(&b, 1000);
    assert_int_equal(bytes_append(&b, text, 1001), RC_LIMIT);
    assert_int_equal(bytes_append(&b, text, SIZE_MAX), RC_LIMIT);
    assert_int_equal(bytes_append(&b, text, 900), RC_OK);
    assert_int_equal(bytes_append(&b, text, 101), RC_LIMIT);
    assert_int_equal(bytes_room(&b), 100);
    assert_int_equal(bytes_append(&b, text + 900, 100), RC_OK);
    assert_int_equal(bytes_room(&b), 0);
    assert_int_equal(bytes_append(&b, text, 1), RC_LIMIT);
    assert_drains(&b, text, 1000);
    bytes_fini(&b);
}

static void Append_MemoryRunsOut_QueueAsItWas(void **state)
{
    (void)state;
    fill_text();
    for (uint64_t i = 1, failed = 1; failed; i++) {
        struct bytes b;
        bytes_init(&b, MAX);
        assert_int_equal(bytes_append(&b, text, 300), RC_OK);
        uint64_t blocks = mem_stats()->blocks;
        mem_fail_at(i, 0);
        failed = bytes_append(&b, text + 300, 60000) == RC_NOMEM;
        mem_fail_at(0, 0);
        if (failed)
            assert_int_equal(mem_stats()->blocks, blocks);
        assert_true(failed || i > 3);
        assert_drains(&b, text, failed ? 300 : 60300);
        bytes_fini(&b);
    }
}

static void Append_AfterFailure_GoesOn(void **state)
{
    (void)state;
    struct bytes b;
    fill_text();
    bytes_init(&b, MAX);
    mem_fail_at(1, 0);
    assert_int_equal(bytes_append(&b, text, 5000), RC_NOMEM);
    assert_int_equal(bytes_append(&b, text, 5000), RC_OK);
    mem_fail_at(2, 0);
    assert_int_equal(bytes_append(&b, text + 5000, 50000), RC_NOMEM);
    assert_int_equal(bytes_append(&b, text + 5000, 50000), RC_OK);
    assert_drains(&b, text, 55000);
    bytes_fini(&b);
}

static void Append_Short_CostsShortBlock(void **state)
{
    (void)state;
    struct bytes b;
    bytes_init(&b, MAX);
    uint64_t bytes = mem_stats()->bytes;
    assert_int_equal(bytes_append(&b, "hello", 5), RC_OK);
    assert_in_range(mem_stats()->bytes - bytes, 1, 512);
    bytes_fini(&b);
}

static void Take_AcrossChunks_InOrder(void **state)
{
    (void)state;
    static char out[MAX];
    struct bytes b;
    fill_text();
    bytes_init(&b, MAX);
    for (size_t at = 0; at < 50000; at += 500)
        assert_int_equal(bytes_append(&b, text + at, 500), RC_OK);
    assert_int_equal(bytes_take(&b, out, 0), 0);
    assert_int_equal(bytes_take(&b, out, 49999), 49999);
    assert_memory_equal(out, text, 49999);
    assert_int_equal(bytes_take(&b, out, sizeof out), 1);
    assert_int_equal(out[0], text[49999]);
    assert_int_equal(bytes_take(&b, out, sizeof out), 0);
    bytes_fini(&b);
}

static void Fini_WithBytes_FreesThem(void **state)
{
    (void)state;
    struct bytes b;
    fill_text();
    bytes_init(&b, MAX);
    assert_int_equal(bytes_append(&b, text, 70000), RC_OK);
    bytes_drop(&b, 100);
    bytes_fini(&b);
    assert_int_equal(b.len, 0);
    bytes_fini(&b);
}

/* The reference: a plain array, of which [start, end) is queued. */
struct model {
    size_t start, end;
    char data[1 << 20];
};

static void try_append(struct bytes *b, struct model *m)
{
    size_t n = check_random() % 4 ? check_random() % 700 : check_random() % 30000;
    bool fails = check_random() % 8 == 0;
    if (n > sizeof m->data - m->end)
        return;
    for (size_t i = 0; i < n; i++)
        m->data[m->end + i] = (char)check_random();
    mem_fail_at(fails, 0);
    enum rc rc = bytes_append(b, m->data + m->end, n);
    mem_fail_at(0, 0);
    assert_int_equal(rc == RC_LIMIT, n > b->max - (m->end - m->start));
    assert_true(rc != RC_NOMEM || fails);
    if (!rc)
        m->end += n;
}

static void try_drop(struct bytes *b, struct model *m)
{
    size_t n = check_random() % (m->end - m->start + 1);
    bytes_drop(b, n);
    m->start += n;
}

static void try_take(struct bytes *b, struct model *m)
{
    static char out[40000];
    size_t n = check_random() % sizeof out, queued = m->end - m->start;
    size_t expected = n < queued ? n : queued;
    assert_int_equal(bytes_take(b, out, n), expected);
    assert_memory_equal(out, m->data + m->start, expected);
    m->start += expected;
}

static void assert_same(const struct bytes *b, const struct model *m)
{
    size_t run;
    const char *front = bytes_front(b, &run);
    assert_int_equal(b->len, m->end - m->start);
    assert_int_equal(run == 0, b->len == 0);
    assert_true(run <= b->len);
    assert_true(run == 0 || memcmp(front, m->data + m->start, run) == 0);
}

static void Operations_AtRandom_AsTheModel(void **state)
{
    (void)state;
    static struct model m;
    static void (*const operations[])(struct bytes *, struct model *) = {
        try_append, try_append, try_append, try_drop, try_take};
    for (int round = 0; round < 20; round++) {
        struct bytes b;
        m.start = m.end = 0;
        bytes_init(&b, 65536);
        for (int i = 0; i < 300; i++) {
            operations[check_random() % count_of(operations)](&b, &m);
            assert_same(&b, &m);
        }
        assert_drains(&b, m.data + m.start, m.end - m.start);
        bytes_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Append_EachSize_ComesOutWhole),
        checked(Append_Nothing_StaysEmpty),
        checked(Append_PastMaximum_NothingQueued),
        checked(Append_MemoryRunsOut_QueueAsItWas),
        checked(Append_AfterFailure_GoesOn),
        checked(Append_Short_CostsShortBlock),
        checked(Take_AcrossChunks_InOrder),
        checked(Fini_WithBytes_FreesThem),
        checked(Operations_AtRandom_AsTheModel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What the files of h2/ must not do with each other. */
#include "tests/unit/death.h"

#include "h2/frames.h"
#include "h2/gaps.h"
#include "h2/guard.h"
#include "h2/memory.h"
#include "h2/outgoing.h"

static void skip_a_servers_stream(void *unused)
{
    (void)unused;
    struct gaps g = {0};
    (void)gaps_open(&g, 2);
}

static void count_no_kind(void *unused)
{
    (void)unused;
    struct guard g = {0};
    (void)guard_count(&g, GUARD_KINDS, 1);
}

static void see_too_much(void *unused)
{
    (void)unused;
    struct frames f = {.seen_len = FRAME_SEEN_MAX};
    bool begins;
    (void)frames_cut(&f, (const uint8_t *)"x", 1, &begins);
}

static void body_before_head(void *unused)
{
    (void)unused;
    struct arena a;
    struct outgoing o;
    uint8_t out[10];
    uint32_t flags = 0;
    arena_init(&a, NULL, 0, 100);
    outgoing_init(&o, &a);
    (void)h2_read_body(NULL, 1, &o, H2_COPY, out, sizeof out, &flags);
}

static void free_the_reserve_twice(void *unused)
{
    (void)unused;
    nghttp2_mem *m = h2_memory();
    void *block = m->malloc(10, NULL);
    mem_fail_at(1, 0);
    block = m->realloc(block, 20, NULL);
    m->free(block, NULL);
    m->free(block, NULL);
}

static const struct death deaths[] = {
    {skip_a_servers_stream, "id > 0 && id % 2"},
    {count_no_kind, "kind < GUARD_KINDS"},
    {see_too_much, "f->seen_len < FRAME_SEEN_MAX"},
    {body_before_head, "o->head_taken"},
    {free_the_reserve_twice, "i == RESERVE_BLOCKS || taken[i]"},
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

#include "store/ring.h"

#include "tests/unit/check.h"

#include <stdlib.h>

static struct ring *new_ring(void)
{
    struct ring *r = calloc(1, sizeof *r);
    assert_non_null(r);
    return r;
}

static unsigned char room[RING_MESSAGE];

static void write_number(struct ring *r, const char *channel, uint64_t number, size_t size)
{
    static char body[65536];
    memset(body, (int)(number & 0xff), sizeof body);
    memcpy(body, &number, sizeof number);
    ring_write(r, str_of(channel), (struct str){body, size});
}

static uint64_t number_of(const struct ring_message *m)
{
    uint64_t n;
    memcpy(&n, m->body.p, sizeof n);
    for (size_t i = sizeof n; i < m->body.n; i++)
        assert_int_equal((unsigned char)m->body.p[i], n & 0xff);
    return n;
}

static void Read_EmptyRing_GivesNothing(void **state)
{
    (void)state;
    struct ring *r = new_ring();
    struct ring_message m;
    uint64_t at = ring_head(r);
    assert_int_equal(ring_read(r, &at, room, &m), RING_NONE);
    free(r);
}

static void Write_EachSize_IsReadAsItWas(void **state)
{
    (void)state;
    struct ring *r = new_ring();
    struct ring_message m;
    uint64_t at = 0;
    for (uint64_t i = 1; i < 3000; i++) {
        size_t size = sizeof i + check_random() % 65000 / (1 + check_random() % 100);
        write_number(r, "a channel", i, size);
        assert_int_equal(ring_read(r, &at, room, &m), RING_READ);
        assert_int_equal(number_of(&m), i);
        assert_int_equal(m.body.n, size);
        assert_int_equal(m.number, i);
        assert_str(m.channel, "a channel");
        assert_int_equal(m.topic, ring_topic(str_of("a channel")));
        assert_int_equal(ring_read(r, &at, room, &m), RING_NONE);
    }
    free(r);
}

static void Write_EmptyBody_IsRead(void **state)
{
    (void)state;
    struct ring *r = new_ring();
    struct ring_message m;
    uint64_t at = 0;
    ring_write(r, str_of("c"), (struct str){"", 0});
    assert_int_equal(ring_read(r, &at, room, &m), RING_READ);
    assert_int_equal(m.body.n, 0);
    free(r);
}

static void Write_Topics_CountForThemselves(void **state)
{
    (void)state;
    struct ring *r = new_ring();
    struct ring_message m;
    uint64_t at = 0;
    assert_int_not_equal(ring_topic(str_of("a")), ring_topic(str_of("b")));
    for (uint64_t i = 0; i < 5; i++) {
        write_number(r, "a", i, 100);
        write_number(r, "b", i, 100);
        write_number(r, "b", i, 100);
    }
    uint64_t a = 0, b = 0;
    while (ring_read(r, &at, room, &m) == RING_READ)
        assert_int_equal(m.number, m.channel.p[0] == 'a' ? ++a : ++b);
    assert_int_equal(a, 5);
    assert_int_equal(b, 10);
    free(r);
}

static void Read_Overrun_IsToldAndGoesOnWithWhatIsLeft(void **state)
{
    (void)state;
    struct ring *r = new_ring();
    struct ring_message m;
    uint64_t at = 0, count = RING_SIZE / 1000 * 3;
    for (uint64_t i = 1; i <= count; i++)
        write_number(r, "c", i, 1000);
    assert_int_equal(ring_read(r, &at, room, &m), RING_LOST);
    assert_int_equal(ring_read(r, &at, room, &m), RING_READ);
    uint64_t first = number_of(&m), last = first;
    while (ring_read(r, &at, room, &m) == RING_READ)
        assert_int_equal(number_of(&m), ++last);
    assert_int_equal(last, count);
    /* All but about two chunks of what the ring holds is left. */
    assert_true((count - first) * 1032 > RING_SIZE - 4 * RING_CHUNK);
    free(r);
}

static void Read_BehindByAnything_NeverGivesTornMessages(void **state)
{
    (void)state;
    struct ring *r = new_ring();
    struct ring_message m;
    uint64_t at = 0, last = 0, written = 0;
    for (int round = 0; round < 400; round++) {
        for (uint32_t n = check_random() % 400; n; n--)
            write_number(r, "c", ++written, 8 + check_random() % 60000 / (1 + check_random() % 9));
        for (uint32_t n = check_random() % 300; n; n--) {
            enum ring_read state_now = ring_read(r, &at, room, &m);
            if (state_now == RING_NONE)
                break;
            if (state_now == RING_LOST)
                continue;
            assert_true(number_of(&m) > last);
            assert_int_equal(number_of(&m), m.number);
            last = m.number;
        }
    }
    free(r);
}

static void Write_AfterOneThatDied_ReadersSeeNothingOfIt(void **state)
{
    (void)state;
    struct ring *r = new_ring();
    struct ring_message m;
    uint64_t at = 0;
    write_number(r, "c", 1, 100);
    /* As a writer leaves it that is killed: something is reserved and half written. */
    atomic_store(&r->reserved, ring_head(r) + 60000);
    memset(r->bytes + ring_head(r), 0xee, 30000);
    assert_int_equal(ring_read(r, &at, room, &m), RING_READ);
    assert_int_equal(ring_read(r, &at, room, &m), RING_NONE);
    write_number(r, "c", 2, 100);
    assert_int_equal(ring_read(r, &at, room, &m), RING_READ);
    assert_int_equal(number_of(&m), 2);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Read_EmptyRing_GivesNothing),
        checked(Write_EachSize_IsReadAsItWas),
        checked(Write_EmptyBody_IsRead),
        checked(Write_Topics_CountForThemselves),
        checked(Read_Overrun_IsToldAndGoesOnWithWhatIsLeft),
        checked(Read_BehindByAnything_NeverGivesTornMessages),
        checked(Write_AfterOneThatDied_ReadersSeeNothingOfIt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

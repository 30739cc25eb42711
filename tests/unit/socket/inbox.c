#include "socket/inbox.h"

#include "core/mem.h"
#include "tests/unit/check.h"

#include <stdlib.h>
#include <string.h>

/* Bytes that count up, so that each tells its place in the stream. */
struct stream {
    struct inbox in;
    size_t put, taken;
};

static void put(struct stream *s, size_t n)
{
    char *at;
    size_t room;
    assert_int_equal(inbox_reserve(&s->in, n, &at, &room), RC_OK);
    assert_true(room >= n);
    for (size_t i = 0; i < n; i++)
        at[i] = (char)(s->put++ % 251);
    inbox_add(&s->in, n);
}

static void take(struct stream *s, size_t n)
{
    struct str content = inbox_content(&s->in);
    assert_int_equal(content.n, s->put - s->taken);
    for (size_t i = 0; i < content.n; i++)
        assert_int_equal(content.p[i], (char)((s->taken + i) % 251));
    inbox_drop(&s->in, n);
    s->taken += n;
}

static void Content_AddedAndDroppedInAnyPieces_IsTheStream(void **state)
{
    (void)state;
    struct stream s = {0};
    inbox_init(&s.in);
    srand(1);
    for (int i = 0; i < 3000; i++) {
        size_t room = inbox_room(&s.in), most = (size_t)(rand() % 9000);
        if (room)
            put(&s, 1 + most % room);
        size_t n = inbox_content(&s.in).n;
        take(&s, (size_t)rand() % (n + 1));
    }
    assert_true(s.in.size <= INBOX_MAX);
    inbox_fini(&s.in);
}

static void Room_UpToTheMaximum_AndNoMore(void **state)
{
    (void)state;
    struct stream s = {0};
    inbox_init(&s.in);
    assert_int_equal(inbox_room(&s.in), INBOX_MAX);
    put(&s, INBOX_MAX);
    assert_int_equal(inbox_room(&s.in), 0);
    take(&s, 10);
    put(&s, 10);
    take(&s, INBOX_MAX);
    inbox_fini(&s.in);
}

static void Place_Lent_HoldsMoreAndIsGivenBackOnceItFits(void **state)
{
    (void)state;
    static char place[4 * INBOX_MAX];
    struct stream s = {0};
    inbox_init(&s.in);
    put(&s, INBOX_MAX);
    inbox_lend(&s.in, place, sizeof place);
    put(&s, 3 * INBOX_MAX);
    assert_int_equal(inbox_room(&s.in), 0);
    assert_false(inbox_restore(&s.in));
    take(&s, 3 * INBOX_MAX + 1);
    assert_true(inbox_restore(&s.in));
    assert_false(s.in.lent);
    take(&s, INBOX_MAX - 1);
    inbox_fini(&s.in);
}

static void Reserve_WithoutMemory_ChangesNothing(void **state)
{
    (void)state;
    char *at;
    size_t n;
    struct stream s = {0};
    inbox_init(&s.in);
    put(&s, 4000);
    mem_fail_at(1, 1);
    assert_int_equal(inbox_reserve(&s.in, 4000, &at, &n), RC_NOMEM);
    mem_fail_at(0, 0);
    take(&s, 4000);
    inbox_fini(&s.in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Content_AddedAndDroppedInAnyPieces_IsTheStream),
        checked(Room_UpToTheMaximum_AndNoMore),
        checked(Place_Lent_HoldsMoreAndIsGivenBackOnceItFits),
        checked(Reserve_WithoutMemory_ChangesNothing),
    };
    return cmocka_run_group_tests_name("socket/inbox", tests, NULL, NULL);
}

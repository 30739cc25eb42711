#include "core/list.h"

#include "tests/unit/death.h"

struct item {
    int number;
    struct list link;
};

static void append_three(struct list *l, struct item items[3], int from)
{
    list_init(l);
    for (int i = 0; i < 3; i++) {
        items[i].number = from + i;
        list_init(&items[i].link);
        list_append(l, &items[i].link);
    }
}

static int shift_number(struct list *l)
{
    struct list *node = list_shift(l);
    return node ? container_of(node, struct item, link)->number : -1;
}

static void Init_Empty_NothingToShift(void **state)
{
    (void)state;
    struct list l;
    list_init(&l);
    assert_true(list_empty(&l));
    assert_null(list_shift(&l));
}

static void Append_Three_ShiftedInOrder(void **state)
{
    (void)state;
    struct list l;
    struct item items[3];
    append_three(&l, items, 1);
    assert_false(list_empty(&l));
    for (int i = 1; i <= 3; i++)
        assert_int_equal(shift_number(&l), i);
    assert_true(list_empty(&l));
}

static void Prepend_BesideThree_ShiftedFirst(void **state)
{
    (void)state;
    struct list l;
    struct item items[3], first = {.number = 0};
    append_three(&l, items, 1);
    list_init(&first.link);
    list_prepend(&l, &first.link);
    for (int i = 0; i <= 3; i++)
        assert_int_equal(shift_number(&l), i);
    assert_true(list_empty(&l));
}

static void Prepend_Empty_TheOnlyOne(void **state)
{
    (void)state;
    struct list l;
    struct item only = {.number = 7};
    list_init(&l);
    list_init(&only.link);
    list_prepend(&l, &only.link);
    assert_int_equal(shift_number(&l), 7);
    assert_int_equal(shift_number(&l), -1);
}

static void Remove_Middle_OthersStay(void **state)
{
    (void)state;
    struct list l;
    struct item items[3];
    append_three(&l, items, 1);
    list_remove(&items[1].link);
    assert_false(list_linked(&items[1].link));
    assert_true(list_linked(&items[0].link));
    assert_int_equal(shift_number(&l), 1);
    assert_int_equal(shift_number(&l), 3);
    assert_int_equal(shift_number(&l), -1);
}

static void Remove_NotLinked_Allowed(void **state)
{
    (void)state;
    struct item item;
    list_init(&item.link);
    assert_false(list_linked(&item.link));
    list_remove(&item.link);
    list_remove(&item.link);
    assert_false(list_linked(&item.link));
}

static void Shift_Last_UnlinksNode(void **state)
{
    (void)state;
    struct list l;
    struct item items[3];
    append_three(&l, items, 1);
    for (int i = 0; i < 3; i++) {
        list_shift(&l);
        assert_false(list_linked(&items[i].link));
    }
}

static void Splice_BothFilled_JoinedInOrder(void **state)
{
    (void)state;
    struct list l, from;
    struct item items[3], more[3];
    append_three(&l, items, 1);
    append_three(&from, more, 4);
    list_splice(&l, &from);
    assert_true(list_empty(&from));
    for (int i = 1; i <= 6; i++)
        assert_int_equal(shift_number(&l), i);
    assert_int_equal(shift_number(&l), -1);
}

static void Splice_OneEmpty_TakesTheOther(void **state)
{
    (void)state;
    struct list l, from;
    struct item items[3];
    list_init(&l);
    append_three(&from, items, 1);
    list_splice(&l, &from);
    assert_true(list_empty(&from));
    list_splice(&l, &from);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(shift_number(&l), i);
    assert_true(list_empty(&l));
}

static void append_again(void *node)
{
    struct list other;
    list_init(&other);
    list_append(&other, node);
}

static void Append_InAnotherList_Aborts(void **state)
{
    (void)state;
    struct list l;
    struct item items[3];
    append_three(&l, items, 1);
    assert_aborts(append_again, &items[1].link, "!list_linked(node)");
}

static void Append_NeverInitialized_Aborts(void **state)
{
    (void)state;
    struct item zeroed = {0};
    assert_aborts(append_again, &zeroed.link, "!list_linked(node)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Init_Empty_NothingToShift),
        checked(Append_Three_ShiftedInOrder),
        checked(Prepend_BesideThree_ShiftedFirst),
        checked(Prepend_Empty_TheOnlyOne),
        checked(Remove_Middle_OthersStay),
        checked(Remove_NotLinked_Allowed),
        checked(Shift_Last_UnlinksNode),
        checked(Splice_BothFilled_JoinedInOrder),
        checked(Splice_OneEmpty_TakesTheOther),
        checked(Append_InAnotherList_Aborts),
        checked(Append_NeverInitialized_Aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

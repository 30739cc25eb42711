#include "socket/find.h"

#include "tests/unit/check.h"

#include <string.h>

/* What is found in each beginning of the text, as it grows byte by byte, is what is found in all of
 * it at once. */
static void expect_line(struct str text, size_t line, size_t taken)
{
    for (size_t cut = 0; cut <= text.n; cut++) {
        struct find f = {0};
        size_t n = 99, all = 99;
        bool found = find_line(&f, (struct str){text.p, cut}, &n, &all);
        for (size_t i = cut + 1; !found && i <= text.n; i++)
            found = find_line(&f, (struct str){text.p, i}, &n, &all);
        assert_true(found);
        assert_int_equal(n, line);
        assert_int_equal(all, taken);
    }
}

static void Line_CutAnywhere_IsTheSame(void **state)
{
    (void)state;
    expect_line(STR("\n"), 0, 1);
    expect_line(STR("\r\n"), 0, 2);
    expect_line(STR("a\nb\n"), 1, 2);
    expect_line(STR("a\r\nb"), 1, 3);
    expect_line(STR("a\rb\r\r\n"), 4, 6);
    expect_line(STR("\0\n"), 1, 2);
}

static void Line_WithoutEnd_IsNotFound(void **state)
{
    (void)state;
    struct find f = {0};
    size_t n, taken;
    assert_false(find_line(&f, STR(""), &n, &taken));
    assert_false(find_line(&f, STR("a\rb"), &n, &taken));
    assert_int_equal(f.looked, 3);
}

static void expect_mark(struct str text, struct str mark, size_t before)
{
    for (size_t cut = 0; cut <= text.n; cut++) {
        struct find f = {0};
        size_t n = 99;
        bool found = find_mark(&f, (struct str){text.p, cut}, mark, &n);
        for (size_t i = cut + 1; !found && i <= text.n; i++)
            found = find_mark(&f, (struct str){text.p, i}, mark, &n);
        assert_true(found);
        assert_int_equal(n, before);
    }
}

static void Mark_CutAnywhere_IsTheSame(void **state)
{
    (void)state;
    expect_mark(STR("--"), STR("--"), 0);
    expect_mark(STR("a-b--c"), STR("--"), 3);
    expect_mark(STR("aaaab"), STR("aab"), 2);
    expect_mark(STR("ababac"), STR("abac"), 2);
    expect_mark(STR("\r\n\r\r\n\r\n"), STR("\r\n\r\n"), 3);
    expect_mark(STR("x"), STR("x"), 0);
    expect_mark(STR("a\0b"), STR("\0b"), 1);
}

static void Mark_MayBeginInWhatIsThere_IsLookedForAgain(void **state)
{
    (void)state;
    struct find f = {0};
    size_t n;
    assert_false(find_mark(&f, STR("abc-"), STR("---"), &n));
    assert_int_equal(f.looked, 2);
    assert_false(find_mark(&f, STR("abc--"), STR("---"), &n));
    assert_true(find_mark(&f, STR("abc---"), STR("---"), &n));
    assert_int_equal(n, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Line_CutAnywhere_IsTheSame),
        checked(Line_WithoutEnd_IsNotFound),
        checked(Mark_CutAnywhere_IsTheSame),
        checked(Mark_MayBeginInWhatIsThere_IsLookedForAgain),
    };
    return cmocka_run_group_tests_name("socket/find", tests, NULL, NULL);
}

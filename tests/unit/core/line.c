#include "core/line.h"

#include "tests/unit/check.h"

#include <stdio.h>

static struct line line;

static struct str text(void)
{
    return (struct str){line.text, line.len};
}

static void Number_OfDigits_Padded(void **state)
{
    (void)state;
    line_init(&line, 0);
    line_put_number(&line, 0, 1);
    line_put(&line, " ", 1);
    line_put_number(&line, 42, 6);
    line_put(&line, " ", 1);
    line_put_number(&line, 1234567, 6);
    line_put(&line, " ", 1);
    line_put_number(&line, UINT64_MAX, 1);
    assert_str(text(), "0 000042 1234567 18446744073709551615");
}

static void Put_PastTheRoom_CutAndNoted(void **state)
{
    (void)state;
    static char long_text[LINE_MAX_BYTES + 1];
    line_init(&line, 10);
    line_put(&line, long_text, LINE_MAX_BYTES - 10);
    assert_false(line.cut);
    assert_int_equal(line_room(&line), 0);
    line_put(&line, "x", 1);
    assert_true(line.cut);
    assert_int_equal(line.len, LINE_MAX_BYTES - 10);
    line_init(&line, 0);
    assert_false(line.cut);
    assert_int_equal(line.len, 0);
}

static void Escaped_EachKindOfByte_AsJson(void **state)
{
    (void)state;
    line_init(&line, 0);
    line_put_quoted(&line, "a\"\\\n\t\r\x01\x7f\xc3\xa4\xff", 11);
    assert_str(text(), "\"a\\\"\\\\\\n\\t\\r\\u0001\\u007f\xc3\xa4\\u00ff\"");
}

static void Escaped_PastTheRoom_NeverHalf(void **state)
{
    (void)state;
    static char controls[LINE_MAX_BYTES];
    memset(controls, 1, sizeof controls);
    line_init(&line, 0);
    line_put_quoted(&line, controls, sizeof controls);
    assert_true(line.cut);
    assert_int_equal((line.len - 2) % 6, 0);
    assert_memory_equal(line.text + line.len - 7, "\\u0001\"", 7);
}

static void Time_Now_InItsForm(void **state)
{
    (void)state;
    int year, month, day, hour, minute, second, milli, end = 0;
    line_init(&line, 1);
    line_put_time(&line);
    line.text[line.len] = '\0';
    assert_int_equal(sscanf(line.text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &year, &month, &day, &hour,
                         &minute, &second, &milli, &end),
        7);
    assert_int_equal(end, line.len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Number_OfDigits_Padded),
        checked(Put_PastTheRoom_CutAndNoted),
        checked(Escaped_EachKindOfByte_AsJson),
        checked(Escaped_PastTheRoom_NeverHalf),
        checked(Time_Now_InItsForm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "http/urlencoded.h"

#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>

/* Appends a decoded piece; memory of its exact size lets the sanitizer see a byte too many. */
static size_t add_decoded(char *out, struct str s)
{
    char *copy = malloc(s.n ? s.n : 1);
    if (s.n)
        memcpy(copy, s.p, s.n);
    size_t n = urlencoded_decode((struct str){copy, s.n}, copy);
    assert_true(n <= s.n);
    assert_true(urlencoded_has_escapes(s) || (n == s.n && (n == 0 || !memcmp(copy, s.p, n))));
    memcpy(out, copy, n);
    free(copy);
    return n;
}

/* The pairs of a text, decoded, as "{name=value}" in a row. */
static struct str pairs(struct str left)
{
    static char words[4096];
    size_t n = 0;
    struct str name, value;
    while (urlencoded_next(&left, &name, &value)) {
        assert_true(n + name.n + value.n + 3 < sizeof words);
        words[n++] = '{';
        n += add_decoded(words + n, name);
        words[n++] = '=';
        n += add_decoded(words + n, value);
        words[n++] = '}';
    }
    assert_int_equal(left.n, 0);
    return (struct str){words, n};
}

struct example {
    const char *text, *pairs;
};

static void check_examples(const struct example *examples, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_str(pairs(str_of(examples[i].text)), examples[i].pairs);
}

static void Next_DividesPairs(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"", ""},
        {"a=1", "{a=1}"},
        {"a=1&b=2&a=3", "{a=1}{b=2}{a=3}"},
        {"a", "{a=}"},
        {"a=", "{a=}"},
        {"=1", "{=1}"},
        {"=", "{=}"},
        {"a&b", "{a=}{b=}"},
        {"a==1=", "{a==1=}"},
        {"&", ""},
        {"&&&", ""},
        {"&a=1&&b&", "{a=1}{b=}"},
        {"a;b=1?c", "{a;b=1?c}"},
    };
    check_examples(examples, count_of(examples));
}

static void Next_OfNothing_IsTheEnd(void **state)
{
    (void)state;
    struct str left = {NULL, 0}, name, value;
    assert_false(urlencoded_next(&left, &name, &value));
    assert_false(urlencoded_has_escapes(left));
}

static void Decode_EscapesAndPluses(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"a+b=c+d+", "{a b=c d }"},
        {"%61=%41%7a%7A", "{a=Azz}"},
        {"a=%2B%26%3D%25", "{a=+&=%}"},
        {"a%3D1=2", "{a=1=2}"},
        {"%26=%20", "{&= }"},
        {"a=%C3%a9\xc3\xa9", "{a=\xc3\xa9\xc3\xa9}"},
        {"a=%2561", "{a=%61}"},
    };
    check_examples(examples, count_of(examples));
}

static void Decode_MalformedEscape_Stays(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"a=%", "{a=%}"},
        {"a=%4", "{a=%4}"},
        {"a=%4&1=%", "{a=%4}{1=%}"},
        {"a=%g1%1g%@1", "{a=%g1%1g%@1}"},
        {"a=%%41", "{a=%A}"},
        {"a=%u0041", "{a=%u0041}"},
        {"a=%+1%-1", "{a=% 1%-1}"},
    };
    check_examples(examples, count_of(examples));
}

static void Decode_ZeroByte(void **state)
{
    (void)state;
    struct str got = pairs(STR("a=x%00y\0z"));
    assert_int_equal(got.n, sizeof "{a=x_y_z}" - 1);
    assert_memory_equal(got.p, "{a=x\0y\0z}", got.n);
}

static void Decode_EveryByte(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char lower[4], upper[4], out[3];
        snprintf(lower, sizeof lower, "%%%02x", (unsigned)byte);
        snprintf(upper, sizeof upper, "%%%02X", (unsigned)byte);
        assert_int_equal(urlencoded_decode(str_of(lower), out), 1);
        assert_int_equal((unsigned char)out[0], byte);
        assert_int_equal(urlencoded_decode(str_of(upper), out), 1);
        assert_int_equal((unsigned char)out[0], byte);
    }
}

static void Random_StaysWithinItsText(void **state)
{
    (void)state;
    static const char odd[] = "%%%&&==++0aFg\0x";
    for (int i = 0; i < 20000; i++) {
        char text[24];
        size_t n = check_random() % sizeof text;
        for (size_t k = 0; k < n; k++)
            text[k] = odd[check_random() % sizeof odd];
        pairs((struct str){text, n});
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Next_DividesPairs),
        checked(Next_OfNothing_IsTheEnd),
        checked(Decode_EscapesAndPluses),
        checked(Decode_MalformedEscape_Stays),
        checked(Decode_ZeroByte),
        checked(Decode_EveryByte),
        checked(Random_StaysWithinItsText),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

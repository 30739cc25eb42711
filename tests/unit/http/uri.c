#include "http/uri.h"

#include "tests/unit/check.h"

static void MayHaveDots_AsAnybodyReads_True(void **state)
{
    (void)state;
    static const char *const paths[] = {"/.", "/..", "/./", "/../a", "/a/..", "/a/../b", "/%2e",
        "/%2E%2e/a", "/a/.%2E", "/a/..%2fb", "/..%2F", "/a%2f..", "/a%2F.%2Fb", "/a\\..",
        "/a\\.\\b", "/a%5c..%5Cb", "/a%5c%2e%2e/", "/..;", "/..;/a", "/.;a=b/c", "/a/..%3b/b",
        "/%2e.;x", "/a%2f%2e%2e;x%2fb", "/a/..%00", "..", "."};
    for (size_t i = 0; i < count_of(paths); i++)
        if (!uri_may_have_dots(str_of(paths[i])))
            fail_msg("%s", paths[i]);
}

static void Dots_Nul_True(void **state)
{
    (void)state;
    assert_true(uri_may_have_dots(STR("/%00")));
    assert_true(uri_may_have_dots(STR("/a%00b/c")));
    assert_true(uri_has_dots(STR("/%00")));
    assert_true(uri_has_dots((struct str){"/a\0b", 4}));
}

static void MayHaveDots_HarmlessPath_False(void **state)
{
    (void)state;
    static const char *const paths[] = {"", "*", "/", "//", "/a", "/a/b/", "/a.b", "/...", "/..../",
        "/..a", "/.a", "/a..", "/a./b", "/a%2Fb", "/%2F", "/a%2f...", "/a;b/c", "/;..", "/a;../b",
        "/a/;x=..;y/b", "/a;.%2Fb", "/..%252f", "/%252e%252e", "/%", "/%2", "/%2g.", "/..%",
        "/.%20."};
    for (size_t i = 0; i < count_of(paths); i++)
        if (uri_may_have_dots(str_of(paths[i])))
            fail_msg("%s", paths[i]);
}

static void HasDots_DecodedSegments_AloneCount(void **state)
{
    (void)state;
    static const char *const dots[] = {"/.", "/..", "/%2e", "/a/%2E./b", "/a/../", "/a/b/.."};
    static const char *const none[] = {
        "", "/", "*", "/a%2F..", "/..%2Fa", "/a\\..", "/..;a", "/.;", "/...", "/a.", "/.%2f."};
    for (size_t i = 0; i < count_of(dots); i++)
        if (!uri_has_dots(str_of(dots[i])))
            fail_msg("%s", dots[i]);
    for (size_t i = 0; i < count_of(none); i++)
        if (uri_has_dots(str_of(none[i])))
            fail_msg("%s", none[i]);
}

static void Host_WellFormed_Taken(void **state)
{
    (void)state;
    static const char *const hosts[] = {"a", "a.example:80", "a:", "[::1]", "[::1]:443", "1.2.3.4",
        "x_y-z~", "%41", "a:0", "a:65535"};
    for (size_t i = 0; i < count_of(hosts); i++)
        if (!uri_is_host(str_of(hosts[i])))
            fail_msg("%s", hosts[i]);
}

static void Host_Malformed_Refused(void **state)
{
    (void)state;
    static const char *const hosts[] = {"", "a b", "a,b", "a:b", ":80", ":", "a:80:80", "a:123456",
        "a:65536", "a:99999999999", "u@a", "u:p@a", "a/b", "[::1", "[]", "::1", "[::1]a", "[::1]:x",
        "a\tb", "\xc3\xa4", "a?b", "a#b", "a\\b", "a\"b"};
    for (size_t i = 0; i < count_of(hosts); i++)
        if (uri_is_host(str_of(hosts[i])))
            fail_msg("%s", hosts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(Host_WellFormed_Taken),
        cmocka_unit_test(Host_Malformed_Refused),
        cmocka_unit_test(MayHaveDots_AsAnybodyReads_True),
        cmocka_unit_test(HasDots_DecodedSegments_AloneCount),
        cmocka_unit_test(Dots_Nul_True),
        cmocka_unit_test(MayHaveDots_HarmlessPath_False),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

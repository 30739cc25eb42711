#include "proxy/origin.h"

#include "tests/unit/check.h"

#include <string.h>

static const struct {
    const char *url;
    enum origin_scheme scheme;
    const char *host, *port, *authority, *target;
} good[] = {
    {"http://a", ORIGIN_HTTP, "a", "80", "a", ""},
    {"HTTP://a", ORIGIN_HTTP, "a", "80", "a", ""},
    {"Https://a", ORIGIN_HTTPS, "a", "443", "a", ""},
    {"http://a:8080/x?y", ORIGIN_HTTP, "a", "8080", "a:8080", "/x?y"},
    {"https://example.test/", ORIGIN_HTTPS, "example.test", "443", "example.test", "/"},
    {"h2c://127.0.0.1:50051", ORIGIN_H2C, "127.0.0.1", "50051", "127.0.0.1:50051", ""},
    {"https://[::1]:1", ORIGIN_HTTPS, "::1", "1", "[::1]:1", ""},
    {"http://[2001:db8::2]/p", ORIGIN_HTTP, "2001:db8::2", "80", "[2001:db8::2]", "/p"},
    {"http://localhost.:9001", ORIGIN_HTTP, "localhost", "9001", "localhost.:9001", ""},
    {"https://example.test./", ORIGIN_HTTPS, "example.test", "443", "example.test.", "/"},
    {"unix:/run/app.sock", ORIGIN_UNIX, "/run/app.sock", "", "localhost", ""},
};

static void Parse_Good_Taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < count_of(good); i++) {
        struct origin o;
        struct str target;
        char why[ORIGIN_WHY];
        assert_int_equal(origin_parse(str_of(good[i].url), &o, &target, why), RC_OK);
        assert_int_equal(o.scheme, good[i].scheme);
        assert_string_equal(o.host, good[i].host);
        assert_string_equal(o.port, good[i].port);
        assert_string_equal(o.authority, good[i].authority);
        assert_true(str_eq(target, str_of(good[i].target)));
    }
}

static const char *const bad[] = {
    "",
    "a",
    "ftp://a",
    "http:/a",
    "http://",
    "http:///x",
    "http://:80",
    "http://a:",
    "http://a:0",
    "http://a:65536",
    "http://a:80x",
    "http://a:8 0",
    "http://a b",
    "http://user@a",
    "http://a/\r\nx: y",
    "http://a/#b",
    "http://a?b",
    "http://[::1",
    "http://[::1]80",
    "http://[]:80",
    "unix:",
};

static void Parse_Bad_NamesTheUrl(void **state)
{
    (void)state;
    for (size_t i = 0; i < count_of(bad); i++) {
        struct origin o;
        struct str target;
        char why[ORIGIN_WHY];
        assert_int_equal(origin_parse(str_of(bad[i]), &o, &target, why), RC_INVALID);
        assert_non_null(strstr(why, "upstream \""));
    }
}

static void Parse_LongParts_Refused(void **state)
{
    (void)state;
    struct origin o;
    struct str target;
    char why[ORIGIN_WHY], url[2000];
    memset(url, 'a', sizeof url - 1);
    url[sizeof url - 1] = '\0';
    memcpy(url, "http://", 7);
    assert_int_equal(origin_parse(str_of(url), &o, &target, why), RC_INVALID);
    memcpy(url, "unix:/x", 7);
    assert_int_equal(origin_parse(str_of(url), &o, &target, why), RC_INVALID);
}

static void ParseBase_Query_Refused(void **state)
{
    (void)state;
    struct origin o;
    struct str base;
    char why[ORIGIN_WHY];
    assert_int_equal(origin_parse_base(STR("http://a/x"), &o, &base, why), RC_OK);
    assert_true(str_eq(base, STR("/x")));
    assert_int_equal(origin_parse_base(STR("http://a/x?y"), &o, &base, why), RC_INVALID);
    assert_non_null(strstr(why, "has a query"));
}

static struct origin parse(const char *url)
{
    struct origin o;
    struct str target;
    char why[ORIGIN_WHY];
    assert_int_equal(origin_parse(str_of(url), &o, &target, why), RC_OK);
    return o;
}

static void Same_BySchemeHostPort(void **state)
{
    (void)state;
    struct origin a = parse("http://a/x"), b = parse("http://a:80/y"), c = parse("h2c://a");
    struct origin d = parse("http://a:81");
    assert_true(origin_same(&a, &b));
    assert_false(origin_same(&a, &c));
    assert_false(origin_same(&a, &d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Parse_Good_Taken),
        checked(Parse_Bad_NamesTheUrl),
        checked(Parse_LongParts_Refused),
        checked(ParseBase_Query_Refused),
        checked(Same_BySchemeHostPort),
    };
    return cmocka_run_group_tests_name("unit/proxy/origin", tests, NULL, NULL);
}

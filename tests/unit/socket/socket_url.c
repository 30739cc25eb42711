#include "socket/socket_url.h"

#include "tests/unit/check.h"

static void expect(const char *url, enum socket_scheme scheme, const char *host, const char *port)
{
    struct socket_url u;
    char why[SOCKET_WHY];
    assert_int_equal(socket_url_parse(str_of(url), &u, why), RC_OK);
    assert_int_equal(u.scheme, scheme);
    assert_string_equal(u.host, host);
    assert_string_equal(u.port, port);
}

static void expect_refused(struct str url, const char *problem)
{
    struct socket_url u;
    char why[SOCKET_WHY];
    assert_int_equal(socket_url_parse(url, &u, why), RC_INVALID);
    assert_non_null(strstr(why, problem));
}

static void Url_OfEachScheme_IsRead(void **state)
{
    (void)state;
    expect("tcp://example.test:80", SOCKET_TCP, "example.test", "80");
    expect("TLS://example.test.:443", SOCKET_TLS, "example.test", "443");
    expect("tcp://[::1]:65535", SOCKET_TCP, "::1", "65535");
    expect("unix:/run/x y.sock", SOCKET_UNIX, "/run/x y.sock", "");
}

static void Url_ThatIsNone_IsRefused(void **state)
{
    (void)state;
    char longest[400];
    memset(longest, 'h', sizeof longest);
    memcpy(longest, "tcp://", 6);
    memcpy(longest + 390, ":80", 3);
    expect_refused(STR(""), "begins with none");
    expect_refused(STR("http://h:1"), "begins with none");
    expect_refused(STR("tcp://h"), "no port");
    expect_refused(STR("tcp://h:"), "no port");
    expect_refused(STR("tcp://h:0"), "no port");
    expect_refused(STR("tcp://h:65536"), "no port");
    expect_refused(STR("tcp://:1"), "no host");
    expect_refused(STR("tcp://[::1:1"), "no host");
    expect_refused(STR("tcp://h:1/"), "more in it");
    expect_refused(STR("tcp://h:1?x"), "more in it");
    expect_refused(STR("tcp://u@h:1"), "more in it");
    expect_refused(STR("tcp://h\0:1"), "more in it");
    expect_refused((struct str){longest, 393}, "no host");
    expect_refused(STR("unix:"), "path");
    expect_refused(STR("unix:/a\0b"), "path");
    expect_refused((struct str){longest, 0}, "begins with none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Url_OfEachScheme_IsRead),
        checked(Url_ThatIsNone_IsRefused),
    };
    return cmocka_run_group_tests_name("socket/socket_url", tests, NULL, NULL);
}

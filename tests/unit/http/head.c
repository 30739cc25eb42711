#include "http/head.h"

#include "tests/unit/check.h"

#include "http/exchange.h"

#include <stdio.h>

static void ignore(struct exchange *x)
{
    (void)x;
}

static void ignore_bytes(struct exchange *x, size_t n)
{
    (void)x, (void)n;
}

static const struct exchange_host host = {
    .dirty = ignore, .consumed = ignore_bytes, .detached = ignore};
static struct peer peer;
static struct exchange x;

static void begin(const char *tls)
{
    peer = (struct peer){.remote = "192.0.2.1:51234", .tls_version = tls};
    exchange_init(&x, &host, &peer, NULL, 65536);
    x.request.method = STR("GET");
}

static void came(const char *name, const char *value)
{
    assert_int_equal(fields_add(&x.request.fields, &x.arena, str_of(name), str_of(value)), RC_OK);
}

static enum head_fault settle(enum http_version version, bool none)
{
    x.request.version = version;
    return head_settle(&x, none);
}

static struct str maybe(const char *text)
{
    return text ? str_of(text) : (struct str){NULL, 0};
}

/* What comes of a Host and of an authority beside it, either of which may be NULL, in each version;
 * "=" stands before the authority that it gives. */
static const struct {
    const char *host, *authority, *in_1_0, *in_1_1, *in_2;
} hosts[] = {
    {"a", NULL, "=a", "=a", "=a"},
    {NULL, "a", "=a", "no host", "=a"},
    {NULL, NULL, "=", "no host", "no host"},
    {"", NULL, "a malformed host", "a malformed host", "a malformed host"},
    {"a", "", "a malformed host", "a malformed host", "a malformed host"},
    {"a", "a", "=a", "=a", "=a"},
    {"A.test:80", "a.Test", "=a.Test", "=a.Test", "=a.Test"},
    {"a:", "a:80", "=a:80", "=a:80", "=a:80"},
    {"a:443", "a", "=a", "=a", "a host that is not the authority"},
    {"b", "a", "=a", "=a", "a host that is not the authority"},
    {"a,b", "a", "a malformed host", "a malformed host", "a malformed host"},
    {"a", "a,b", "a malformed host", "a malformed host", "a malformed host"},
    {"a", "u:p@a", "a malformed host", "a malformed host", "a malformed host"},
    {"u@a", NULL, "a malformed host", "a malformed host", "a malformed host"},
    {"a:99999", NULL, "a malformed host", "a malformed host", "a malformed host"},
    {NULL, "[::1", "a malformed host", "a malformed host", "a malformed host"},
};

static const char *outcome(const char *came_as, const char *authority, enum http_version version)
{
    static char text[64];
    begin(NULL);
    if (came_as)
        came("host", came_as);
    x.request.authority = maybe(authority);
    enum head_fault fault = settle(version, true);
    struct str settled = x.request.authority;
    if (!fault && came_as)
        assert_true(str_eq(x.request.fields.list[0].value, settled));
    snprintf(text, sizeof text, "=%.*s", (int)settled.n, settled.p);
    exchange_fini(&x);
    return fault ? head_fault_text(fault) : text;
}

static void Host_EachCase_AsTheTable(void **state)
{
    (void)state;
    for (size_t i = 0; i < count_of(hosts); i++) {
        const char *h = hosts[i].host, *a = hosts[i].authority;
        assert_string_equal(outcome(h, a, HTTP_1_0), hosts[i].in_1_0);
        assert_string_equal(outcome(h, a, HTTP_1_1), hosts[i].in_1_1);
        assert_string_equal(outcome(h, a, HTTP_2), hosts[i].in_2);
    }
}

static void Host_Twice_RefusedInEachVersion(void **state)
{
    (void)state;
    for (enum http_version v = HTTP_1_0; v <= HTTP_2; v++) {
        begin(NULL);
        came("host", "a");
        came("host", "a");
        assert_int_equal(settle(v, true), HEAD_TWO_HOSTS);
        exchange_fini(&x);
    }
}

/* The scheme that a client names, whether its connection has TLS, and what becomes of it. */
static const struct {
    const char *said, *tls, *becomes;
} schemes[] = {
    {NULL, NULL, "http"},
    {"http", NULL, "http"},
    {"https", NULL, "http"},
    {"HTTPS", NULL, "http"},
    {"http", "TLSv1.3", "https"},
    {NULL, "TLSv1.3", "https"},
    {"javascript", NULL, "http"},
    {"ftp", "TLSv1.3", "https"},
    {"", NULL, "http"},
};

static void Scheme_WhateverIsSaid_TheConnections(void **state)
{
    (void)state;
    for (size_t i = 0; i < count_of(schemes); i++) {
        begin(schemes[i].tls);
        x.request.authority = STR("a");
        x.request.scheme = maybe(schemes[i].said);
        assert_int_equal(settle(HTTP_2, true), HEAD_NO_FAULT);
        assert_true(str_eq(x.request.scheme, str_of(schemes[i].becomes)));
        exchange_fini(&x);
    }
}

static void Target_EachForm_AsTheMethodAllows(void **state)
{
    (void)state;
    static const struct {
        const char *method, *target;
        enum head_fault fault;
    } cases[] = {
        {"GET", "/", HEAD_NO_FAULT},
        {"GET", "//a?b=/", HEAD_NO_FAULT},
        {"OPTIONS", "*", HEAD_NO_FAULT},
        {"OPTIONS", "/a", HEAD_NO_FAULT},
        {"GET", "*", HEAD_BAD_TARGET},
        {"options", "*", HEAD_BAD_TARGET},
        {"OPTIONS", "*?a", HEAD_BAD_TARGET},
        {"GET", "", HEAD_BAD_TARGET},
        {"GET", "a", HEAD_BAD_TARGET},
        {"GET", "?a", HEAD_BAD_TARGET},
        {"GET", "ftp://a/", HEAD_BAD_TARGET},
        {"GET", "/#a", HEAD_BAD_TARGET},
        {"GET", "/a b", HEAD_BAD_TARGET},
        {"GET", "/\x7f", HEAD_BAD_TARGET},
        {"GET", "/\x80", HEAD_BAD_TARGET},
        {"GET", "/?\x01", HEAD_BAD_TARGET},
        {"CONNECT", "a:1", HEAD_CONNECT},
        {"CONNECT", "", HEAD_CONNECT},
    };
    for (size_t i = 0; i < count_of(cases); i++) {
        struct request r = {.method = str_of(cases[i].method)};
        if (head_set_target(&r, str_of(cases[i].target)) != cases[i].fault)
            fail_msg("%s %s", cases[i].method, cases[i].target);
    }
}

/* A line of Expect, a body to come or none, and what comes of it. */
static void Expect_EachCase_AsTheTable(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool none, waits;
        enum head_fault fault;
    } cases[] = {
        {"100-continue", false, true, HEAD_NO_FAULT},
        {"100-Continue", false, true, HEAD_NO_FAULT},
        {", 100-continue,, 100-continue", false, true, HEAD_NO_FAULT},
        {"100-continue", true, false, HEAD_NO_FAULT},
        {"", false, false, HEAD_NO_FAULT},
        {"a-miracle", true, false, HEAD_EXPECTATION},
        {"100-continue, a-miracle", false, true, HEAD_EXPECTATION},
        {"100-continue; q=1", false, false, HEAD_EXPECTATION},
    };
    for (size_t i = 0; i < count_of(cases); i++)
        for (enum http_version v = HTTP_1_0; v <= HTTP_2; v++) {
            bool heard = v != HTTP_1_0;
            begin(NULL);
            came("host", "a");
            came("expect", cases[i].value);
            assert_int_equal(settle(v, cases[i].none), heard ? cases[i].fault : HEAD_NO_FAULT);
            assert_int_equal(x.request.expects_continue, heard && cases[i].waits);
            exchange_fini(&x);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(Host_EachCase_AsTheTable),
        cmocka_unit_test(Host_Twice_RefusedInEachVersion),
        cmocka_unit_test(Scheme_WhateverIsSaid_TheConnections),
        cmocka_unit_test(Target_EachForm_AsTheMethodAllows),
        cmocka_unit_test(Expect_EachCase_AsTheTable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

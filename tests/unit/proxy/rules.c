#include "proxy/rules.h"

#include "tests/unit/check.h"

#include "http/exchange.h"
#include "proxy/trace.h"

#include <stdio.h>

static void ignore(struct exchange *x)
{
    (void)x;
}

static void ignore_bytes(struct exchange *x, size_t n)
{
    (void)x, (void)n;
}

static const struct exchange_host host = {ignore, ignore_bytes, ignore, NULL};
static struct peer peer;
static struct exchange x;

static int set_up(void **state)
{
    (void)state;
    peer = (struct peer){.remote = "192.0.2.1:51234", .conn = 1, .tls_version = "TLSv1.3"};
    exchange_init(&x, &host, &peer, NULL, 65536);
    x.request.version = HTTP_2;
    x.request.method = STR("GET");
    x.request.scheme = STR("https");
    x.request.authority = STR("example.test:8443");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    exchange_fini(&x);
    return 0;
}

static void came(const char *name, const char *value)
{
    assert_int_equal(fields_add(&x.request.fields, &x.arena, str_of(name), str_of(value)), RC_OK);
}

/* The values of a name, joined by "|"; "" where there is none. */
static const char *values(const struct fields *f, const char *name)
{
    static char text[1024];
    size_t n = 0;
    text[0] = '\0';
    for (size_t i = 0; i < f->count; i++)
        if (str_eq(f->list[i].name, str_of(name)))
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%.*s", n ? "|" : "",
                (int)f->list[i].value.n, f->list[i].value.p);
    return text;
}

static struct fields go_on(void)
{
    struct fields out = {0};
    assert_int_equal(rules_request(&x, NULL, &out), RC_OK);
    return out;
}

/* Requests. */

static void Request_OwnFields_GoOn(void **state)
{
    (void)state;
    came("accept", "*/*");
    came("x-two", "1");
    came("x-two", "2");
    came("content-length", "5");
    came("authorization", "Basic x");
    struct fields out = go_on();
    assert_string_equal(values(&out, "accept"), "*/*");
    assert_string_equal(values(&out, "x-two"), "1|2");
    assert_string_equal(values(&out, "content-length"), "5");
    assert_string_equal(values(&out, "authorization"), "Basic x");
}

static void Request_FieldsOfTheConnection_Stay(void **state)
{
    (void)state;
    static const char *const names[] = {"host", "te", "keep-alive", "proxy-connection", "upgrade",
        "transfer-encoding", "connection", "proxy-authorization", "http2-settings", "x-mine",
        "cookie"};
    x.request.connection = STR(",close, X-Mine,cookie, content-length");
    for (size_t i = 0; i < count_of(names); i++)
        came(names[i], "gzip");
    came("content-length", "5");
    x.response.out.framing = FRAMING_CHUNKS; /* and trailers are not accepted */
    struct fields out = go_on();
    for (size_t i = 0; i < count_of(names); i++)
        assert_string_equal(values(&out, names[i]), "");
    assert_string_equal(values(&out, "content-length"), "5");
}

static void Request_Te_WhereTrailersReachTheClient(void **state)
{
    (void)state;
    struct fields out = go_on();
    assert_string_equal(values(&out, "te"), "trailers");
    x.response.out.framing = FRAMING_CHUNKS;
    out = go_on();
    assert_string_equal(values(&out, "te"), "");
    x.response.out.trailers_accepted = true;
    out = go_on();
    assert_string_equal(values(&out, "te"), "trailers");
}

static void Request_Cookies_Joined(void **state)
{
    (void)state;
    came("cookie", "a=1");
    came("cookie", "b=2");
    struct fields out = go_on();
    assert_string_equal(values(&out, "cookie"), "a=1; b=2");
}

static void Request_PartOfTheBodyRead_LengthStays(void **state)
{
    (void)state;
    came("content-length", "5");
    x.request.taken = 1;
    struct fields out = go_on();
    assert_string_equal(values(&out, "content-length"), "");
}

static void Request_Expect_WhileItIsNotMet(void **state)
{
    (void)state;
    came("expect", "100-continue");
    struct fields out = go_on();
    assert_string_equal(values(&out, "expect"), "");
    x.request.expects_continue = true;
    out = go_on();
    assert_string_equal(values(&out, "expect"), "100-continue");
}

static void Request_Way_Told(void **state)
{
    (void)state;
    struct fields out = go_on();
    assert_string_equal(
        values(&out, "forwarded"), "for=192.0.2.1;host=\"example.test:8443\";proto=https");
    assert_string_equal(values(&out, "x-forwarded-for"), "192.0.2.1");
    assert_string_equal(values(&out, "x-forwarded-host"), "example.test:8443");
    assert_string_equal(values(&out, "x-forwarded-proto"), "https");
    assert_string_equal(values(&out, "via"), "2.0 moontrail");
}

static void Request_SchemeThatTheClientSays_NotBelieved(void **state)
{
    (void)state;
    static const char claims[][40] = {"https", "a-scheme-that-is-longer-than-any-other"};
    peer.tls_version = NULL;
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        x.request.scheme = str_of(claims[i]);
        struct fields out = go_on();
        assert_string_equal(
            values(&out, "forwarded"), "for=192.0.2.1;host=\"example.test:8443\";proto=http");
        assert_string_equal(values(&out, "x-forwarded-proto"), "http");
    }
}

static void Request_WayBefore_IsInFront(void **state)
{
    (void)state;
    snprintf(peer.remote, sizeof peer.remote, "[2001:db8::1]:4711");
    x.request.version = HTTP_1_1;
    came("forwarded", "for=a");
    came("forwarded", "for=b");
    came("x-forwarded-for", "203.0.113.7");
    came("x-forwarded-proto", "ftp");
    came("x-forwarded-host", "elsewhere");
    came("via", "1.0 fred");
    struct fields out = go_on();
    assert_string_equal(values(&out, "forwarded"),
        "for=a, for=b, for=\"[2001:db8::1]\";host=\"example.test:8443\";proto=https");
    assert_string_equal(values(&out, "x-forwarded-for"), "203.0.113.7, 2001:db8::1");
    assert_string_equal(values(&out, "x-forwarded-host"), "example.test:8443");
    assert_string_equal(values(&out, "x-forwarded-proto"), "https");
    assert_string_equal(values(&out, "via"), "1.0 fred, 1.1 moontrail");
}

static void Request_Replacements_ReplaceAll(void **state)
{
    (void)state;
    struct field list[] = {
        {STR("x-two"), STR("3")}, {STR("via"), {NULL, 0}}, {STR("host"), STR("other.test")}};
    struct fields set = {.list = list, .count = 3}, out = {0};
    came("x-two", "1");
    came("x-two", "2");
    assert_int_equal(rules_request(&x, &set, &out), RC_OK);
    assert_string_equal(values(&out, "x-two"), "3");
    assert_string_equal(values(&out, "via"), "");
    assert_string_equal(values(&out, "host"), "other.test");
}

/* What HTTP/2 lets through would be read otherwise in HTTP/1.x. */
static void Request_Smuggling_Refused(void **state)
{
    (void)state;
    static const char *const values_[] = {"a\r\nb: c", "a\nb", "a\rb", "a\x01", "a\x7f"};
    static const char *const names[] = {"a b", "a:b", "a\r\nb", "", ":path", "\xc3\xa4"};
    struct fields out = {0};
    for (size_t i = 0; i < count_of(values_); i++) {
        x.request.fields.count = 0;
        came("x", values_[i]);
        assert_int_equal(rules_request(&x, NULL, &out), RC_INVALID);
        x.request.fields.count = 0;
        came("cookie", values_[i]);
        assert_int_equal(rules_request(&x, NULL, &out), RC_INVALID);
    }
    for (size_t i = 0; i < count_of(names); i++) {
        x.request.fields.count = 0;
        came(names[i], "v");
        assert_int_equal(rules_request(&x, NULL, &out), RC_INVALID);
    }
}

/* Responses. */

static const struct fields *answer(int status, const struct field *list, size_t n)
{
    struct fields f = {.list = (struct field *)list, .count = n};
    assert_int_equal(rules_response(&x, status, &f), RC_OK);
    return &x.response.out.head;
}

static void Response_Fields_GoOn(void **state)
{
    (void)state;
    const struct field list[] = {{STR("server"), STR("s")}, {STR("set-cookie"), STR("a=1")},
        {STR("set-cookie"), STR("b=2")}, {STR("keep-alive"), STR("5")},
        {STR("content-length"), STR("3")}, {STR("via"), STR("1.1 other")}};
    const struct fields *head = answer(404, list, count_of(list));
    assert_int_equal(x.response.status, 404);
    assert_string_equal(values(head, "server"), "s");
    assert_string_equal(values(head, "set-cookie"), "a=1|b=2");
    assert_string_equal(values(head, "keep-alive"), "");
    assert_string_equal(values(head, "via"), "1.1 other");
    assert_true(x.response.out.length_set);
    assert_int_equal(x.response.out.length, 3);
}

static void Response_FieldsOfTheHandler_Win(void **state)
{
    (void)state;
    const struct field list[] = {
        {STR("cache-control"), STR("no-store")}, {STR("set-cookie"), STR("a=1")}};
    struct outgoing *o = &x.response.out;
    assert_int_equal(outgoing_set_header(o, STR("cache-control"), STR("max-age=5")), RC_OK);
    assert_int_equal(outgoing_set_header(o, STR("set-cookie"), STR("b=2")), RC_OK);
    const struct fields *head = answer(200, list, count_of(list));
    assert_string_equal(values(head, "cache-control"), "max-age=5");
    assert_string_equal(values(head, "set-cookie"), "b=2|a=1");
}

static void Response_DeclaredTrailers_TakeChunks(void **state)
{
    (void)state;
    const struct field list[] = {{STR("content-length"), STR("3")}, {STR("trailer"), STR("sum")}};
    x.response.out.framing = FRAMING_CHUNKS;
    x.response.out.trailers_accepted = true;
    answer(200, list, count_of(list));
    assert_false(x.response.out.length_set);
}

static void Response_Malformed_Refused(void **state)
{
    (void)state;
    struct field bad[] = {{STR("a b"), STR("v")}, {STR("a"), STR("v\r\nb: c")},
        {STR("content-length"), STR("1, 1")}, {STR("content-length"), STR("-1")}};
    for (size_t i = 0; i < count_of(bad); i++) {
        struct fields f = {.list = &bad[i], .count = 1};
        assert_int_equal(rules_response(&x, 200, &f), RC_INVALID);
    }
    struct fields none = {0};
    assert_int_equal(rules_response(&x, 101, &none), RC_INVALID);
    assert_int_equal(rules_response(&x, 700, &none), RC_INVALID);
}

static void Trailers_Forbidden_Dropped(void **state)
{
    (void)state;
    struct field list[] = {{STR("grpc-status"), STR("0")}, {STR("content-length"), STR("5")},
        {STR("host"), STR("a")}, {STR("x"), STR("a\r\nb")}, {STR("y"), STR("1")}};
    struct fields f = {.list = list, .count = count_of(list)};
    assert_int_equal(rules_trailers(&x, &f), RC_OK);
    const struct fields *trailers = &x.response.out.trailers;
    assert_int_equal(trailers->count, 2);
    assert_string_equal(values(trailers, "grpc-status"), "0");
    assert_string_equal(values(trailers, "y"), "1");
}

/* The method, max-forwards as it came, and as it goes on; NULL: it goes nowhere. */
static void Request_MaxForwards_CountedForTwoMethods(void **state)
{
    (void)state;
    static const struct {
        const char *method, *came, *goes;
    } cases[] = {{"OPTIONS", "0", NULL}, {"TRACE", "00", NULL}, {"OPTIONS", "1", "0"},
        {"TRACE", "10", "9"}, {"OPTIONS", "-1", ""}, {"TRACE", "a", ""}, {"OPTIONS", "", ""},
        {"OPTIONS", "1, 2", ""}, {"GET", "0", "0"}, {"GET", "a", "a"}};
    for (size_t i = 0; i < count_of(cases); i++) {
        struct fields out = {0};
        x.request.method = str_of(cases[i].method);
        x.request.fields.count = 0;
        came("max-forwards", cases[i].came);
        assert_int_equal(rules_is_last_hop(&x.request), cases[i].goes == NULL);
        assert_int_equal(rules_request(&x, NULL, &out), RC_OK);
        assert_string_equal(values(&out, "max-forwards"), cases[i].goes ? cases[i].goes : "");
    }
}

/* What came and could take the member behind it into a string or a comment. */
static void Request_TraceLeftOpen_DroppedWhole(void **state)
{
    (void)state;
    struct fields out = {0};
    came("forwarded", "for=a");
    came("forwarded", "for=10.6.6.6;x=\"");
    came("x-forwarded-for", "\"203.0.113.7");
    came("via", "1.0 fred (");
    x.request.authority = STR("a\"b\\");
    assert_int_equal(rules_request(&x, NULL, &out), RC_OK);
    assert_string_equal(values(&out, "forwarded"), "for=192.0.2.1;host=\"a\\\"b\\\\\";proto=https");
    assert_string_equal(values(&out, "x-forwarded-for"), "192.0.2.1");
    assert_string_equal(values(&out, "via"), "2.0 moontrail");
}

static void Request_QuoteOverTwoLines_DroppedWhole(void **state)
{
    (void)state;
    struct fields out = {0};
    came("forwarded", "for=\"a");
    came("forwarded", "b\"");
    assert_int_equal(rules_request(&x, NULL, &out), RC_OK);
    assert_string_equal(
        values(&out, "forwarded"), "for=192.0.2.1;host=\"example.test:8443\";proto=https");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(Request_OwnFields_GoOn),
        TEST(Request_MaxForwards_CountedForTwoMethods),
        TEST(Request_TraceLeftOpen_DroppedWhole),
        TEST(Request_QuoteOverTwoLines_DroppedWhole),
        TEST(Request_FieldsOfTheConnection_Stay),
        TEST(Request_Te_WhereTrailersReachTheClient),
        TEST(Request_Cookies_Joined),
        TEST(Request_PartOfTheBodyRead_LengthStays),
        TEST(Request_Expect_WhileItIsNotMet),
        TEST(Request_Way_Told),
        TEST(Request_SchemeThatTheClientSays_NotBelieved),
        TEST(Request_WayBefore_IsInFront),
        TEST(Request_Replacements_ReplaceAll),
        TEST(Request_Smuggling_Refused),
        TEST(Response_Fields_GoOn),
        TEST(Response_FieldsOfTheHandler_Win),
        TEST(Response_DeclaredTrailers_TakeChunks),
        TEST(Response_Malformed_Refused),
        TEST(Trailers_Forbidden_Dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The parser: each input gives the same events whole, split at each byte, and byte by byte. */
#include "h1/parser.h"

#include "core/mem.h"
#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>

enum { TRACE = 8192, MAX_BYTES = 4000, MAX_FIELDS = 10 };

/* What the parser reported, a line an event; pieces of content that follow each other are one. */
struct trace {
    char text[TRACE];
    size_t n;
    enum h1_event last;
};

__attribute__((format(printf, 2, 3))) static void print(struct trace *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->text + t->n, sizeof t->text - t->n, format, args);
    va_end(args);
    t->n += (size_t)n;
    assert_true(t->n < sizeof t->text);
}

static void print_start(struct trace *t, const struct h1_parser *p)
{
    const struct h1_start *s = &p->start;
    if (p->role == H1_SERVER)
        print(t, "start 1.%d %.*s %.*s", p->minor, (int)s->method.n, s->method.p, (int)s->target.n,
            s->target.p);
    else
        print(t, "start 1.%d %d '%.*s'", p->minor, p->status, (int)s->reason.n, s->reason.p);
}

static void note(struct trace *t, const struct h1_parser *p, enum h1_event event)
{
    if (t->n && !(event == H1_ON_CONTENT && t->last == H1_ON_CONTENT))
        print(t, "\n");
    if (event == H1_ON_CONTENT && t->last != H1_ON_CONTENT)
        print(t, "content ");
    t->last = event;
    switch (event) {
    case H1_ON_START:
        print_start(t, p);
        break;
    case H1_ON_FIELD:
    case H1_ON_TRAILER:
        print(t, "%s %.*s='%.*s'", event == H1_ON_FIELD ? "field" : "trailer", (int)p->name.n,
            p->name.p, (int)p->value.n, p->value.p);
        break;
    case H1_ON_HEAD:
        print(t, "head%s%s", p->close ? " close" : "", p->keep_alive ? " keep-alive" : "");
        break;
    case H1_ON_CONTENT:
        print(t, "%.*s", (int)p->value.n, p->value.p);
        break;
    case H1_ON_END:
        print(t, "end");
        break;
    case H1_ON_FAULT:
        print(t, "fault %d %s", h1_fault_status(p->fault), h1_fault_text(p->fault));
        break;
    case H1_ON_MORE:
        break;
    }
}

/* Feeds a piece, which gets a block of its own, so that it is seen when more of it is read. */
static void feed(struct h1_parser *p, struct trace *t, const char *bytes, size_t n)
{
    char *copy = malloc(n ? n : 1);
    memcpy(copy, bytes, n);
    struct str piece = {copy, n};
    enum h1_event event = t->last;
    while (event != H1_ON_FAULT) {
        event = h1_parser_next(p, &piece);
        if (event == H1_ON_MORE)
            break;
        note(t, p, event);
    }
    assert_true(event == H1_ON_FAULT || piece.n == 0);
    free(copy);
}

struct input {
    enum h1_role role;
    bool to_head, closes;
    struct str bytes;
};

/* With the first piece of so many bytes, and those that follow of so many. */
static void run(const struct input *in, size_t first, size_t rest, struct trace *t)
{
    struct h1_parser p;
    h1_parser_init(&p, in->role, MAX_BYTES, MAX_FIELDS);
    p.no_content = in->to_head;
    *t = (struct trace){.last = H1_ON_MORE};
    for (size_t at = 0, n = first; at < in->bytes.n; at += n, n = rest) {
        if (n > in->bytes.n - at)
            n = in->bytes.n - at;
        feed(&p, t, in->bytes.p + at, n);
    }
    if (in->closes && p.state != H1_FAULTY) {
        enum h1_event event = h1_parser_close(&p);
        if (event != H1_ON_MORE)
            note(t, &p, event);
    }
    h1_parser_fini(&p);
}

static void expect(const struct input *in, const char *expected)
{
    struct trace t;
    run(in, in->bytes.n, 1, &t);
    assert_string_equal(t.text, expected);
    run(in, 1, 1, &t);
    assert_string_equal(t.text, expected);
    for (size_t first = 1; first < in->bytes.n; first++) {
        run(in, first, in->bytes.n, &t);
        assert_string_equal(t.text, expected);
    }
}

static void request(struct str bytes, const char *expected)
{
    expect(&(struct input){H1_SERVER, .bytes = bytes}, expected);
}

/* A request that is refused, all of it or its last part, with this phrase. */
static void refused(struct str bytes, int status, const char *phrase)
{
    char expected[200];
    struct trace t;
    snprintf(expected, sizeof expected, "fault %d %s", status, phrase);
    struct input in = {H1_SERVER, .bytes = bytes};
    run(&in, bytes.n, 1, &t);
    const char *last = strrchr(t.text, '\n');
    if (strcmp(last ? last + 1 : t.text, expected) != 0)
        fail_msg("'%.*s' gives\n%s\nand not\n%s", (int)bytes.n, bytes.p, t.text, expected);
    char whole[TRACE];
    memcpy(whole, t.text, sizeof whole);
    expect(&in, whole);
}

#define HOST   "host: a\r\n"
#define GET    "GET / HTTP/1.1\r\n" HOST
#define POST   "POST / HTTP/1.1\r\n" HOST
#define CHUNKS POST "transfer-encoding: chunked\r\n\r\n"

static void Request_WithoutContent_Read(void **state)
{
    (void)state;
    request(STR("GET /a?b HTTP/1.1\r\nHost: a:1\r\nX: \t y z \t\r\nEmpty:\r\n\r\n"),
        "start 1.1 GET /a?b\nfield Host='a:1'\nfield X='y z'\nfield Empty=''\nhead\nend");
}

static void Request_AfterAnother_Read(void **state)
{
    (void)state;
    request(STR("\r\n\r\n" POST "Content-Length: 3\r\n\r\nabc\r\n" GET "\r\nOPTIONS * HTTP/1.0\r\n"
                "\r\n"),
        "start 1.1 POST /\nfield host='a'\nfield Content-Length='3'\nhead\ncontent abc\nend\n"
        "start 1.1 GET /\nfield host='a'\nhead\nend\n"
        "start 1.0 OPTIONS *\nhead\nend");
}

static void Request_InChunks_BodyRead(void **state)
{
    (void)state;
    request(STR(POST "Transfer-Encoding:CHUNKED\r\n\r\n3\r\nabc\r\n0A ;x=\"1\t2\" ; y\r\n0123456789"
                     "\r\n00;last\r\nSum: 1\r\n\r\n"),
        "start 1.1 POST /\nfield host='a'\nfield Transfer-Encoding='CHUNKED'\nhead\n"
        "content abc0123456789\ntrailer Sum='1'\nend");
}

static void Request_ConnectionOptions_Kept(void **state)
{
    (void)state;
    request(STR(GET "Connection: x, Close\r\n\r\n"),
        "start 1.1 GET /\nfield host='a'\nfield Connection='x, Close'\nhead close\nend");
    request(STR("GET / HTTP/1.0\r\nconnection: x\r\nconnection: keep-ALIVE,\r\n\r\n"),
        "start 1.0 GET /\nfield connection='x'\nfield connection='keep-ALIVE,'\nhead keep-alive\n"
        "end");
}

static void Target_EachForm_TakenApart(void **state)
{
    (void)state;
    struct h1_target t;
    h1_target_split(STR("//a?b"), &t);
    assert_str(t.path, "//a?b");
    assert_null(t.authority.p);
    h1_target_split(STR("hTTps://a:1/b?c"), &t);
    assert_str(t.authority, "a:1");
    assert_str(t.path, "/b?c");
    h1_target_split(STR("http://a?c"), &t);
    assert_str(t.authority, "a");
    assert_str(t.path, "?c");
    h1_target_split(STR("http:///a"), &t);
    assert_str(t.authority, "");
    assert_non_null(t.authority.p);
    static const char *const others[] = {
        "", "*", "a", "?a", "http:/a", "ftp://a/", "https:", "a:80"};
    for (size_t i = 0; i < count_of(others); i++) {
        h1_target_split(str_of(others[i]), &t);
        assert_str(t.path, others[i]);
        assert_null(t.authority.p);
    }
}

static void StartLine_Malformed_Refused(void **state)
{
    (void)state;
    static const char *const lines[] = {"GET", "GET /", "GET  / HTTP/1.1", "GET /  HTTP/1.1",
        "GET / HTTP/1.1 ", " GET / HTTP/1.1", "GET\t/ HTTP/1.1", "GET / a HTTP/1.1",
        "GET / http/1.1", "GET / HTTP/1.10", "GET / HTTP/11", "GET / HTTP/1,1", "GET / HTTP/ 1.1",
        "G(T / HTTP/1.1", "GET / HTTP/a.1", "\x16\x03\x01", "\x80", "GET / ", "GET / HTTPS/1.1",
        "GET /a\tb HTTP/1.1 x"};
    char line[64];
    for (size_t i = 0; i < count_of(lines); i++) {
        snprintf(line, sizeof line, "%s\r\n" HOST "\r\n", lines[i]);
        refused(str_of(line), 400, "a malformed start line");
    }
    refused(STR("\x16"), 400, "a malformed start line");
    refused(STR("\r\n\r\n\r\n" GET "\r\n"), 400, "empty lines before a request");
}

static void Version_Unknown_Refused(void **state)
{
    (void)state;
    static const char *const versions[] = {"0.9", "2.0", "3.0", "0.0", "9.9"};
    char line[64];
    for (size_t i = 0; i < count_of(versions); i++) {
        snprintf(line, sizeof line, "GET / HTTP/%s\r\n" HOST "\r\n", versions[i]);
        refused(str_of(line), 505, "a version that is not of HTTP/1");
    }
}

static void LineEnd_NotCrlf_Refused(void **state)
{
    (void)state;
    refused(STR("GET / HTTP/1.1\n"), 400, "a line ends in LF without CR");
    refused(STR("\n"), 400, "a line ends in LF without CR");
    refused(STR("GET / HTTP/1.1\r\nhost: a\n\n"), 400, "a line ends in LF without CR");
    refused(STR(GET "\n"), 400, "a line ends in LF without CR");
    refused(STR("GET / HTTP/1.1\r\r\n"), 400, "CR without LF");
    refused(STR("\rGET / HTTP/1.1\r\n"), 400, "CR without LF");
    refused(STR(GET "a: b\rc: d\r\n"), 400, "CR without LF");
    refused(STR(CHUNKS "1\nx\r\n0\r\n\r\n"), 400, "a line ends in LF without CR");
    refused(STR(CHUNKS "1;a\rb\r\n"), 400, "CR without LF");
    refused(STR(CHUNKS "0\r\n\n"), 400, "a line ends in LF without CR");
}

static void Field_Malformed_Refused(void **state)
{
    (void)state;
    static const char *const fields[] = {
        "a", "a b: c", "a : b", ": b", "a\t: b", "(a): b", "\x80: a", "a\x01: b", "a;b: c"};
    char head[100];
    for (size_t i = 0; i < count_of(fields); i++) {
        snprintf(head, sizeof head, GET "%s\r\n\r\n", fields[i]);
        refused(str_of(head), 400, "a malformed field");
        snprintf(head, sizeof head, CHUNKS "0\r\n%s\r\n\r\n", fields[i]);
        refused(str_of(head), 400, "a malformed field");
    }
    refused(STR(GET " b: c\r\n\r\n"), 400, "a field on several lines");
    refused(STR(GET "\tb\r\n\r\n"), 400, "a field on several lines");
    refused(STR("GET / HTTP/1.1\r\n host: a\r\n\r\n"), 400, "a field on several lines");
    refused(STR(CHUNKS "0\r\n a: b\r\n\r\n"), 400, "a field on several lines");
    refused(STR(GET "a: b\0c\r\n\r\n"), 400, "a control character in a line");
    refused(STR(GET "a: \x7f\r\n\r\n"), 400, "a control character in a line");
    refused(STR(CHUNKS "0\r\na: \x0b\r\n\r\n"), 400, "a control character in a line");
}

static void ContentLength_Malformed_Refused(void **state)
{
    (void)state;
    static const char *const lengths[] = {"", "+1", "-1", "0x1", "1 1", "1,1", "1, 1", "1.0", "a",
        "9999999999999999999", "0000000000000000001", "\"1\""};
    char head[100];
    for (size_t i = 0; i < count_of(lengths); i++) {
        snprintf(head, sizeof head, POST "content-length: %s\r\n\r\n", lengths[i]);
        refused(str_of(head), 400, "a malformed content-length");
    }
    refused(
        STR(POST "content-length: 1\r\nContent-Length: 1\r\n\r\n"), 400, "content-length twice");
    refused(STR(POST "content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"), 400,
        "content-length and transfer-encoding");
    refused(STR(POST "transfer-encoding: gzip, chunked\r\ncontent-length: 1\r\n\r\n"), 400,
        "content-length and transfer-encoding");
}

static void TransferCoding_Unknown_Refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ",", "chunked,", ",chunked", "chunked, chunked",
        "chunked;q=1", "\"chunked\"", "chunked, gzip", "gzip", "identity", "xchunked",
        "chunked identity", "chunked\r\ntransfer-encoding: chunked",
        "chunked\r\ntransfer-encoding: identity"};
    char head[120];
    for (size_t i = 0; i < count_of(bad); i++) {
        snprintf(head, sizeof head, POST "transfer-encoding: %s\r\n\r\n", bad[i]);
        refused(str_of(head), 400, "a transfer-encoding that does not end in one chunked");
    }
    refused(STR(POST "transfer-encoding: gzip, chunked\r\n\r\n"), 501,
        "a transfer coding beside chunked");
    refused(STR(POST "transfer-encoding: a\r\ntransfer-encoding: chunked\r\n\r\n"), 501,
        "a transfer coding beside chunked");
    refused(STR("POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n"), 400,
        "transfer-encoding in HTTP/1.0");
}

static void Chunk_Malformed_Refused(void **state)
{
    (void)state;
    static const char *const chunks[] = {"\r\n", "g\r\n", "0x1\r\n", "+1\r\n", "-1\r\n", " 1\r\n",
        "1 \r\n", "1 a\r\n", "1\t\r\n", ";a\r\n", "10000000000000000\r\n", "0000000000000001\r\n",
        "1;\x01\r\n", "1\r\nab", "1\r\na\n", "1\r\na\r\r", "1,\r\n", "\"1\"\r\n"};
    char head[200];
    for (size_t i = 0; i < count_of(chunks); i++) {
        snprintf(head, sizeof head, CHUNKS "%s", chunks[i]);
        refused(str_of(head), 400, "a malformed chunk");
    }
    refused(STR(CHUNKS "1;\0\r\n"), 400, "a malformed chunk");
}

/* A text of so many bytes between two others. */
static struct str padded(const char *before, size_t n, const char *after)
{
    static char text[40000];
    int len = snprintf(text, sizeof text, "%s%0*d%s", before, (int)n, 0, after);
    return (struct str){text, (size_t)len};
}

/* Only whole and byte by byte: there are too many places to split. */
static void refused_long(struct str bytes, int status, const char *phrase)
{
    char expected[200];
    snprintf(expected, sizeof expected, "fault %d %s", status, phrase);
    struct input in = {H1_SERVER, .bytes = bytes};
    struct trace t;
    for (size_t n = 1; n <= bytes.n; n += bytes.n - 1) {
        run(&in, n, n, &t);
        const char *last = strrchr(t.text, '\n');
        assert_string_equal(last ? last + 1 : t.text, expected);
    }
}

static void Limits_Exceeded_Refused(void **state)
{
    (void)state;
    const char *too_large = "more than max-header-bytes";
    refused_long(padded("GET /", 5000, ""), 431, too_large);
    refused_long(padded("GET /", 3990, " HTTP/1.1\r\n"), 431, too_large);
    refused_long(padded(GET "a: ", 5000, ""), 431, too_large);
    refused_long(padded(GET "a: ", 3900, "\r\nb: c\r\n"), 431, too_large);
    refused_long(padded(CHUNKS "0\r\na: ", 3900, "\r\n"), 431, too_large);
    refused_long(padded(CHUNKS "1;", 1100, ""), 400, "chunk extensions that are too long");
    refused(STR(GET "a:\r\nb:\r\nc:\r\nd:\r\ne:\r\nf:\r\ng:\r\nh:\r\ni:\r\nj:\r\n"), 431,
        "more than max-header-fields");
    struct str chunk = padded("1;", 1000, "\r\nx\r\n");
    char many[20000];
    size_t n = (size_t)snprintf(many, sizeof many, CHUNKS);
    for (int i = 0; i < 17; i++, n += chunk.n)
        memcpy(many + n, chunk.p, chunk.n);
    refused_long((struct str){many, n}, 400, "chunk extensions that are too long");
}

static void Limits_JustMet_Allowed(void **state)
{
    (void)state;
    struct str head = padded("GET /", 3800, " HTTP/1.1\r\nhost: a\r\n\r\n");
    struct input in = {H1_SERVER, .bytes = head};
    struct trace t;
    for (size_t n = 1; n <= head.n; n += head.n - 1) {
        run(&in, n, n, &t);
        assert_non_null(strstr(t.text, "\nhead\nend"));
    }
}

/* Responses. */

static void response(struct str bytes, const char *expected)
{
    expect(&(struct input){H1_CLIENT, .bytes = bytes, .closes = true}, expected);
}

static void Response_KnownLength_Read(void **state)
{
    (void)state;
    response(STR("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab"
                 "HTTP/1.0 404 \r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n"),
        "start 1.1 100 'Continue'\nhead\nend\n"
        "start 1.1 200 'OK'\nfield content-length='2'\nhead\ncontent ab\nend\n"
        "start 1.0 404 ''\nfield connection='keep-alive'\nfield content-length='0'\n"
        "head keep-alive\nend");
    response(STR("HTTP/1.1 204\r\n\r\nHTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n"),
        "start 1.1 204 ''\nhead\nend\n"
        "start 1.1 304 'Not Modified'\nfield content-length='5'\nhead\nend");
}

static void Response_InChunks_Read(void **state)
{
    (void)state;
    response(STR("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\na: b\r\n"
                 "\r\n"),
        "start 1.1 200 'OK'\nfield transfer-encoding='chunked'\nhead\ncontent ab\ntrailer a='b'\n"
        "end");
}

static void Response_UntilClose_Read(void **state)
{
    (void)state;
    response(STR("HTTP/1.1 200 OK\r\n\r\nabc"), "start 1.1 200 'OK'\nhead\ncontent abc\nend");
}

static void Response_ToHead_WithoutBody(void **state)
{
    (void)state;
    expect(&(struct input){H1_CLIENT, true,
               .bytes = STR("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n"
                            "\r\n")},
        "start 1.1 200 'OK'\nfield content-length='5'\nhead\nend");
}

static void Response_CutShort_Refused(void **state)
{
    (void)state;
    response(STR("HTTP/1.1 2"), "fault 400 the message is cut short");
    response(STR("HTTP/1.1 200 OK\r\n"), "start 1.1 200 'OK'\nfault 400 the message is cut short");
    response(STR("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab"),
        "start 1.1 200 'OK'\nfield content-length='5'\nhead\ncontent ab\n"
        "fault 400 the message is cut short");
    response(STR("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n"),
        "start 1.1 200 'OK'\nfield transfer-encoding='chunked'\nhead\ncontent ab\n"
        "fault 400 the message is cut short");
    response(STR(""), "");
}

/* RFC 9112 5.1, in trailers too; a name of nothing else stays malformed. */
static void Response_SpaceBeforeColon_Removed(void **state)
{
    (void)state;
    response(STR("HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length \t:2\r\n\r\nab"),
        "start 1.1 200 'OK'\nfield X-A='b'\nfield Content-Length='2'\nhead\ncontent ab\nend");
    response(STR("HTTP/1.1 200 OK\r\ntransfer-encoding : chunked\r\n\r\n0\r\nsum : 1\r\n\r\n"),
        "start 1.1 200 'OK'\nfield transfer-encoding='chunked'\nhead\ntrailer sum='1'\nend");
    response(STR("HTTP/1.1 200 OK\r\nx y : b\r\n\r\n"),
        "start 1.1 200 'OK'\nfault 400 a malformed field");
    response(
        STR("HTTP/1.1 200 OK\r\n: b\r\n\r\n"), "start 1.1 200 'OK'\nfault 400 a malformed field");
    refused(STR(GET "a : b\r\n\r\n"), 400, "a malformed field");
}

static void Version_HigherMinor_TakenFor11(void **state)
{
    (void)state;
    request(STR("GET / HTTP/1.2\r\n" HOST "\r\n"), "start 1.1 GET /\nfield host='a'\nhead\nend");
    response(STR("HTTP/1.9 204 \r\n\r\n"), "start 1.1 204 ''\nhead\nend");
}

static void StatusLine_Malformed_Refused(void **state)
{
    (void)state;
    static const char *const lines[] = {"HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1",
        "HTTP/1.1 ", "HTTP/1.1  200 OK", "HTTP/1.1 099 OK", "HTTP/1.1 2x0 OK", "ICY 200 OK"};
    char line[64];
    for (size_t i = 0; i < count_of(lines); i++) {
        snprintf(line, sizeof line, "%s\r\n\r\n", lines[i]);
        response(str_of(line), "fault 400 a malformed start line");
    }
    response(STR("HTTP/2.0 200 OK\r\n\r\n"), "fault 505 a version that is not of HTTP/1");
    response(STR("\r\nHTTP/1.1 200 OK\r\n\r\n"), "fault 400 empty lines before a request");
    response(STR("HTTP/1.1 200 O\x01K\r\n\r\n"), "fault 400 a control character in a line");
}

static void Parse_MemoryShort_Fault(void **state)
{
    (void)state;
    struct h1_parser p;
    struct trace t = {.last = H1_ON_MORE};
    h1_parser_init(&p, H1_SERVER, MAX_BYTES, MAX_FIELDS);
    mem_fail_at(1, 0);
    feed(&p, &t, "GET", 3);
    mem_fail_at(0, 0);
    assert_string_equal(t.text, "fault 503 out of memory");
    h1_parser_fini(&p);
}

static void Parse_BetweenMessages_NothingKept(void **state)
{
    (void)state;
    struct h1_parser p;
    struct trace t = {.last = H1_ON_MORE};
    uint64_t blocks = mem_stats()->blocks;
    h1_parser_init(&p, H1_SERVER, MAX_BYTES, MAX_FIELDS);
    const char head[] = CHUNKS "1;";
    for (size_t i = 0; i < sizeof head - 1; i++)
        feed(&p, &t, head + i, 1);
    assert_true(mem_stats()->blocks > blocks);
    feed(&p, &t, "\r\nx\r\n0\r\n\r\n", 11);
    assert_int_equal(mem_stats()->blocks, blocks);
    h1_parser_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Request_WithoutContent_Read),
        checked(Request_AfterAnother_Read),
        checked(Request_InChunks_BodyRead),
        checked(Request_ConnectionOptions_Kept),
        checked(Target_EachForm_TakenApart),
        checked(StartLine_Malformed_Refused),
        checked(Version_Unknown_Refused),
        checked(LineEnd_NotCrlf_Refused),
        checked(Field_Malformed_Refused),
        checked(ContentLength_Malformed_Refused),
        checked(TransferCoding_Unknown_Refused),
        checked(Chunk_Malformed_Refused),
        checked(Limits_Exceeded_Refused),
        checked(Limits_JustMet_Allowed),
        checked(Response_KnownLength_Read),
        checked(Response_InChunks_Read),
        checked(Response_UntilClose_Read),
        checked(Response_ToHead_WithoutBody),
        checked(Response_CutShort_Refused),
        checked(Response_SpaceBeforeColon_Removed),
        checked(Version_HigherMinor_TakenFor11),
        checked(StatusLine_Malformed_Refused),
        checked(Parse_MemoryShort_Fault),
        checked(Parse_BetweenMessages_NothingKept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

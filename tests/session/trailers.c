/* Response trailers. */
#include "support/wire.h"

#include <stdio.h>
#include <string.h>

static void ResponseTrailers_WithoutData_Sent(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:append_trailer('trailername', 'trailervalue')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "HEADERS stream=1 END_STREAM trailername=trailervalue\n");
}

static void ResponseTrailers_EmptyWrites_NoData(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:write('', '') ctx:append_trailer('a', 'b') ctx:finish('')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "HEADERS stream=1 END_STREAM a=b\n");
}

static void ResponseTrailers_WithData_SentAfterIt(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:declare_trailer('trailername')\n"
                                  "ctx:append_trailer('trailername', 'trailervalue')\n"
                                  "ctx:write('Hello world')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 trailer=trailername date=now\n"
                   "DATA stream=1 len=11 'Hello world'\n"
                   "HEADERS stream=1 END_STREAM trailername=trailervalue\n");
}

static void ResponseTrailers_AppendedWhileDataFlows_SentAfterIt(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:write('one') ctx:flush()\n"
                                  "ctx:append_trailer('first', '1')\n"
                                  "ctx:write('two') ctx:flush()\n"
                                  "ctx:append_trailer('second', '2')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=3 'one'\n"
                   "DATA stream=1 len=3 'two'\n"
                   "HEADERS stream=1 END_STREAM first=1 second=2\n");
}

static void ResponseTrailers_DataWaitsForCredit_SentAfterIt(void **state)
{
    (void)state;
    struct wire *w = wire_open(&(struct wire_options){
        .handler = "ctx:append_trailer('a', 'b') ctx:write('Hello world')", .window = 5});
    int32_t stream = wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=5 'Hello'\n");
    wire_credit(w, stream, 100);
    wire_expect(w, "DATA stream=1 len=6 ' world'\n"
                   "HEADERS stream=1 END_STREAM a=b\n");
}

static void ResponseTrailers_SameNameTwice_KeepsOrder(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:append_trailer('a', '1') ctx:append_trailer('b', '2')\n"
                                  "ctx:append_trailer('a', '3') ctx:finish('x')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=1 'x'\n"
                   "HEADERS stream=1 END_STREAM a=1 b=2 a=3\n");
}

static void ResponseTrailers_NamesAndValues_LoweredAndTrimmed(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:append_trailer('X-Sum', ' \\tone two\\t ')\n"
                                  "ctx:append_trailer('empty', '')\n"
                                  "ctx:append_trailer('number', 12)\n"
                                  "ctx:append_trailer('utf-8', 'ä')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "HEADERS stream=1 END_STREAM x-sum='one two' empty= number=12 "
                   "utf-8=\\xc3\\xa4\n");
}

static void ResponseTrailers_MoreThanAFrame_Continued(void **state)
{
    (void)state;
    struct wire *w = wire_handler("for i = 1, 60 do\n"
                                  "    ctx:append_trailer('t' .. i, ('%d'):rep(999):format(\n"
                                  "        table.unpack(setmetatable({}, {__index = function()\n"
                                  "            return i % 10 end}), 1, 999)))\n"
                                  "end");
    struct text expected = {0};
    text_print(&expected, "HEADERS stream=1 :status=200 date=now\nHEADERS stream=1 END_STREAM");
    for (int i = 1; i <= 60; i++) {
        char value[1000] = {0};
        memset(value, '0' + i % 10, 999);
        text_print(&expected, " t%d=%s", i, value);
    }
    text_print(&expected, "\n");
    wire_get(w, "/");
    wire_expect(w, text_of(&expected));
    text_clear(&expected);
}

static void ResponseTrailers_ByteByByte_SameFrames(void **state)
{
    (void)state;
    struct wire *w = wire_open(&(struct wire_options){
        .handler = "ctx:append_trailer('a', 'b') ctx:write('Hello world')", .grain = 1});
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=11 'Hello world'\n"
                   "HEADERS stream=1 END_STREAM a=b\n");
}

static void Declare_NothingAppended_EndsWithoutTrailers(void **state)
{
    (void)state;
    struct wire *w =
        wire_handler("ctx:declare_trailer('a') if ctx.path == '/body' then ctx:write('x') end");
    wire_get(w, "/");
    wire_get(w, "/body");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=200 trailer=a date=now content-length=0\n"
                   "HEADERS stream=3 :status=200 trailer=a date=now content-length=1\n"
                   "DATA stream=3 END_STREAM len=1 'x'\n");
}

static void Declare_SeveralNames_OneHeader(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:declare_trailer('One') ctx:declare_trailer('two')\n"
                                  "ctx:declare_trailer('ONE') ctx:append_trailer('two', '2')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 trailer='one, two' date=now\n"
                   "HEADERS stream=1 END_STREAM two=2\n");
}

static void Declare_AfterHeaders_Raises(void **state)
{
    (void)state;
    static const char *const starts[] = {"ctx:write('x')", "ctx:flush()", "ctx:finish('x')"};
    char body[200];
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        snprintf(body, sizeof body, "%s note(pcall(ctx.declare_trailer, ctx, 'a'))", starts[i]);
        struct wire *w = wire_handler(body);
        wire_get(w, "/");
        wire_expect_notes(w, "false trailer \"a\" comes too late: the headers are sent\n");
        wire_close(w);
    }
}

static void Append_AfterFinish_Raises(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:append_trailer('a', '1') ctx:finish('x')\n"
                                  "note(pcall(ctx.append_trailer, ctx, 'b', '2'))");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "DATA stream=1 len=1 'x'\n"
                   "HEADERS stream=1 END_STREAM a=1\n");
    wire_expect_notes(w, "false trailer \"b\" comes too late: the response has ended\n");
}

/* Appends trailers of these names, in a Lua list, and then one that is allowed; expects the same
 * complaint about each of the count. */
static void expect_refused(const char *function, const char *names, int count, const char *problem)
{
    struct text body = {0}, notes = {0};
    text_print(&body,
        "for _, name in ipairs {%s} do\n"
        "    local ok, problem = pcall(ctx.%s, ctx, name, 'x')\n"
        "    note(ok, select(2, problem:gsub('^trailer \"', '')), (problem:gsub('^.*\" ', '')))\n"
        "end\n"
        "ctx:append_trailer('good', 'yes')",
        names, function);
    for (int i = 0; i < count; i++)
        text_print(&notes, "false 1 %s\n", problem);
    struct wire *w = wire_handler(text_of(&body));
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "HEADERS stream=1 END_STREAM good=yes\n");
    wire_expect_notes(w, text_of(&notes));
    wire_close(w);
    text_clear(&body);
    text_clear(&notes);
}

static void expect_both_refuse(const char *names, int count, const char *problem)
{
    expect_refused("append_trailer", names, count, problem);
    expect_refused("declare_trailer", names, count, problem);
}

static void Names_Malformed_RaiseAndResponseGoesOn(void **state)
{
    (void)state;
    expect_both_refuse("''", 1, "is empty");
    expect_both_refuse("':status', ':path', ':'", 3, "is a pseudo field");
    expect_both_refuse("'a b', 'a:', 'a\\r\\nb', 'a\\n', 'a\\0b', 'ä', '(a)', 'a,b', 'a\\127'", 9,
        "is not a valid field name");
}

static void Names_SpecificToConnection_RaiseAndResponseGoesOn(void **state)
{
    (void)state;
    expect_both_refuse("'connection', 'Keep-Alive', 'proxy-connection', 'TRANSFER-ENCODING',"
                       "'upgrade'",
        5, "is specific to the connection and set by the server");
}

static void Names_Forbidden_RaiseAndResponseGoesOn(void **state)
{
    (void)state;
    static const char problem[] = "may not be sent as a trailer (RFC 9110 6.5.1)";
    expect_both_refuse("'Trailer', 'te', 'host', 'max-forwards'", 4, problem);
    expect_both_refuse("'Content-Length', 'content-type', 'content-encoding', 'content-range',"
                       "'content-'",
        5, problem);
    expect_both_refuse("'authorization', 'www-authenticate', 'Set-Cookie', 'cookie'", 4, problem);
    expect_both_refuse(
        "'cache-control', 'expect', 'range', 'if-match', 'if-none-match'", 5, problem);
    expect_both_refuse("'age', 'date', 'expires', 'location', 'retry-after', 'vary'", 6, problem);
}

#define REFUSED \
    "false trailer \"name\" has a value with a control character (CR, LF, NUL or the like)\n"

static void Values_WithControlCharacters_RaiseAndResponseGoesOn(void **state)
{
    (void)state;
    struct wire *w = wire_handler(
        "for _, value in ipairs {'a\\rb', 'a\\nb', 'a\\r\\nb: c', 'a\\0', '\\27', '\\127'} do\n"
        "    note(pcall(ctx.append_trailer, ctx, 'name', value))\n"
        "end\n"
        "ctx:append_trailer('tab', 'a\\tb')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now\n"
                   "HEADERS stream=1 END_STREAM tab=a\\x09b\n");
    wire_expect_notes(w, REFUSED REFUSED REFUSED REFUSED REFUSED REFUSED);
}

static void Arguments_NoStrings_RaiseAndResponseGoesOn(void **state)
{
    (void)state;
    struct wire *w = wire_handler("local function try(...)\n"
                                  "    local ok, problem = pcall(ctx.append_trailer, ctx, ...)\n"
                                  "    note(ok, problem:match('%((.*)%)'))\n"
                                  "end\n"
                                  "try() try('a') try('a', {}) try(nil, 'x')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=200 date=now content-length=0\n");
    wire_expect_notes(w, "false string expected, got no value\n"
                         "false string expected, got no value\n"
                         "false string expected, got table\n"
                         "false string expected, got nil\n");
}

static void HeadRequest_BodyAndTrailers_NeitherSent(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:append_trailer('a', 'b') ctx:write('Hello')");
    wire_request(w, "HEAD", "/");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=200 date=now\n");
}

/* RFC 9110 15.3.5 and 15.4.5: these end with their head. */
static void StatusWithoutContent_BodyAndTrailers_NeitherSent(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:status(tonumber(ctx.query))\n"
                                  "ctx:append_trailer('a', 'b') ctx:write('Hello')");
    wire_get(w, "/?204");
    wire_get(w, "/?304");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=204 date=now\n"
                   "HEADERS stream=3 END_STREAM :status=304 date=now\n");
}

static void Support_Http2_True(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(ctx:protocol(), ctx:supports_trailers())");
    wire_get(w, "/");
    wire_expect_notes(w, "HTTP/2 true\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(ResponseTrailers_WithoutData_Sent),
        wire_test(ResponseTrailers_EmptyWrites_NoData),
        wire_test(ResponseTrailers_WithData_SentAfterIt),
        wire_test(ResponseTrailers_AppendedWhileDataFlows_SentAfterIt),
        wire_test(ResponseTrailers_DataWaitsForCredit_SentAfterIt),
        wire_test(ResponseTrailers_SameNameTwice_KeepsOrder),
        wire_test(ResponseTrailers_NamesAndValues_LoweredAndTrimmed),
        wire_test(ResponseTrailers_MoreThanAFrame_Continued),
        wire_test(ResponseTrailers_ByteByByte_SameFrames),
        wire_test(Declare_NothingAppended_EndsWithoutTrailers),
        wire_test(Declare_SeveralNames_OneHeader),
        wire_test(Declare_AfterHeaders_Raises),
        wire_test(Append_AfterFinish_Raises),
        wire_test(Names_Malformed_RaiseAndResponseGoesOn),
        wire_test(Names_SpecificToConnection_RaiseAndResponseGoesOn),
        wire_test(Names_Forbidden_RaiseAndResponseGoesOn),
        wire_test(Values_WithControlCharacters_RaiseAndResponseGoesOn),
        wire_test(Arguments_NoStrings_RaiseAndResponseGoesOn),
        wire_test(HeadRequest_BodyAndTrailers_NeitherSent),
        wire_test(StatusWithoutContent_BodyAndTrailers_NeitherSent),
        wire_test(Support_Http2_True),
    };
    return cmocka_run_group_tests_name("session/trailers", tests, NULL, NULL);
}

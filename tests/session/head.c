/* The response's head: status, header fields and content types. */
#include "support/wire.h"

#include <stdio.h>
#include <string.h>

#define EMPTY "HEADERS stream=1 END_STREAM :status=200 date=now content-length=0\n"

static void Status_Set_Sent(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(ctx:status()) ctx:status(599) ctx:status('404')\n"
                                  "note(ctx:status())");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=404 date=now content-length=0\n");
    wire_expect_notes(w, "200\n404\n");
}

static void Status_NotFinalOrNoNumber_Raises(void **state)
{
    (void)state;
    struct wire *w =
        wire_handler("for _, status in ipairs {0, 100, 199, 600, -1, 200.5, 'x', {}} do\n"
                     "    local ok, problem = pcall(ctx.status, ctx, status)\n"
                     "    note(ok, problem:match('%((.*)%)'))\n"
                     "end");
    wire_get(w, "/");
    wire_expect(w, EMPTY);
    wire_expect_notes(w, "false not a final status, 200 to 599\n"
                         "false not a final status, 200 to 599\n"
                         "false not a final status, 200 to 599\n"
                         "false not a final status, 200 to 599\n"
                         "false not a final status, 200 to 599\n"
                         "false number has no integer representation\n"
                         "false number expected, got string\n"
                         "false number expected, got table\n");
}

static void Status_EveryFinalOne_Sent(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:status(math.tointeger(ctx.query)) ctx:finish()");
    for (int status = 200; status <= 599; status++) {
        char path[16], expected[80];
        snprintf(path, sizeof path, "/?%d", status);
        int32_t stream = wire_get(w, path);
        wire_settle(w);
        snprintf(
            expected, sizeof expected, "HEADERS stream=%d END_STREAM :status=%d ", stream, status);
        assert_memory_equal(w->frames.lines.p, expected, strlen(expected));
        text_clear(&w->frames.lines);
    }
}

static void Header_Set_SentInLowerCaseAndTrimmed(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:header('X-One', ' 1 ') ctx:header('x-two', 2)\n"
                                  "ctx:header('X-ONE', 'again') ctx:header('x-empty', '')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=200 x-two=2 x-one=again x-empty= date=now "
                   "content-length=0\n");
}

static void Header_Table_SetsEach(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:header {['X-One'] = 'new'} ctx:header('x-two', 2)\n"
                                  "note(pcall(ctx.header, ctx, {'x'}))\n"
                                  "note(pcall(ctx.header, ctx, {['a b'] = 'x'}))");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=200 x-one=new x-two=2 date=now "
                   "content-length=0\n");
    wire_expect_notes(w, "false a header's name is a string, not a number\n"
                         "false header \"a b\" is not a valid field name\n");
}

static void Header_Nil_Removes(void **state)
{
    (void)state;
    struct wire *w =
        wire_handler("ctx:header('x-a', '1') ctx:add_header('x-a', '2')\n"
                     "ctx:header('X-A', nil) ctx:header('x-never', nil)\n"
                     "ctx:header('content-length', 99) ctx:header('content-length', nil)");
    wire_get(w, "/");
    wire_expect(w, EMPTY);
}

static void Header_NameAlone_GivesWhatIsSet(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(ctx:header('x-a'))\n"
                                  "ctx:header('x-a', '1') note(ctx:header('X-A'))\n"
                                  "ctx:add_header('x-a', '2') note(ctx:header('x-a'))\n"
                                  "ctx:write('x') note(ctx:header('x-a'))");
    wire_get(w, "/");
    wire_expect_notes(w, "nil\n1\n1, 2\n1, 2\n");
}

static void AddHeader_SameName_BesideIt(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:add_header('Set-Cookie', 'a=1') ctx:header('x', 'y')\n"
                                  "ctx:add_header('set-cookie', 'b=2')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=200 set-cookie=a=1 x=y set-cookie=b=2 "
                   "date=now content-length=0\n");
}

#define SPECIFIC "true is specific to the connection and set by the server\n"

#define CONTROL "true has a value with a control character (CR, LF, NUL or the like)\n"

#define NAME "true is not a valid field name\n"

#define LENGTH "true is no number of bytes\n"

static void Header_MalformedOrForbidden_RaisesAndResponseGoesOn(void **state)
{
    (void)state;
    struct wire *w = wire_handler(
        "local function try(name, value)\n"
        "    local _, one = pcall(ctx.header, ctx, name, value)\n"
        "    local _, two = pcall(ctx.add_header, ctx, name, value)\n"
        "    note(one == two, (one:gsub('^header \"[^\"]*\" ', '')))\n"
        "end\n"
        "for _, name in ipairs {'', ':status', 'a b', 'a\\n', 'ä', 'connection', 'Keep-Alive',\n"
        "    'upgrade', 'transfer-encoding', 'proxy-connection'} do try(name, 'x') end\n"
        "for _, value in ipairs {'a\\rb', 'a\\nb', 'a\\0b'} do try('name', value) end\n"
        "for _, length in ipairs {'', '-1', '1x', '1e3', '1, 1', ('9'):rep(30)} do\n"
        "    try('content-length', length) end");
    wire_get(w, "/");
    wire_expect(w, EMPTY);
    wire_expect_notes(w,
        "true is empty\ntrue is a pseudo field\n" NAME NAME NAME SPECIFIC SPECIFIC SPECIFIC SPECIFIC
            SPECIFIC CONTROL CONTROL CONTROL LENGTH LENGTH LENGTH LENGTH LENGTH LENGTH);
}

static void Head_AfterHeaders_Raises(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:write('x') note(pcall(ctx.status, ctx, 201))\n"
                                  "note(pcall(ctx.header, ctx, 'a', '1'))\n"
                                  "note(pcall(ctx.header, ctx, 'a', nil))\n"
                                  "note(pcall(ctx.add_header, ctx, 'a', '1'))\n"
                                  "note(pcall(ctx.html, ctx, 'a'))\n"
                                  "note(ctx:status())");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now content-length=1\n"
                   "DATA stream=1 END_STREAM len=1 'x'\n");
    wire_expect_notes(w, "false status comes too late: the headers are sent\n"
                         "false header \"a\" comes too late: the headers are sent\n"
                         "false header \"a\" comes too late: the headers are sent\n"
                         "false header \"a\" comes too late: the headers are sent\n"
                         "false ctx:html: a response was sent already\n"
                         "200\n");
}

static void Date_SetByHandler_Kept(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:header('Date', 'Sun, 06 Nov 1994 08:49:37 GMT')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=200 date='Sun, 06 Nov 1994 08:49:37 GMT' "
                   "content-length=0\n");
}

static void ContentTypes_TextHtmlJson_Set(void **state)
{
    (void)state;
    struct wire *w =
        wire_script("return function(ctx)\n"
                    "    if ctx.query == 'own' then ctx:header('Content-Type', 'x/y') end\n"
                    "    if ctx.path == '/text' then ctx:text('t')\n"
                    "    elseif ctx.path == '/html' then ctx:html('h')\n"
                    "    else ctx:json {a = {1, 2.0, true}} end\n"
                    "end");
    static const char *const paths[] = {"/text", "/html", "/json", "/text?own", "/json?own"};
    for (int i = 0; i < 5; i++) {
        wire_get(w, paths[i]);
        wire_settle(w);
    }
    wire_expect(w, "HEADERS stream=1 :status=200 content-type='text/plain; charset=utf-8' date=now "
                   "content-length=1\n"
                   "DATA stream=1 END_STREAM len=1 't'\n"
                   "HEADERS stream=3 :status=200 content-type='text/html; charset=utf-8' date=now "
                   "content-length=1\n"
                   "DATA stream=3 END_STREAM len=1 'h'\n"
                   "HEADERS stream=5 :status=200 content-type=application/json date=now "
                   "content-length=18\n"
                   "DATA stream=5 END_STREAM len=18 '{\"a\":[1,2.0,true]}'\n"
                   "HEADERS stream=7 :status=200 content-type=x/y date=now content-length=1\n"
                   "DATA stream=7 END_STREAM len=1 't'\n"
                   "HEADERS stream=9 :status=200 content-type=x/y date=now content-length=18\n"
                   "DATA stream=9 END_STREAM len=18 '{\"a\":[1,2.0,true]}'\n");
}

static void Json_Unencodable_RaisesAndHeadStays(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(pcall(ctx.json, ctx, {f = print}))\n"
                                  "note((pcall(ctx.json, ctx))) note((pcall(ctx.text, ctx)))\n"
                                  "ctx:json(nil)");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 content-type=application/json date=now "
                   "content-length=4\n"
                   "DATA stream=1 END_STREAM len=4 'null'\n");
    wire_expect_notes(w, "false json.encode: cannot encode a function at .f\nfalse\nfalse\n");
}

static void WithoutContent_Body_NotSent(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:status(math.tointeger(ctx.query)) ctx:text('Hello')");
    wire_get(w, "/?204");
    wire_get(w, "/?304");
    wire_request(w, "HEAD", "/?200");
    wire_expect(w,
        "HEADERS stream=1 END_STREAM :status=204 content-type='text/plain; charset=utf-8' "
        "date=now\n"
        "HEADERS stream=3 END_STREAM :status=304 content-type='text/plain; charset=utf-8' "
        "date=now\n"
        "HEADERS stream=5 END_STREAM :status=200 content-type='text/plain; charset=utf-8' "
        "date=now content-length=5\n");
}

/* Names and values are of the handler's length, up to what an exchange may hold. */
static void Headers_Many_AllSent(void **state)
{
    (void)state;
    struct wire *w = wire_handler("for i = 1, 100 do ctx:header('x-' .. i, i) end");
    struct text expected = {0};
    text_print(&expected, "HEADERS stream=1 END_STREAM :status=200");
    for (int i = 1; i <= 100; i++)
        text_print(&expected, " x-%d=%d", i, i);
    text_print(&expected, " date=now content-length=0\n");
    wire_get(w, "/");
    wire_expect(w, text_of(&expected));
    text_clear(&expected);
}

static void Headers_BeyondMemory_RaisesAndResponseGoesOn(void **state)
{
    (void)state;
    struct wire *w = wire_handler("local big, n = ('x'):rep(60000), 0\n"
                                  "while pcall(ctx.header, ctx, 'x-big', big) do n = n + 1 end\n"
                                  "ctx:header('x-big', nil) ctx:write(tostring(n > 5 and n < 18))");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now content-length=4\n"
                   "DATA stream=1 END_STREAM len=4 'true'\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Status_Set_Sent),
        wire_test(Status_NotFinalOrNoNumber_Raises),
        wire_test(Status_EveryFinalOne_Sent),
        wire_test(Header_Set_SentInLowerCaseAndTrimmed),
        wire_test(Header_Table_SetsEach),
        wire_test(Header_Nil_Removes),
        wire_test(Header_NameAlone_GivesWhatIsSet),
        wire_test(AddHeader_SameName_BesideIt),
        wire_test(Header_MalformedOrForbidden_RaisesAndResponseGoesOn),
        wire_test(Head_AfterHeaders_Raises),
        wire_test(Date_SetByHandler_Kept),
        wire_test(ContentTypes_TextHtmlJson_Set),
        wire_test(Json_Unencodable_RaisesAndHeadStays),
        wire_test(WithoutContent_Body_NotSent),
        wire_test(Headers_Many_AllSent),
        wire_test(Headers_BeyondMemory_RaisesAndResponseGoesOn),
    };
    return cmocka_run_group_tests_name("session/head", tests, NULL, NULL);
}

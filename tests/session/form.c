/* Decoded arguments, forms, cookies and redirects. */
#include "support/wire.h"

#include <stdio.h>
#include <string.h>

#define EMPTY(status) "HEADERS stream=1 END_STREAM :status=" status " date=now content-length=0\n"

#define FORM_TYPE "content-type: application/x-www-form-urlencoded\n"

/* A handler that notes each of its arguments in order of their names. */
#define SHOW(call) \
    "local names, t = {}, " call " for name in pairs(t) do names[#names + 1] = name end\n" \
    "table.sort(names)\n" \
    "for _, name in ipairs(names) do\n" \
    "    local value = t[name]\n" \
    "    if type(value) == 'table' then value = '{' .. table.concat(value, '|') .. '}' end\n" \
    "    note(name .. '=' .. value)\n" \
    "end"

/* A whole request with more fields. */
static int32_t post(struct wire *w, const char *fields, const char *body)
{
    int32_t stream = wire_begin(w, "POST", "/", fields);
    if (*body)
        wire_send(w, stream, body, strlen(body));
    wire_end(w, stream);
    return stream;
}

static void Args_Decoded(void **state)
{
    (void)state;
    struct wire *w = wire_handler(SHOW("ctx:args()"));
    wire_get(w, "/?name=J+%C3%89&empty=&flag&x=1&x=%32&x=3&%26%3d=%2B&bad=%zz%4&=none&&1=one");
    wire_expect_notes(
        w, "=none\n&==+\n1=one\nbad=%zz%4\nempty=\nflag=\nname=J \u00c9\nx={1|2|3}\n");
    wire_expect(w, EMPTY("200"));
}

static void Args_WithoutQuery_EmptyTable(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(type(ctx:args()), next(ctx:args()))");
    wire_get(w, "/");
    wire_expect_notes(w, "table nil\n");
    wire_get(w, "/?");
    wire_expect_notes(w, "table nil\n");
}

static void Args_AThousand_AndOneMore(void **state)
{
    (void)state;
    struct wire *w = wire_handler("local ok, t = pcall(ctx.args, ctx)\n"
                                  "note(ok, ok and #t.a or t)");
    char path[2 + 2 * 1001 + 1] = "/?";
    for (int i = 0; i < 1000; i++)
        strcpy(path + 2 + 2 * i, "a&");
    wire_get(w, path);
    wire_expect_notes(w, "true 1000\n");
    strcpy(path + 2 + 2 * 1000, "a");
    wire_get(w, path);
    wire_expect_notes(w, "false more than 1000 arguments\n");
}

static void Args_Aborted_Raises(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:reset() note(pcall(ctx.args, ctx))\n"
                                  "note(pcall(ctx.form, ctx)) note(pcall(ctx.cookie, ctx, 'a'))\n"
                                  "note(pcall(ctx.redirect, ctx, '/'))");
    wire_get(w, "/?a");
    wire_expect_notes(w, "false request aborted: reset\nfalse request aborted: reset\n"
                         "false request aborted: reset\nfalse request aborted: reset\n");
}

static void Form_WaitsForItsBody(void **state)
{
    (void)state;
    struct wire *w = wire_handler(SHOW("ctx:form()"));
    int32_t stream = wire_begin(w, "POST", "/?q=no", FORM_TYPE);
    wire_expect_tasks(w, 1, 1);
    wire_send(w, stream, "name=J+%C", 9);
    wire_expect_tasks(w, 1, 1);
    wire_send(w, stream, "3%89&x=1&x=2", 12);
    wire_end(w, stream);
    wire_expect_notes(w, "name=J \u00c9\nx={1|2}\n");
    wire_expect(w, EMPTY("200"));
}

static void Form_ContentTypes(void **state)
{
    (void)state;
    static const char *const taken[] = {FORM_TYPE,
        "content-type: Application/X-WWW-Form-Urlencoded ; charset=utf-8\n",
        "content-type: application/x-www-form-urlencoded;\n"};
    static const char *const refused[] = {"", "content-type: text/plain\n", "content-type: \n",
        "content-type: application/x-www-form-urlencoded2\n",
        "content-type: multipart/form-data; boundary=x\n"};
    struct wire *w = wire_handler("local ok, t = pcall(ctx.form, ctx) note(ok, ok and t.a or t)");
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        post(w, taken[i], "a=b");
        wire_expect_notes(w, "true b\n");
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        post(w, refused[i], "a=b");
        wire_expect_notes(w, "false the request's content-type is not "
                             "application/x-www-form-urlencoded\n");
    }
}

static void Form_OverItsLimit_413(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:form(2)");
    post(w, FORM_TYPE, "a=b");
    wire_settle(w);
    assert_non_null(strstr(text_of(&w->frames.lines), ":status=413"));
}

static void Form_EmptyBody_EmptyTable(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(next(ctx:form()), next(ctx:form()))");
    post(w, FORM_TYPE, "");
    wire_expect_notes(w, "nil nil\n");
}

static void Form_TooManyArguments_Raises(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(pcall(ctx.form, ctx))");
    char body[2 * 1001 + 1] = "";
    for (int i = 0; i < 1001; i++)
        strcpy(body + 2 * i, "a&");
    post(w, FORM_TYPE, body);
    wire_expect_notes(w, "false more than 1000 arguments\n");
}

static void Cookie_FirstMatch(void **state)
{
    (void)state;
    struct wire *w = wire_handler("for _, name in ipairs {'a', 'b', 'c', 'd', 'e', 'A', 'x'} do\n"
                                  "    note(name, ctx:cookie(name))\n"
                                  "end");
    int32_t stream = wire_begin(w, "GET", "/",
        "cookie: a=1; b=\"two 2\";c = 3=3 ;x; d=%41+\n"
        "cookie: a=2; e=\n");
    wire_end(w, stream);
    wire_expect_notes(w, "a 1\nb two 2\nc 3=3\nd %41+\ne \nA nil\nx nil\n");
}

static void Cookie_None_Nil(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(ctx:cookie('a'), ctx:cookie(''))");
    wire_get(w, "/");
    wire_expect_notes(w, "nil nil\n");
}

static void SetCookie_EachAddsAField(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:set_cookie('a', 'b') ctx:set_cookie('n', 12, {})\n"
                                  "ctx:set_cookie('empty', '', {secure = false})\n");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=200 set-cookie=a=b set-cookie=n=12 "
                   "set-cookie=empty= date=now content-length=0\n");
}

static void SetCookie_Options(void **state)
{
    (void)state;
    struct wire *w = wire_handler(
        "local function set(options)\n"
        "    ctx:set_cookie('a', 'b', options)\n"
        "    local all = ctx:header('set-cookie')\n"
        "    note(all) ctx:header('set-cookie', nil)\n"
        "end\n"
        "set {same_site = 'none', secure = true, http_only = true, expires = 784111777.9,\n"
        "    max_age = 60, domain = 'example.com', path = '/x'}\n"
        "set {same_site = 'LAX'} set {same_site = 'Strict', max_age = -1}\n"
        "set {expires = 'Sun, 06 Nov 1994 08:49:37 GMT'} set {expires = 0}\n"
        "set {expires = -11644473600} set {expires = 253402300799}\n"
        "set {http_only = false, secure = false}");
    wire_get(w, "/");
    wire_expect_notes(w,
        "a=b; Path=/x; Domain=example.com; Max-Age=60; Expires=Sun, 06 Nov 1994 08:49:37 GMT; "
        "HttpOnly; Secure; SameSite=None\n"
        "a=b; SameSite=Lax\n"
        "a=b; Max-Age=-1; SameSite=Strict\n"
        "a=b; Expires=Sun, 06 Nov 1994 08:49:37 GMT\n"
        "a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT\n"
        "a=b; Expires=Mon, 01 Jan 1601 00:00:00 GMT\n"
        "a=b; Expires=Fri, 31 Dec 9999 23:59:59 GMT\n"
        "a=b\n");
}

static void SetCookie_Refused(void **state)
{
    (void)state;
    struct wire *w = wire_handler(
        "local function refused(...) note(select(2, pcall(ctx.set_cookie, ctx, ...))) end\n"
        "refused('', 'v') refused('a b', 'v') refused('a=', 'v') refused('a\\n', 'v')\n"
        "for _, value in ipairs {'a b', '\"', 'a,', 'a;', '\\\\', '\\0', '\\u{e9}', '\\127'} do\n"
        "    refused('a', value)\n"
        "end\n"
        "refused('a', 'b', {Path = '/'}) refused('a', 'b', {'/'}) refused('a', 'b', {[{}] = 1})\n"
        "refused('a', 'b', {path = 1}) refused('a', 'b', {path = '/;x'})\n"
        "refused('a', 'b', {domain = 'x\\r\\n'}) refused('a', 'b', {path = '/\\t'})\n"
        "refused('a', 'b', {max_age = 1.5}) refused('a', 'b', {max_age = 'x'})\n"
        "refused('a', 'b', {expires = 1e18}) refused('a', 'b', {expires = 0/0})\n"
        "refused('a', 'b', {expires = true}) refused('a', 'b', {expires = 'a;b'})\n"
        "refused('a', 'b', {secure = 1}) refused('a', 'b', {http_only = 'yes'})\n"
        "refused('a', 'b', {same_site = 'no'}) refused('a', 'b', {same_site = true})\n"
        "refused('a', 'b', {same_site = 'None'})\n"
        "refused('a', 'b', {same_site = 'None', secure = false})\n"
        "note(ctx:header('set-cookie'))");
    wire_get(w, "/");
    wire_expect_notes(w, "cookie \"\" has a name that is no token\n"
                         "cookie \"a b\" has a name that is no token\n"
                         "cookie \"a=\" has a name that is no token\n"
                         "cookie \"a\n\" has a name that is no token\n"
                         "cookie \"a\" has a value with byte 32, which a cookie can't hold\n"
                         "cookie \"a\" has a value with byte 34, which a cookie can't hold\n"
                         "cookie \"a\" has a value with byte 44, which a cookie can't hold\n"
                         "cookie \"a\" has a value with byte 59, which a cookie can't hold\n"
                         "cookie \"a\" has a value with byte 92, which a cookie can't hold\n"
                         "cookie \"a\" has a value with byte 0, which a cookie can't hold\n"
                         "cookie \"a\" has a value with byte 195, which a cookie can't hold\n"
                         "cookie \"a\" has a value with byte 127, which a cookie can't hold\n"
                         "there is no cookie option Path\n"
                         "a cookie option's name is a string, not a number\n"
                         "a cookie option's name is a string, not a table\n"
                         "cookie option path is a string\n"
                         "cookie option path is a string without control characters and \";\"\n"
                         "cookie option domain is a string without control characters and \";\"\n"
                         "cookie option path is a string without control characters and \";\"\n"
                         "cookie option max_age is a whole number of seconds\n"
                         "cookie option max_age is a whole number of seconds\n"
                         "cookie option expires is a time of the years 1601 to 9999\n"
                         "cookie option expires is a time of the years 1601 to 9999\n"
                         "cookie option expires is a string\n"
                         "cookie option expires is a string without control characters and \";\"\n"
                         "cookie option secure is a boolean\n"
                         "cookie option http_only is a boolean\n"
                         "cookie option same_site is \"Strict\", \"Lax\" or \"None\"\n"
                         "cookie option same_site is \"Strict\", \"Lax\" or \"None\"\n"
                         "cookie option same_site is None only where secure is true\n"
                         "cookie option same_site is None only where secure is true\n"
                         "nil\n");
}

static void Redirect_ByDefault302(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:redirect('/there?a=b c%20\\u{e9}')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=302 location='/there?a=b "
                   "c%20\\xc3\\xa9' date=now content-length=0\n");
}

static void Redirect_Codes(void **state)
{
    (void)state;
    struct wire *w = wire_handler("for code = 300, 309 do\n"
                                  "    if pcall(ctx.redirect, ctx, '/', code) then note(code) end\n"
                                  "end\n"
                                  "note(ctx:status(), ctx:header('location'))");
    wire_get(w, "/");
    wire_expect_notes(w, "301\n302\n303\n307\n308\n308 /\n");
}

static void Redirect_ControlCharacter_Raises(void **state)
{
    (void)state;
    struct wire *w =
        wire_handler("for _, url in ipairs {'/\\r\\nx: y', '/\\0', '/\\127', '\\t'} do\n"
                     "    note(pcall(ctx.redirect, ctx, url))\n"
                     "end\n"
                     "note(ctx:status(), ctx:header('location'))");
    wire_get(w, "/");
#define CONTROL \
    "false header \"location\" has a value with a control character (CR, LF, NUL or the like)\n"
    wire_expect_notes(w, CONTROL CONTROL CONTROL "false bad argument #1 to '?' (has a tab)\n"
                                                 "200 nil\n");
}

static void Redirect_WithABody(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:redirect('/', 303) ctx:text('over there\\n')");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=303 location=/ content-type='text/plain; "
                   "charset=utf-8' date=now content-length=11\n"
                   "DATA stream=1 END_STREAM len=11 'over there\\n'\n");
}

static void HeadersSent_TooLate(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx:flush() note(pcall(ctx.redirect, ctx, '/'))\n"
                                  "note(pcall(ctx.set_cookie, ctx, 'a', 'b'))");
    wire_get(w, "/");
    wire_expect_notes(w, "false ctx:redirect: a response was sent already\n"
                         "false ctx:set_cookie: a response was sent already\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Args_Decoded),
        wire_test(Args_WithoutQuery_EmptyTable),
        wire_test(Args_AThousand_AndOneMore),
        wire_test(Args_Aborted_Raises),
        wire_test(Form_WaitsForItsBody),
        wire_test(Form_ContentTypes),
        wire_test(Form_OverItsLimit_413),
        wire_test(Form_EmptyBody_EmptyTable),
        wire_test(Form_TooManyArguments_Raises),
        wire_test(Cookie_FirstMatch),
        wire_test(Cookie_None_Nil),
        wire_test(SetCookie_EachAddsAField),
        wire_test(SetCookie_Options),
        wire_test(SetCookie_Refused),
        wire_test(Redirect_ByDefault302),
        wire_test(Redirect_Codes),
        wire_test(Redirect_ControlCharacter_Raises),
        wire_test(Redirect_WithABody),
        wire_test(HeadersSent_TooLate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

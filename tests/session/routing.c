/* From a request's path and method to a script. */
#include "support/wire.h"

#include <stdio.h>

#define NOT_FOUND(stream) \
    "HEADERS stream=" stream " :status=404 content-type='text/plain; charset=utf-8' date=now " \
    "content-length=10\n" \
    "DATA stream=" stream " END_STREAM len=10 'Not Found\\n'\n"

#define BAD_REQUEST(stream) \
    "HEADERS stream=" stream " :status=400 content-type='text/plain; charset=utf-8' date=now " \
    "content-length=12\n" \
    "DATA stream=" stream " END_STREAM len=12 'Bad Request\\n'\n"

/* A script that notes a word, and the parameter of that name. */
static void put(const char *path, const char *word, const char *parameter)
{
    struct text script = {0};
    text_print(&script, "return function(ctx) note('%s', ctx.params['%s']) end", word, parameter);
    stage_write(path, text_of(&script));
    text_clear(&script);
}

static struct wire *open_folder(void)
{
    put("index.lua", "root", "");
    put("hello.lua", "hello", "");
    put("api/users/index.lua", "users", "");
    put("users/[id].lua", "user", "id");
    put("users/me.lua", "me", "id");
    put("files/[...path].lua", "file", "path");
    put("_hidden.lua", "hidden", "");
    put("_more/inside.lua", "inside", "");
    return wire_open(&(struct wire_options){.folder = true});
}

static void expect_route(struct wire *w, const char *path, const char *notes)
{
    wire_get(w, path);
    wire_expect_notes(w, notes);
    text_clear(&w->frames.lines);
}

static void Folder_Literals_Found(void **state)
{
    (void)state;
    struct wire *w = open_folder();
    expect_route(w, "/", "root nil\n");
    expect_route(w, "/?hello", "root nil\n");
    expect_route(w, "/hello", "hello nil\n");
    expect_route(w, "/hello?a=/b", "hello nil\n");
    expect_route(w, "/h%65llo", "hello nil\n");
    expect_route(w, "/api/users", "users nil\n");
}

static void Folder_Parameters_Decoded(void **state)
{
    (void)state;
    struct wire *w = open_folder();
    expect_route(w, "/users/12", "user 12\n");
    expect_route(w, "/users/me", "me nil\n");
    expect_route(w, "/users/a%20b%C3%A4+c", "user a bä+c\n");
    expect_route(w, "/users/a%2Fb%2fc", "user a%2Fb%2fc\n");
    expect_route(w, "/users/%255B", "user %5B\n");
    expect_route(w, "/files/a", "file a\n");
    expect_route(w, "/files/a/b%20c/d", "file a/b c/d\n");
}

static void Folder_NoRoute_404(void **state)
{
    (void)state;
    static const char *const paths[] = {"/absent", "/hello/", "/hello.lua", "//hello", "/users/",
        "/users/a/b", "/files", "/_hidden", "/_more/inside", "/HELLO", "/index", "*"};
    struct wire *w = open_folder();
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char stream[16];
        struct text expected = {0};
        snprintf(stream, sizeof stream, "%d", wire_request(w, "OPTIONS", paths[i]));
        text_print(&expected, NOT_FOUND("%s"), stream, stream);
        wire_expect(w, text_of(&expected));
        text_clear(&expected);
    }
    wire_expect_notes(w, "");
}

static void Folder_BadPath_400(void **state)
{
    (void)state;
    struct wire *w = open_folder();
    wire_get(w, "/users/%");
    wire_expect(w, BAD_REQUEST("1"));
    wire_get(w, "/users/%4x");
    wire_expect(w, BAD_REQUEST("3"));
    wire_get(w, "/users/a%00b");
    wire_expect(w, BAD_REQUEST("5"));
    wire_get(w, "/files/%2e%2E/x");
    wire_expect(w, BAD_REQUEST("7"));
    wire_get(w, "/files/../x");
    wire_expect(w, BAD_REQUEST("9"));
    wire_expect_notes(w, "");
}

static void Folder_Modules_FoundByRequire(void **state)
{
    (void)state;
    stage_write("_lib.lua", "return {greeting = 'Hello'}");
    stage_write("deep/er/index.lua",
        "local lib = require '_lib'\nreturn function(ctx) ctx:write(lib.greeting) end");
    struct wire *w = wire_open(&(struct wire_options){.folder = true});
    wire_get(w, "/deep/er");
    wire_expect(w, "HEADERS stream=1 :status=200 date=now content-length=5\n"
                   "DATA stream=1 END_STREAM len=5 'Hello'\n");
}

static void File_EveryPathAndMethod_Answered(void **state)
{
    (void)state;
    static const char *const methods[] = {"GET", "POST", "PATCH", "OPTIONS", "PURGE"};
    struct wire *w = wire_handler("note(ctx.method, ctx.path, next(ctx.params))");
    for (int i = 0; i < 5; i++)
        wire_request(w, methods[i], "/any/%zz/");
    wire_expect_notes(w, "GET /any/%zz/ nil\nPOST /any/%zz/ nil\nPATCH /any/%zz/ nil\n"
                         "OPTIONS /any/%zz/ nil\nPURGE /any/%zz/ nil\n");
}

static const char table[] = "return {\n"
                            "    GET = function(ctx) ctx:text(ctx.method) end,\n"
                            "    POST = function(ctx) note('POST') end,\n"
                            "}";

static void Methods_Listed_Called(void **state)
{
    (void)state;
    struct wire *w = wire_script(table);
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 :status=200 content-type='text/plain; charset=utf-8' date=now "
                   "content-length=3\n"
                   "DATA stream=1 END_STREAM len=3 'GET'\n");
    wire_request(w, "POST", "/");
    wire_expect(w, EMPTY_RESPONSE("3"));
    wire_expect_notes(w, "POST\n");
}

static void Methods_Head_FallsBackToGet(void **state)
{
    (void)state;
    struct wire *w = wire_script(table);
    wire_request(w, "HEAD", "/");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=200 "
                   "content-type='text/plain; charset=utf-8' date=now content-length=4\n");
}

static void Methods_HeadListed_Called(void **state)
{
    (void)state;
    struct wire *w = wire_script("return {\n"
                                 "    GET = function(ctx) note('GET') end,\n"
                                 "    HEAD = function(ctx) note('HEAD') end,\n"
                                 "}");
    wire_request(w, "HEAD", "/");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=200 date=now\n");
    wire_expect_notes(w, "HEAD\n");
}

static void Methods_Unlisted_405WithAllow(void **state)
{
    (void)state;
    struct wire *w = wire_script(table);
    wire_request(w, "DELETE", "/");
    wire_expect(w, "HEADERS stream=1 :status=405 content-type='text/plain; charset=utf-8' "
                   "allow='GET, POST, HEAD, OPTIONS' date=now content-length=19\n"
                   "DATA stream=1 END_STREAM len=19 'Method Not Allowed\\n'\n");
    wire_request(w, "get", "/");
    wire_expect(w, "HEADERS stream=3 :status=405 content-type='text/plain; charset=utf-8' "
                   "allow='GET, POST, HEAD, OPTIONS' date=now content-length=19\n"
                   "DATA stream=3 END_STREAM len=19 'Method Not Allowed\\n'\n");
}

static void Methods_Options_204WithAllow(void **state)
{
    (void)state;
    struct wire *w = wire_script(table);
    wire_request(w, "OPTIONS", "/");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=204 allow='GET, POST, HEAD, OPTIONS' "
                   "date=now\n");
}

static void Methods_OptionsListed_Called(void **state)
{
    (void)state;
    struct wire *w = wire_script("return {OPTIONS = function(ctx) ctx:status(204) end}");
    wire_request(w, "OPTIONS", "/");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=204 date=now\n");
    wire_request(w, "HEAD", "/");
    wire_expect(w, "HEADERS stream=3 END_STREAM :status=405 "
                   "content-type='text/plain; charset=utf-8' allow=OPTIONS date=now "
                   "content-length=19\n");
}

static void Refusals_ClientStillSends_EndStreamThenNoError(void **state)
{
    (void)state;
    struct wire *w = open_folder();
    wire_begin(w, "POST", "/absent", "");
    wire_expect(w, NOT_FOUND("1") "RST_STREAM stream=1 code=NO_ERROR\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Folder_Literals_Found),
        wire_test(Folder_Parameters_Decoded),
        wire_test(Folder_NoRoute_404),
        wire_test(Folder_BadPath_400),
        wire_test(Folder_Modules_FoundByRequire),
        wire_test(File_EveryPathAndMethod_Answered),
        wire_test(Methods_Listed_Called),
        wire_test(Methods_Head_FallsBackToGet),
        wire_test(Methods_HeadListed_Called),
        wire_test(Methods_Unlisted_405WithAllow),
        wire_test(Methods_Options_204WithAllow),
        wire_test(Methods_OptionsListed_Called),
        wire_test(Refusals_ClientStillSends_EndStreamThenNoError),
    };
    return cmocka_run_group_tests_name("session/routing", tests, NULL, NULL);
}

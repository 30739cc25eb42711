/* ctx itself: a table, its fields, and what is left of it when the request is over. */
#include "support/wire.h"

#define FUNCTIONS \
    "'protocol', 'supports_trailers', 'declare_trailer', 'append_trailer', 'reset', 'read', " \
    "'body', 'status', 'header', 'add_header', 'write', 'flush', 'finish', 'text', 'html', " \
    "'json', 'aborted', 'on_abort'"

#define FIELDS \
    "'method', 'path', 'query', 'scheme', 'authority', 'params', 'remote', 'id', 'headers', 'tls'"

static void Kept_EachFunction_RaisesEnded(void **state)
{
    (void)state;
    struct wire *w =
        wire_script("local kept\n"
                    "return function(ctx)\n"
                    "    if not kept then kept = ctx return end\n"
                    "    for _, name in ipairs {" FUNCTIONS "} do\n"
                    "        local ok, problem = pcall(kept[name], kept, 'a', 'b')\n"
                    "        if ok or problem ~= 'request has ended' then note(name, problem) end\n"
                    "    end\n"
                    "    note('end')\n"
                    "end\n");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=200 date=now content-length=0\n");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=3 END_STREAM :status=200 date=now content-length=0\n");
    wire_expect_notes(w, "end\n");
}

static void Kept_Fields_OnlyThoseReadBefore(void **state)
{
    (void)state;
    struct wire *w =
        wire_script("local kept\n"
                    "return function(ctx)\n"
                    "    if not kept then\n"
                    "        kept = ctx ctx.own = 'mine' local _, _ = ctx.method, ctx.query\n"
                    "        return\n"
                    "    end\n"
                    "    for _, name in ipairs {" FIELDS ", 'own', 'unknown'} do\n"
                    "        note(name, pcall(function() return kept[name] end))\n"
                    "    end\n"
                    "    note(pcall(function() kept.path = 1 end))\n"
                    "    kept.own = 1 for k, v in pairs(kept) do note(k, v) end\n"
                    "end\n");
    wire_get(w, "/");
    wire_settle(w);
    wire_request(w, "POST", "/other?x");
    wire_expect_notes(w,
        "method true GET\n"
        "path false handler.lua:8: request has ended\n"
        "query true nil\n"
        "scheme false handler.lua:8: request has ended\n"
        "authority false handler.lua:8: request has ended\n"
        "params false handler.lua:8: request has ended\n"
        "remote false handler.lua:8: request has ended\n"
        "id false handler.lua:8: request has ended\n"
        "headers false handler.lua:8: request has ended\n"
        "tls false handler.lua:8: request has ended\n"
        "own true mine\n"
        "unknown true nil\n"
        "false handler.lua:10: ctx.path cannot be assigned: the name is the server's\n"
        "own 1\n");
}

/* Requests that follow take the same memory and the same place in the table of handles. */
static void Kept_ManyRequestsLater_StillEnded(void **state)
{
    (void)state;
    struct wire *w = wire_script("local kept\n"
                                 "return function(ctx)\n"
                                 "    if not kept then kept = ctx ctx:reset() return end\n"
                                 "    ctx:write(select(2, pcall(kept.write, kept, 'x')))\n"
                                 "end\n");
    wire_get(w, "/");
    wire_expect(w, "RST_STREAM stream=1 code=CANCEL\n");
    for (int i = 0; i < 100; i++) {
        int32_t stream = wire_get(w, "/");
        wire_settle(w);
        assert_string_equal(text_of(frames_body(&w->frames, stream)), "request has ended");
        text_clear(frames_body(&w->frames, stream));
    }
}

static void Kept_ByANeighbour_AbortedThenEnded(void **state)
{
    (void)state;
    struct wire *w = wire_script("local kept\n"
                                 "return function(ctx)\n"
                                 "    if not kept then kept = ctx end\n"
                                 "    note(pcall(ctx.read, ctx))\n"
                                 "    note(pcall(kept.aborted, kept))\n"
                                 "end\n");
    wire_begin(w, "POST", "/", "");
    wire_begin(w, "POST", "/", "");
    wire_expect_tasks(w, 2, 2);
    wire_drop(w, cut_of(CUT_LOST));
    wire_expect_notes(w, "false request aborted: connection lost\n"
                         "true connection lost\n"
                         "false request aborted: connection lost\n"
                         "false request has ended\n");
}

static void DotCall_WithoutSelf_ActsOnRunningRequest(void **state)
{
    (void)state;
    struct wire *w = wire_script("local other\n"
                                 "return function(ctx)\n"
                                 "    other = other or ctx\n"
                                 "    other.header('x-query', ctx.query)\n"
                                 "    other.write(ctx.query) other.append_trailer('a', ctx.query)\n"
                                 "    mt.sleep(0) other.finish('!')\n"
                                 "    note(other.aborted(), other.protocol(), other.status())\n"
                                 "end\n");
    wire_get(w, "/?one");
    wire_get(w, "/?two");
    wire_wait(w);
    wire_expect(w, "HEADERS stream=1 :status=200 x-query=one date=now\n"
                   "HEADERS stream=3 :status=200 x-query=two date=now\n"
                   "DATA stream=1 len=3 'one'\n"
                   "DATA stream=3 len=3 'two'\n"
                   "DATA stream=1 len=1 '!'\n"
                   "HEADERS stream=1 END_STREAM a=one\n"
                   "DATA stream=3 len=1 '!'\n"
                   "HEADERS stream=3 END_STREAM a=two\n");
    wire_expect_notes(w, "false HTTP/2 200\nfalse HTTP/2 200\n");
}

/* The table is no ctx: it is the first argument, and wrong as such. */
static void DotCall_OtherTable_IsAnArgument(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(pcall(ctx.write, {}) and 'ok' or 'raised')\n"
                                  "ctx.header({['x-a'] = '1'})");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=200 x-a=1 date=now content-length=0\n");
    wire_expect_notes(w, "raised\n");
}

static void Assign_EachNameOfTheApi_Raises(void **state)
{
    (void)state;
    struct wire *w = wire_handler("for _, name in ipairs {" FUNCTIONS ", " FIELDS "} do\n"
                                  "    local ok, problem = pcall(function() ctx[name] = 1 end)\n"
                                  "    if ok or not problem:find('ctx.' .. name .. ' cannot be "
                                  "assigned: the name is', 1, true)\n"
                                  "    then note(name, problem) end\n"
                                  "    if ctx[name] == 1 then note(name, 'changed') end\n"
                                  "end");
    wire_get(w, "/");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=200 date=now content-length=0\n");
    wire_expect_notes(w, "");
}

static void OwnFields_Work(void **state)
{
    (void)state;
    struct wire *w = wire_handler("ctx.user, ctx[1], ctx[ctx] = 'me', 'one', true\n"
                                  "local _ = ctx.method, ctx.query\n"
                                  "note(type(ctx), ctx.user, ctx[1], ctx[ctx], ctx.nothing, #ctx)\n"
                                  "ctx.user = nil note(ctx.user, (next(ctx)) ~= nil)");
    wire_get(w, "/");
    wire_expect_notes(w, "table me one true nil 1\nnil true\n");
}

static void Pairs_OnlyOwnFields(void **state)
{
    (void)state;
    struct wire *w = wire_handler("local _ = ctx.method, ctx.query, ctx.headers\n"
                                  "for k in pairs(ctx) do note(k) end note('none')\n"
                                  "ctx.user = 'me'\n"
                                  "for k, v in pairs(ctx) do note(k, v) ctx[k] = nil end");
    wire_get(w, "/");
    wire_expect_notes(w, "none\nuser me\n");
}

/* What the first wait puts into the table does not disturb who goes through it. */
static void Pairs_FirstWaitWithin_EachFieldOnce(void **state)
{
    (void)state;
    struct wire *w = wire_handler("for i = 1, 8 do ctx['own' .. i] = i end\n"
                                  "local sum, count = 0, 0\n"
                                  "for _, v in pairs(ctx) do\n"
                                  "    ctx:write('x') ctx:flush()\n"
                                  "    sum, count = sum + v, count + 1\n"
                                  "end\n"
                                  "note(sum, count)");
    wire_get(w, "/");
    for (int i = 0; i < 9; i++)
        wire_settle(w);
    wire_expect_notes(w, "36 8\n");
}

static void Started_BeforeTheFirstWait_UsesTheRequestAfterIt(void **state)
{
    (void)state;
    struct wire *w = wire_handler("local task = mt.spawn(function()\n"
                                  "    note(ctx.method, pcall(ctx.write, ctx, 'theirs'))\n"
                                  "end)\n"
                                  "if ctx.query then task:join() end");
    wire_get(w, "/?join");
    wire_expect_notes(w, "GET true\n");
}

static void Fields_OfARequest_AsSent(void **state)
{
    (void)state;
    struct wire *w = wire_handler(
        "note(ctx.method, ctx.path, ctx.query, ctx.scheme, ctx.authority, ctx.remote, ctx.tls)\n"
        "note(ctx.headers['x-a'], ctx.headers.cookie, ctx.headers['X-A'], ctx.headers[':path'])\n"
        "note(ctx.headers == ctx.headers, next(ctx.params), ctx.id:match('^%d+%-7%-1$') ~= nil)");
    int32_t stream = wire_begin(w, "PATCH", "/a%20b/?x=1&y=?",
        "x-a: 1\ncookie: a=b\nx-a: 2\n"
        "cookie: c=d");
    wire_end(w, stream);
    wire_expect_notes(w, "PATCH /a%20b/ x=1&y=? http test.example 127.0.0.1:51234 nil\n"
                         "1, 2 a=b; c=d nil nil\n"
                         "true nil true\n");
}

static void Query_EmptyOrNone_EmptyOrNil(void **state)
{
    (void)state;
    struct wire *w = wire_handler("note(ctx.path, ctx.query, ctx.query == '')");
    wire_get(w, "/");
    wire_get(w, "/?");
    wire_request(w, "OPTIONS", "*");
    wire_expect_notes(w, "/ nil false\n/  true\n* nil false\n");
}

/* Counted as the script does. */
static void Argument_Wrong_NamesItsPlace(void **state)
{
    (void)state;
    struct wire *w =
        wire_handler("local function problem(f, ...)\n"
                     "    note((select(2, pcall(f, ...)):gsub('^[^:]*:%d+: ', ''))) end\n"
                     "problem(function() ctx:append_trailer(nil, 'x') end)\n"
                     "problem(function() ctx:append_trailer('x') end)\n"
                     "problem(function() ctx:status(700) end)\n"
                     "problem(function() ctx.status('x') end)\n"
                     "problem(function() ctx:header {a = {}} end)\n"
                     "problem(function() ctx:on_abort(1) end)");
    wire_get(w, "/");
    wire_settle(w);
    wire_expect_notes(w, "bad argument #1 to 'append_trailer' (string expected, got nil)\n"
                         "bad argument #2 to 'append_trailer' (string expected, got no value)\n"
                         "bad argument #1 to 'status' (not a final status, 200 to 599)\n"
                         "bad argument #1 to 'status' (number expected, got string)\n"
                         "header \"a\" has a table as its value, not a string\n"
                         "bad argument #1 to 'on_abort' (function expected, got number)\n");
    wire_expect(w, "HEADERS stream=1 END_STREAM :status=200 date=now content-length=0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Kept_EachFunction_RaisesEnded),
        wire_test(Kept_Fields_OnlyThoseReadBefore),
        wire_test(Kept_ManyRequestsLater_StillEnded),
        wire_test(Kept_ByANeighbour_AbortedThenEnded),
        wire_test(DotCall_WithoutSelf_ActsOnRunningRequest),
        wire_test(DotCall_OtherTable_IsAnArgument),
        wire_test(Assign_EachNameOfTheApi_Raises),
        wire_test(OwnFields_Work),
        wire_test(Pairs_OnlyOwnFields),
        wire_test(Pairs_FirstWaitWithin_EachFieldOnce),
        wire_test(Started_BeforeTheFirstWait_UsesTheRequestAfterIt),
        wire_test(Fields_OfARequest_AsSent),
        wire_test(Argument_Wrong_NamesItsPlace),
        wire_test(Query_EmptyOrNone_EmptyOrNil),
    };
    return cmocka_run_group_tests_name("session/context", tests, NULL, NULL);
}

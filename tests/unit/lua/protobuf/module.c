/* The module moontrail.protobuf where memory is short, and in states that close. What it reads and
 * writes is tested from end to end. */
#include "tests/unit/check.h"
#include "tests/unit/heap.h"

#include <stdio.h>
#include <stdlib.h>

/* The module is the one that is built beside this test. */
#define REQUIRE \
    "package.cpath = 'build/test/lib/?.so'\n" \
    "local pb = require 'moontrail.protobuf'\n"

#define PARSE \
    "local schema = pb.parse([[syntax = 'proto3';\n" \
    "  enum Colour { RED = 0; GREEN = 1; }\n" \
    "  message A { string name = 1; repeated A list = 2; map<string, A> map = 3;\n" \
    "    Colour colour = 4; oneof o { int32 number = 5; A a = 6; } repeated int32 numbers = 7; " \
    "}\n" \
    "  service S { rpc Do(A) returns (A); }]], 'a.proto')\n" \
    "local A = schema:message('A')\n"

static int l_everything(lua_State *L)
{
    static const char code[] = REQUIRE PARSE
        "local long = ('x'):rep(5000)\n"
        "local value = {name = long, list = {{name = 'a'}, {number = 7}}, map = {[long] = {}},\n"
        "  colour = 'GREEN', a = {name = 'b', list = {{}}}, numbers = {1, 2, 3}}\n"
        "local bytes = A:encode(value)\n"
        "bytes = A:encode(value)\n"
        "local back = A:decode(bytes)\n"
        "assert(A:encode(back) == bytes and back.list[2].number == 7)\n"
        "local ok, m = pcall(A.encode, A, {list = {{list = {{name = 1}}}}})\n"
        "assert(m:find('list%[1%].name') or m:find('memory'), m)\n"
        "ok, m = pcall(A.decode, A, bytes, 1, -2)\n"
        "assert(m:find('^A') or m:find('memory'), m)\n"
        "ok, m = pcall(pb.parse, 'nonsense', 'a.proto')\n"
        "assert(m:find('^a.proto:1:1') or m:find('memory'), m)\n"
        "assert(schema:service('S').methods[1].input == A)\n"
        "assert(schema:descriptor_of_symbol('A') and #schema:files() == 0)\n"
        "return A:to_json(A:from_json('{\"name\":\"done\"}'))\n";
    if (luaL_loadstring(L, code) != LUA_OK)
        return lua_error(L);
    lua_call(L, 0, 1);
    return 1;
}

static void NoMemory_InLua(void **state)
{
    (void)state;
    heap_fail_each(&(struct heap_trial){l_everything, "{\"name\":\"done\"}"}, 50);
}

/* What the snippet told last; errors of finalizers go nowhere. */
static char told[100];

/* tell(text) */
static int l_tell(lua_State *L)
{
    snprintf(told, sizeof told, "%s", luaL_checkstring(L, 1));
    return 0;
}

static void run_alone(const char *code)
{
    struct heap heap = {0};
    lua_State *L = heap_open(&heap);
    lua_register(L, "tell", l_tell);
    told[0] = '\0';
    heap_run(L, code);
    lua_close(L);
    assert_int_equal(heap.bytes, 0);
}

/* Finalizers run in the reverse order of creation: the schema's comes before this one's. */
static void Close_ATypeInAFinalizer_IsRefused(void **state)
{
    (void)state;
    run_alone(REQUIRE "local last = setmetatable({}, {__gc = function(self)\n"
                      "  local _, encoding = pcall(self.type.encode, self.type, {})\n"
                      "  local _, asking = pcall(self.schema.services, self.schema)\n"
                      "  tell(encoding .. '; ' .. asking)\n"
                      "end})\n" PARSE "last.type, last.schema, _G.kept = A, schema, last\n");
    assert_string_equal(
        told, "protobuf: the Lua state is closing; protobuf: the Lua state is closing");
}

/* Encoding grows its buffer, which collects, which encodes. */
static void Encode_InAFinalizer_OfAnother(void **state)
{
    (void)state;
    run_alone(
        REQUIRE PARSE "local long, ran = {name = ('x'):rep(3000)}, 0\n"
                      "local bytes = A:encode(long)\n"
                      "local function drop()\n"
                      "  setmetatable({}, {__gc = function()\n"
                      "    assert(A:encode({name = ('y'):rep(9000)}):sub(4) == ('y'):rep(9000))\n"
                      "    ran = ran + 1\n"
                      "    if ran < 200 then drop() end\n"
                      "  end})\n"
                      "end\n"
                      "collectgarbage('setpause', 1)\n"
                      "drop()\n"
                      "for i = 1, 2000 do\n"
                      "  assert(A:encode(long) == bytes and A:decode(bytes).name == long.name)\n"
                      "end\n"
                      "tell(tostring(ran > 10))\n");
    assert_string_equal(told, "true");
}

/* Times that the codec let Lua run since. */
static int looks;

static void on_count(lua_State *L, lua_Debug *unused)
{
    (void)unused;
    (void)L;
    looks++;
}

/* count(f, ...): how often Lua ran within the call of a C function. */
static int l_count(lua_State *L)
{
    looks = 0;
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
    lua_call(L, lua_gettop(L) - 1, 0);
    lua_sethook(L, NULL, 0, 0);
    lua_pushinteger(L, looks);
    return 1;
}

static void on_end(lua_State *L, lua_Debug *unused)
{
    (void)unused;
    lua_sethook(L, NULL, 0, 0);
    luaL_error(L, "ran too long");
}

/* limit(f, ...): the call, which is over as soon as Lua runs within it. */
static int l_limit(lua_State *L)
{
    lua_sethook(L, on_end, LUA_MASKCOUNT, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    lua_sethook(L, NULL, 0, 0);
    return lua_gettop(L);
}

static int run_counted(const char *code)
{
    struct heap heap = {0};
    lua_State *L = heap_open(&heap);
    lua_register(L, "tell", l_tell);
    lua_register(L, "count", l_count);
    lua_register(L, "limit", l_limit);
    told[0] = '\0';
    heap_run(L, code);
    lua_close(L);
    assert_int_equal(heap.bytes, 0);
    return atoi(told);
}

/* What bounds Lua's time finds Lua in each 2048 steps of these. */
static void LongLoops_LetLuaRun(void **state)
{
    (void)state;
    static const char *const calls[] = {
        "count(A.decode, A, ('\\x38\\x01'):rep(1 << 20))",                    /* a list */
        "count(A.decode, A, '\\x3a\\x80\\x80\\x40' .. ('\\0'):rep(1 << 20))", /* packed */
        "count(A.decode, A, ('\\x28\\1'):rep(1 << 20))",                      /* one field */
        "count(A.decode, A, ('\\x50\\1'):rep(1 << 20))",                      /* an unknown one */
        "count(A.decode, A, ('\\x32\\0'):rep(1 << 20))",                      /* merges */
        "count(A.decode, A, ('\\x1a\\0'):rep(1 << 17))",                      /* entries */
        "count(A.encode, A, {numbers = many})",
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char code[2000];
        snprintf(code, sizeof code,
            REQUIRE PARSE "local many = {}\n"
                          "for i = 1, 1 << 20 do many[i] = i end\n"
                          "tell(tostring(%s))\n",
            calls[i]);
        int n = run_counted(code);
        if (n < 400 || n > 4096)
            fail_msg("%s: Lua ran %d times", calls[i], n);
    }
}

static void SmallMessages_DoNotLetLuaRun(void **state)
{
    (void)state;
    assert_int_equal(
        run_counted(REQUIRE PARSE "tell(tostring(count(A.decode, A, ('\\x38\\x01'):rep(500))))\n"),
        0);
}

static void Decode_PastTheLimit_IsOver(void **state)
{
    (void)state;
    run_counted(
        REQUIRE PARSE "local ok, e = pcall(limit, A.decode, A, ('\\x38\\x01'):rep(1 << 20))\n"
                      "tell(tostring(ok) .. ' ' .. e)\n");
    assert_string_equal(told, "false ran too long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(NoMemory_InLua),
        checked(Close_ATypeInAFinalizer_IsRefused),
        checked(Encode_InAFinalizer_OfAnother),
        checked(LongLoops_LetLuaRun),
        checked(SmallMessages_DoNotLetLuaRun),
        checked(Decode_PastTheLimit_IsOver),
    };
    return cmocka_run_group_tests_name("unit/lua/protobuf", tests, NULL, NULL);
}

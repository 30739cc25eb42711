/* The module moontrail.base64, from Lua: both alphabets, padding, pieces, and want of memory. */
#include "lua/modules/base64/base64.h"

#include "tests/unit/check.h"
#include "tests/unit/heap.h"

static void load_base64(lua_State *L)
{
    luaL_requiref(L, "moontrail.base64", luaopen_moontrail_base64, 0);
    lua_setglobal(L, "base64");
}

/* Runs a snippet in a state of its own. */
static void run_alone(const char *code)
{
    struct heap heap = {0};
    lua_State *L = heap_open(&heap);
    load_base64(L);
    heap_run(L, code);
    lua_close(L);
    assert_int_equal(heap.bytes, 0);
}

/* Those of RFC 4648, section 10. */
static void Encode_VectorsOfTheRfc(void **state)
{
    (void)state;
    run_alone(
        "local vectors = {[''] = '', f = 'Zg==', fo = 'Zm8=', foo = 'Zm9v', foob = 'Zm9vYg==',"
        "  fooba = 'Zm9vYmE=', foobar = 'Zm9vYmFy'}\n"
        "for bytes, text in pairs(vectors) do\n"
        "  assert(base64.encode(bytes) == text)\n"
        "  assert(base64.encode(bytes, 'url') == text:gsub('=', ''))\n"
        "  assert(base64.decode(text) == bytes)\n"
        "  assert(base64.decode((text:gsub('=', ''))) == bytes)\n"
        "end");
}

static void Encode_Alphabets(void **state)
{
    (void)state;
    run_alone("local bytes = '\\xfb\\xff\\xbf'\n"
              "assert(base64.encode(bytes) == '+/+/')\n"
              "assert(base64.encode(bytes, 'url') == '-_-_')\n"
              "assert(base64.decode('+/-_') == bytes)\n"
              "assert(not pcall(base64.encode, bytes, 'other'))");
}

static void Decode_AnyBytes_GivesThemBack(void **state)
{
    (void)state;
    run_alone("math.randomseed(5)\n"
              "for n = 0, 300 do\n"
              "  local t = {}\n"
              "  for i = 1, n do t[i] = string.char(math.random(0, 255)) end\n"
              "  local bytes = table.concat(t)\n"
              "  assert(base64.decode(base64.encode(bytes)) == bytes)\n"
              "  assert(base64.decode(base64.encode(bytes, 'url')) == bytes)\n"
              "end");
}

static void Decode_WhatIsNone_GivesNil(void **state)
{
    (void)state;
    run_alone("for _, text in ipairs {'A', 'AAAAA', 'A=', 'AA=', 'A===', '====', 'AA=A', 'AAE==',\n"
              "    '=AAE', 'A*EC', 'AAEC\\n', 'AA==AAEC', 'AAE=A', '\\xff\\xff\\xff\\xff'} do\n"
              "  assert(base64.decode(text) == nil, text)\n"
              "end");
}

static void DecodeJoined_CutAnywhere(void **state)
{
    (void)state;
    run_alone("local text, all = '', ''\n"
              "for n = 0, 9 do\n"
              "  local bytes = ('x'):rep(n)\n"
              "  text, all = text .. base64.encode(bytes), all .. bytes\n"
              "end\n"
              "for a = 0, #text do for b = a, #text do\n"
              "  local got, bytes, rest = '', nil, ''\n"
              "  for _, piece in ipairs {text:sub(1, a), text:sub(a + 1, b), text:sub(b + 1)} do\n"
              "    bytes, rest = base64.decode_joined(rest .. piece)\n"
              "    got = got .. bytes\n"
              "  end\n"
              "  assert(got == all and rest == '')\n"
              "end end");
}

static void DecodeJoined_WhatIsNone_GivesNil(void **state)
{
    (void)state;
    run_alone("for _, text in ipairs {'A===', '====', 'AA=A', '=AAE', 'AA==*AAA', 'AAECA*AA'} do\n"
              "  assert(base64.decode_joined(text) == nil, text)\n"
              "end\n"
              "local bytes, rest = base64.decode_joined('AA==A=')\n"
              "assert(bytes == '\\0' and rest == 'A=')");
}

static int l_everything(lua_State *L)
{
    static const char code[] =
        "local text = base64.encode(('x'):rep(3001))\n"
        "assert(base64.decode(text) and base64.decode_joined(text .. 'AB'))\n"
        "return 'done'";
    load_base64(L);
    if (luaL_loadstring(L, code) != LUA_OK)
        return lua_error(L);
    lua_call(L, 0, 1);
    return 1;
}

static void NoMemory_InLua(void **state)
{
    (void)state;
    heap_fail_each(&(struct heap_trial){l_everything, "done"}, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Encode_VectorsOfTheRfc),
        checked(Encode_Alphabets),
        checked(Decode_AnyBytes_GivesThemBack),
        checked(Decode_WhatIsNone_GivesNil),
        checked(DecodeJoined_CutAnywhere),
        checked(DecodeJoined_WhatIsNone_GivesNil),
        checked(NoMemory_InLua),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

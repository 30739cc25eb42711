/* The module moontrail.redis.wire, from Lua: commands as bytes, replies from bytes that are cut
 * anywhere, what is refused, and want of memory. */
#include "lua/modules/redis/redis.h"

#include "lua/modules/json/json.h"
#include "lua/runtime/error_value.h"
#include "tests/unit/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

struct fixture {
    lua_State *L;
    struct heap heap;
};

/* What the Lua snippets share; the module is the global wire. */
static const char prelude[] =
    "function refuses(kind, text, f, ...)\n"
    "  local ok, e = pcall(f, ...)\n"
    "  if ok then error('not refused: ' .. text, 2) end\n"
    "  assert(e.kind == kind and e.message:find(text, 1, true), tostring(e))\n"
    "end\n"
    "function same(a, b)\n"
    "  if type(a) ~= 'table' or type(b) ~= 'table' then\n"
    "    return math.type(a) == math.type(b) and a == b\n"
    "  end\n"
    "  for k in pairs(b) do if a[k] == nil then return false end end\n"
    "  for k, v in pairs(a) do if not same(v, b[k]) then return false end end\n"
    "  return getmetatable(a) == getmetatable(b)\n"
    "end\n"
    /* All replies in a text, of which so many bytes come at a time. */
    "function replies(text, step)\n"
    "  local r, all = wire.reader(), {n = 0}\n"
    "  local function take(left, value, failed)\n"
    "    while left do\n"
    "      all.n = all.n + 1\n"
    "      all[all.n] = {value, failed}\n"
    "      if left == 0 then return end\n"
    "      left, value, failed = r:next()\n"
    "    end\n"
    "  end\n"
    "  for i = 1, #text, step do take(r:next(text:sub(i, i + step - 1))) end\n"
    "  return all\n"
    "end\n"
    "function reads(text, value)\n"
    "  for step = 1, math.min(#text, 40) do\n"
    "    local all = replies(text, step)\n"
    "    assert(all.n == 1 and not all[1][2] and same(all[1][1], value), text)\n"
    "    assert(replies(text:sub(1, -2), step).n == 0, text)\n"
    "  end\n"
    "  assert(replies(text:rep(3), 7).n == 3 and replies(text:rep(3), 1000).n == 3)\n"
    "end\n"
    "function breaks(text)\n"
    "  for step = 1, #text do refuses('protocol', 'no reply', replies, text, step) end\n"
    "end\n";

static void load(lua_State *L)
{
    error_value_open(L);
    luaL_requiref(L, "moontrail.json", luaopen_moontrail_json, 0);
    lua_setglobal(L, "json");
    luaL_requiref(L, "moontrail.redis.wire", luaopen_moontrail_redis_wire, 0);
    lua_setglobal(L, "wire");
    heap_run(L, prelude);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->L = heap_open(&f->heap);
    load(f->L);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    lua_close(f->L);
    assert_int_equal(f->heap.bytes, 0);
    free(f);
    return 0;
}

static lua_State *state_of(void **state)
{
    return ((struct fixture *)*state)->L;
}

static void Command_Arguments_Written(void **state)
{
    heap_run(state_of(state),
        "local function is(text, ...) local got = wire.command(...) assert(got == text, got) end\n"
        "is('*1\\r\\n$4\\r\\nPING\\r\\n', 'PING')\n"
        "is('*3\\r\\n$3\\r\\nset\\r\\n$0\\r\\n\\r\\n$3\\r\\n\\0\\r\\n\\r\\n', 'set', '', "
        "'\\0\\r\\n')\n"
        "is('*4\\r\\n$1\\r\\nx\\r\\n$1\\r\\n0\\r\\n$2\\r\\n-7\\r\\n$"
        "19\\r\\n9223372036854775807\\r\\n',\n"
        "  'x', 0, -7, math.maxinteger)\n"
        "is('*2\\r\\n$1\\r\\nx\\r\\n$20\\r\\n-9223372036854775808\\r\\n', 'x', math.mininteger)\n"
        "is('*3\\r\\n$1\\r\\nx\\r\\n$3\\r\\n0.1\\r\\n$1\\r\\n5\\r\\n', 'x', 0.1, 10 / 2)\n"
        "is('*3\\r\\n$1\\r\\nx\\r\\n$3\\r\\ninf\\r\\n$4\\r\\n-inf\\r\\n', 'x', 1 / 0, -1 / 0)\n"
        "is('*2\\r\\n$1\\r\\nx\\r\\n$19\\r\\n0.30000000000000004\\r\\n', 'x', 0.1 + 0.2)\n"
        "local long = ('y'):rep(100000)\n"
        "is('*3\\r\\n$1\\r\\nx\\r\\n$100000\\r\\n' .. long .. '\\r\\n$1\\r\\nz\\r\\n', 'x', long, "
        "'z')\n");
}

static void Command_OfWhatIsNoArgument_ToldWhich(void **state)
{
    heap_run(state_of(state), "local function wrong(at, kind, ...)\n"
                              "  local text, index, got = wire.command(...)\n"
                              "  assert(text == nil and index == at and got == kind, got)\n"
                              "end\n"
                              "wrong(1, 'boolean', 'x', true)\n"
                              "wrong(2, 'nil', 'x', 'a', nil)\n"
                              "wrong(1, 'table', 'x', {}, 1)\n"
                              "wrong(1, 'nan', 'x', 0 / 0)\n"
                              "wrong(1, 'userdata', 'x', wire.null)\n");
}

static void Slot_AsTheClusterHasIt(void **state)
{
    heap_run(state_of(state), "assert(wire.slot('123456789') == 0x31c3)\n"
                              "assert(wire.slot('') == 0 and wire.slot('foo') == 12182)\n"
                              "assert(wire.slot('{user1000}.following') == wire.slot('user1000'))\n"
                              "assert(wire.slot('foo{{bar}}zap') == wire.slot('{bar'))\n"
                              "assert(wire.slot('foo{bar}{zap}') == wire.slot('bar'))\n"
                              "assert(wire.slot('foo{}{bar}') ~= wire.slot('bar'))\n"
                              "assert(wire.slot('{foo') ~= wire.slot('foo'))\n");
}

static void Reader_EachKind_CutAnywhere(void **state)
{
    heap_run(state_of(state),
        "reads('+OK\\r\\n', 'OK')\n"
        "reads('+\\r\\n', '')\n"
        "reads(':0\\r\\n', 0)\n"
        "reads(':-12\\r\\n', -12)\n"
        "reads(':+12\\r\\n', 12)\n"
        "reads(':9223372036854775807\\r\\n', math.maxinteger)\n"
        "reads(':-9223372036854775808\\r\\n', math.mininteger)\n"
        "reads('$0\\r\\n\\r\\n', '')\n"
        "reads('$5\\r\\nhe\\r\\no\\r\\n', 'he\\r\\no')\n"
        "reads('$-1\\r\\n', nil)\n"
        "reads('*-1\\r\\n', nil)\n"
        "reads('*0\\r\\n', {})\n"
        "reads('*3\\r\\n$-1\\r\\n*-1\\r\\n:1\\r\\n', {wire.null, wire.null, 1})\n"
        "reads('*2\\r\\n*0\\r\\n*2\\r\\n+a\\r\\n*1\\r\\n:7\\r\\n', {{}, {'a', {7}}})\n"
        "assert(wire.null == json.null)\n");
}

static void Reader_AnError_IsAValue(void **state)
{
    heap_run(state_of(state),
        "for step = 1, 30 do\n"
        "  local one = replies('-WRONGTYPE Operation against\\r\\n', step)[1]\n"
        "  assert(one[2] == true and one[1].kind == 'redis' and one[1].code == 'WRONGTYPE')\n"
        "  assert(one[1].message == 'WRONGTYPE Operation against')\n"
        "  local list = replies('*2\\r\\n-ERR\\r\\n:1\\r\\n', step)[1]\n"
        "  assert(list[2] == false and list[1][1].code == 'ERR' and list[1][2] == 1)\n"
        "  list = replies('*1\\r\\n-ERR x\\r\\n', step)[1]\n"
        "  assert(list[2] == false and list[1][1].message == 'ERR x')\n"
        "end\n");
}

static void Reader_Expects_AsOneArray(void **state)
{
    heap_run(state_of(state),
        "local r = wire.reader()\n"
        "r:expect(4)\n"
        "assert(r:next('+a\\r\\n$-1\\r\\n-ER') == nil)\n"
        "local left, list, failed = r:next('R x\\r\\n*2\\r\\n:1\\r\\n:2\\r\\n+b\\r\\n')\n"
        "assert(left == 4 and failed == false and #list == 4)\n"
        "assert(list[1] == 'a' and list[2] == wire.null and list[3].code == 'ERR')\n"
        "assert(list[4][2] == 2 and select(2, r:next()) == 'b')\n"
        "r:expect(2)\n"
        "assert(not pcall(r.expect, r, 2) and not pcall(r.expect, wire.reader(), 0))\n"
        "assert(#select(2, r:next(':1\\r\\n:2\\r\\n')) == 2)\n");
}

static void Reader_NoReply_Refused(void **state)
{
    heap_run(state_of(state), "for _, text in ipairs {'x', '\\0', 'HTTP/1.1 400 Bad "
                              "Request\\r\\n\\r\\n', '\\r\\n', '_\\r\\n',\n"
                              "    '+a\\rb\\r\\n', '+a\\n', '\\n', '+\\n', ':\\r\\n', ':-\\r\\n', "
                              "':+\\r\\n', ':1x\\r\\n', ': 1\\r\\n',\n"
                              "    ':--1\\r\\n', ':1.5\\r\\n', ':9223372036854775808\\r\\n', "
                              "':-9223372036854775809\\r\\n',\n"
                              "    ':' .. ('0'):rep(40), '$-2\\r\\n', '$-0\\r\\n', "
                              "'$+1\\r\\na\\r\\n', '$\\r\\n', '$1\\r\\nab\\r\\n',\n"
                              "    '$1\\r\\na\\nb', '$0\\r\\n\\n\\r', '*-2\\r\\n', '*-01x\\r\\n', "
                              "'*x\\r\\n', '*1\\r\\nx',\n"
                              "    '*1\\r\\n*1\\r\\n!3\\r\\n'} do breaks(text) end\n");
}

static void Reader_Limits_Held(void **state)
{
    heap_run(state_of(state),
        "local M = 64 << 20\n"
        "for step = 1, 9 do\n"
        "  assert(replies('$' .. M - 20 .. '\\r\\n', step).n == 0)\n"
        "  refuses('limit', '67108864 bytes', replies, '$' .. M .. '\\r\\n', step)\n"
        "  refuses('limit', '67108864 bytes', replies, '$999999999999999\\r\\n', step)\n"
        "  refuses('limit', '67108864 bytes', replies, '*99999999\\r\\n', step)\n"
        "  refuses('limit', '67108864 bytes', replies, '*2\\r\\n$40\\r\\n' .. ('x'):rep(40) ..\n"
        "    '\\r\\n$' .. M - 50 .. '\\r\\n', step)\n"
        "end\n"
        "local _, e = pcall(replies, '$' .. M .. '\\r\\n', 99)\n"
        "assert(e.limit == 'redis-reply')\n"
        "local deep = ('*1\\r\\n'):rep(64)\n"
        "for _, step in ipairs {1, 3, 1000} do\n"
        "  assert(replies(deep .. ':1\\r\\n', step).n == 1)\n"
        "  refuses('limit', '64 levels', replies, deep .. '*0\\r\\n', step)\n"
        "end\n"
        "local r = wire.reader()\n"
        "r:expect(2)\n"
        "assert(#select(2, r:next((deep .. ':1\\r\\n'):rep(2))) == 2)\n"
        "refuses('limit', 'bytes', replies, '+' .. ('x'):rep(70000), 1000)\n"
        "assert(replies('+' .. ('x'):rep(65000) .. '\\r\\n', 1).n == 1)\n");
}

/* A reply's size counts all that is in it, and not what else comes; each of many replies in a
 * pipeline may be as large. */
static void Reader_Size_IsOfEachReply(void **state)
{
    heap_run(state_of(state), "local piece = '$8000000\\r\\n' .. ('x'):rep(8000000) .. '\\r\\n'\n"
                              "local function feed(r, n) for _ = 1, n do r:next(piece) end end\n"
                              "local r = wire.reader()\n"
                              "r:next('*9\\r\\n')\n"
                              "feed(r, 8)\n"
                              "refuses('limit', 'bytes', feed, r, 1)\n"
                              "r = wire.reader()\n"
                              "r:expect(9)\n"
                              "feed(r, 8)\n"
                              "assert(#select(2, r:next(piece)) == 9)\n");
}

/* What is announced and has not come takes no memory. */
static void Reader_Announced_NotAllocated(void **state)
{
    struct fixture *f = *state;
    lua_State *L = f->L;
    heap_run(L, "r = {} for i = 1, 100 do r[i] = wire.reader() end a = '*20000000\\r\\n'\n"
                "b = '$60000000\\r\\nx' c = ('*1000000\\r\\n'):rep(20) collectgarbage('stop')");
    size_t before = f->heap.bytes;
    heap_run(L, "for i = 1, 33 do r[i]:next(a) end for i = 34, 66 do r[i]:next(b) end\n"
                "for i = 67, 100 do r[i]:next(c) end");
    assert_in_range(f->heap.bytes, before, before + (400 << 10));
    heap_run(L, "collectgarbage('restart')");
}

/* A reply that was read is not held. */
static void Reader_Read_LetsGo(void **state)
{
    heap_run(state_of(state),
        "local r, seen = wire.reader(), setmetatable({}, {__mode = 'v'})\n"
        "local text = '*1\\r\\n*1\\r\\n$200000\\r\\n' .. ('x'):rep(200000) .. '\\r\\n'\n"
        "for i = 1, #text, 1000 do\n"
        "  local left, value = r:next(text:sub(i, i + 999))\n"
        "  if left then seen[1], seen[2] = value, value[1] end\n"
        "end\n"
        "collectgarbage()\n"
        "assert(next(seen) == nil)\n"
        "local before = collectgarbage('count')\n"
        "r = nil collectgarbage()\n"
        "assert(before - collectgarbage('count') < 10)\n");
}

static void Reader_Misuse_Raises(void **state)
{
    heap_run(state_of(state),
        "local r = wire.reader()\n"
        "assert(r:next('+a\\r\\n+b\\r\\n') == 4)\n"
        "assert(not pcall(r.next, r, '+c\\r\\n') and not pcall(r.next, r, true))\n"
        "assert(not pcall(r.next) and not pcall(r.next, io.stdout) and not pcall(wire.slot))\n"
        "assert(not pcall(wire.command) and not pcall(wire.command, 1))\n"
        "assert(not pcall(wire.error, 'x', 'y') and not pcall(wire.error, 'lost'))\n"
        "local e = wire.error('redis', '50% text', 'CROSSSLOT')\n"
        "assert(e.code == 'CROSSSLOT' and tostring(e):find('50% text', 1, true))\n"
        "e = wire.error('lost', 'gone')\n"
        "assert(e.kind == 'lost' and e.code == nil)\n");
}

/* Texts of two kinds of cuts are read as the same. */
static void Reader_Random_SameHoweverCut(void **state)
{
    heap_run(state_of(state),
        "math.randomseed(3)\n"
        "local function make(deep)\n"
        "  local k = math.random(deep > 0 and 7 or 5)\n"
        "  if k == 1 then return '+' .. ('s'):rep(math.random(0, 50)) .. '\\r\\n' end\n"
        "  if k == 2 then return ':' .. math.random(-99, 1 << 40) .. '\\r\\n' end\n"
        "  if k == 3 then return '$-1\\r\\n' end\n"
        "  if k == 4 then return '-ERR no\\r\\n' end\n"
        "  if k == 5 then\n"
        "    local n = math.random(0, 300)\n"
        "    return '$' .. n .. '\\r\\n' .. ('\\r\\n'):rep(n):sub(1, n) .. '\\r\\n'\n"
        "  end\n"
        "  local all = {}\n"
        "  for i = 1, math.random(0, 9) do all[i] = make(deep - 1) end\n"
        "  return '*' .. #all .. '\\r\\n' .. table.concat(all)\n"
        "end\n"
        "local function shown(v)\n"
        "  if type(v) ~= 'table' then return tostring(v) end\n"
        "  if v.kind then return v.message end\n"
        "  local all = {}\n"
        "  for i = 1, #v do all[i] = shown(v[i]) end\n"
        "  return '[' .. table.concat(all, ',') .. ']'\n"
        "end\n"
        "for _ = 1, 150 do\n"
        "  local text = make(4) .. make(2) .. make(0)\n"
        "  local whole = replies(text, #text)\n"
        "  assert(whole.n == 3)\n"
        "  for _, step in ipairs {1, 2, 3, 17, 256} do\n"
        "    local cut = replies(text, step)\n"
        "    for i = 1, 3 do assert(shown(whole[i][1]) == shown(cut[i][1])) end\n"
        "  end\n"
        "end\n");
}

static int everything(lua_State *L)
{
    static const char code[] =
        "local r = wire.reader()\n"
        "r:expect(3)\n"
        "for c in ('*3\\r\\n$5\\r\\nhello\\r\\n*1\\r\\n:1\\r\\n-ERR x\\r\\n+a\\r\\n'):gmatch('.') "
        "do\n"
        "  r:next(c)\n"
        "end\n"
        "local _, list = r:next('$400\\r\\n' .. ('x'):rep(400) .. '\\r\\n')\n"
        "assert(#wire.command('set', 'a', 1, 0.5, ('x'):rep(3000)) > 3000)\n"
        "pcall(r.next, r, 'x')\n"
        "return list[1][1] .. list[2] .. #list[3] .. list[1][3].code";
    error_value_open(L);
    luaL_requiref(L, "moontrail.redis.wire", luaopen_moontrail_redis_wire, 0);
    lua_setglobal(L, "wire");
    if (luaL_loadstring(L, code))
        return lua_error(L);
    lua_call(L, 0, 1);
    return 1;
}

static void Memory_FailsAnywhere_NothingLost(void **state)
{
    (void)state;
    heap_fail_each(&(struct heap_trial){everything, "helloa400ERR"}, 40);
}

int main(void)
{
#define with_state(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        with_state(Command_Arguments_Written),
        with_state(Command_OfWhatIsNoArgument_ToldWhich),
        with_state(Slot_AsTheClusterHasIt),
        with_state(Reader_EachKind_CutAnywhere),
        with_state(Reader_AnError_IsAValue),
        with_state(Reader_Expects_AsOneArray),
        with_state(Reader_NoReply_Refused),
        with_state(Reader_Limits_Held),
        with_state(Reader_Size_IsOfEachReply),
        with_state(Reader_Announced_NotAllocated),
        with_state(Reader_Read_LetsGo),
        with_state(Reader_Misuse_Raises),
        with_state(Reader_Random_SameHoweverCut),
        cmocka_unit_test(Memory_FailsAnywhere_NothingLost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

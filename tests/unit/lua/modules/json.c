/* The module moontrail.json, from Lua: what it reads, writes and refuses, and want of memory. */
#include "lua/modules/json/json.h"

#include "tests/unit/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

struct fixture {
    lua_State *L;
    struct heap heap;
    uint64_t blocks;
};

/* What the Lua snippets share; the module is the global json. */
static const char prelude[] =
    "function refuses(text, f, ...)\n"
    "  local ok, message = pcall(f, ...)\n"
    "  if ok then error('not refused: ' .. text, 2) end\n"
    "  if not tostring(message):find(text, 1, true) then\n"
    "    error(('got «%s», not «%s»'):format(message, text), 2)\n"
    "  end\n"
    "end\n"
    "function same(a, b)\n"
    "  if type(a) ~= 'table' or type(b) ~= 'table' then\n"
    "    return math.type(a) == math.type(b) and a == b\n"
    "  end\n"
    "  for k in pairs(b) do if a[k] == nil then return false end end\n"
    "  for k, v in pairs(a) do if not same(v, b[k]) then return false end end\n"
    "  return getmetatable(a) == getmetatable(b)\n"
    "end\n"
    "function expect(text, value)\n"
    "  local got = json.encode(value)\n"
    "  if got ~= text then error(('got «%s», not «%s»'):format(got, text), 2) end\n"
    "end\n"
    "function reads(text, value)\n"
    "  local got = json.decode(text)\n"
    "  if not same(got, value) then error(('read %s from %s'):format(got, text), 2) end\n"
    "end\n";

static void load_json(lua_State *L)
{
    luaL_requiref(L, "moontrail.json", luaopen_moontrail_json, 0);
    lua_setglobal(L, "json");
    heap_run(L, prelude);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->blocks = mem_stats()->blocks;
    f->L = heap_open(&f->heap);
    load_json(f->L);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    lua_close(f->L);
    assert_int_equal(f->heap.bytes, 0);
    assert_int_equal(mem_stats()->blocks, f->blocks);
    free(f);
    return 0;
}

static lua_State *state_of(void **state)
{
    return ((struct fixture *)*state)->L;
}

static void Encode_Scalars(void **state)
{
    heap_run(state_of(state), "expect('null', nil) expect('null', json.null)\n"
                              "expect('true', true) expect('false', false)\n"
                              "expect('0', 0) expect('-1', -1)\n"
                              "expect('9223372036854775807', math.maxinteger)\n"
                              "expect('-9223372036854775808', math.mininteger)\n"
                              "refuses('value expected', json.encode)\n");
}

static void Encode_Floats_RoundTripAsFloats(void **state)
{
    heap_run(state_of(state), "expect('1.0', 1.0) expect('-0.0', -0.0) expect('0.1', 0.1)\n"
                              "expect('0.3333333333333333', 1/3) expect('1e+15', 1e15)\n"
                              "expect('3.141592653589793', math.pi) expect('1e+300', 1e300)\n"
                              "expect('9007199254740992.0', 2.0^53)\n"
                              "expect('0.30000000000000004', 0.1 + 0.2)\n"
                              "for _, v in ipairs{5e-324, 2^63, -2^63, 1e15 - 0.5, 1e15 + 0.5,\n"
                              "                   2^1023 * (2 - 2^-52), 123456789012345678.0} do\n"
                              "  reads(json.encode(v), v)\n"
                              "end\n"
                              "refuses('cannot encode nan', json.encode, 0/0)\n"
                              "refuses('cannot encode inf at .a', json.encode, {a = 1/0})\n"
                              "refuses('cannot encode inf at [1]', json.encode, {-1/0})\n");
}

static void Encode_Floats_WithoutRegardToLocale(void **state)
{
    heap_run(state_of(state), "if os.setlocale('de_DE.UTF-8', 'numeric') then\n"
                              "  expect('0.5', 0.5) expect('1.0', 1.0) reads('2.5', 2.5)\n"
                              "  os.setlocale('C', 'numeric')\n"
                              "end\n");
}

static void Encode_Strings(void **state)
{
    heap_run(state_of(state),
        "expect('\"\"', '') expect([[\"a\\\"\\\\/\"]], 'a\"\\\\/')\n"
        "expect([[\"\\u0000\\u0001\\u001F\\b\\f\\n\\r\\t\"]], '\\0\\1\\31\\b\\f\\n\\r\\t')\n"
        "expect('\"\\u{7f}\\u{e9}\\u{20ac}\\u{10ffff}\"', '\\u{7f}\\u{e9}\\u{20ac}\\u{10ffff}')\n"
        "local bad = {'\\xff', '\\x80', '\\xc0\\x80', '\\xc1\\xbf', '\\xe0\\x9f\\xbf',\n"
        "  '\\xed\\xa0\\x80', '\\xf0\\x8f\\xbf\\xbf', '\\xf4\\x90\\x80\\x80', "
        "'\\xf5\\x80\\x80\\x80',\n"
        "  '\\xc3', '\\xe2\\x82', '\\xf0\\x9f\\x98', '\\xe2x\\x82', 'aaaaaaaa\\xff', '\\xc3('}\n"
        "for _, s in ipairs(bad) do\n"
        "  refuses('a string that is not UTF-8 at .k', json.encode, {k = s})\n"
        "  refuses('a key that is not UTF-8 at .k', json.encode, {k = {[s] = 1}})\n"
        "  refuses('not UTF-8 at byte', json.decode, '\"' .. s .. '\"')\n"
        "end\n");
}

static void Encode_Tables(void **state)
{
    heap_run(state_of(state),
        "expect('{}', {}) expect('[]', json.array()) expect('[]', json.array{})\n"
        "expect('[1,[2,{}],{\"a\":[]}]', {1, {2, {}}, {a = json.array{}}})\n"
        "expect('[1,2,3]', {[3] = 3, [2] = 2, [1] = 1})\n"
        "expect('[1,2]', {[1] = 1, [2] = 2}) expect('[false,null]', {false, json.null})\n"
        "local t = {} for i = 20, 1, -1 do t[i] = i end\n"
        "expect('[' .. table.concat(t, ',') .. ']', t)\n"
        "expect('{\"\":{\"a\":true}}', {[''] = {a = true}})\n"
        "local twice = {1} expect('[[1],[1]]', {twice, twice})\n"
        "expect('[]', setmetatable(json.array(), getmetatable(json.array())))\n"
        "expect('{\"a\":1}', setmetatable({a = 1}, {__index = {b = 2}}))\n");
}

static void Encode_RefusesOddTables(void **state)
{
    heap_run(state_of(state),
        "local odd = {{1, nil, 3}, {1, 2, x = 3}, {[2] = 1}, {[0] = 1}, {[1.5] = 1},\n"
        "  {[true] = 1}, {a = 1, [1] = 2}, {[-1] = 1}, {1, [3] = 3}, {1, [2.5] = 1},\n"
        "  {[1 << 62] = 1}, json.array{a = 1}, json.array{1, nil, 3},\n"
        "  {[1] = 1, [true] = 1}, {[print] = 1}}\n"
        "for i, t in ipairs(odd) do\n"
        "  refuses('mixed or sparse', json.encode, t)\n"
        "  refuses('strings) at .x[1]', json.encode, {x = {t}})\n"
        "end\n");
}

static void Encode_RefusesOtherTypes(void **state)
{
    heap_run(state_of(state),
        "refuses('json.encode: cannot encode a function', json.encode, print)\n"
        "refuses('cannot encode a function at .a.b[3]', json.encode,\n"
        "        {a = {b = {1, 2, print}}})\n"
        "refuses('cannot encode a userdata at [1]', json.encode, {io.stdout})\n"
        "refuses('cannot encode a thread at [\"1 x\"]', json.encode,\n"
        "        {['1 x'] = coroutine.create(print)})\n"
        "refuses('at [\"a\\0b\"][\"\"][\"2\"]._', json.encode,\n"
        "        {['a\\0b'] = {[''] = {['2'] = {_ = print}}}})\n"
        "local long = ('k'):rep(1000)\n"
        "refuses('at .' .. long:sub(1, 40) .. '...', json.encode, {[long] = print})\n"
        "local ok, m = pcall(function() local s = json.encode(print) return s end)\n"
        "assert(m:find('^%[string.-%]:%d+: json.encode: '), m)\n");
}

static void Encode_RefusesCyclesAndDepth(void **state)
{
    heap_run(state_of(state),
        "local function nest(n) return n > 0 and {nest(n - 1)} or nil end\n"
        "expect(('['):rep(99) .. '{}' .. (']'):rep(99), nest(100))\n"
        "refuses('more than 100 levels at [1][1]', json.encode, nest(101))\n"
        "local t = {} t.t = t\n"
        "refuses('json.encode: a table contains itself at .t', json.encode, t)\n"
        "local a = {} a.b = {{c = a}}\n"
        "refuses('a table contains itself at .x.b[1].c', json.encode, {x = a})\n");
}

static void Encode_BoundsTheDocument(void **state)
{
    heap_run(state_of(state), "local t = 'x'\n"
                              "for i = 1, 60 do t = {t, t} end\n"
                              "refuses('larger than 64 MiB', json.encode, t)\n"
                              "expect('[1]', {1})\n");
}

static void Encode_GivesALargeBufferBack(void **state)
{
    lua_State *L = state_of(state);
    heap_run(L, "json.encode(('x'):rep(1000000))");
    heap_run(L, "refuses('function', json.encode, {('x'):rep(1000000), print})");
    uint64_t bytes = mem_stats()->bytes;
    heap_run(L, "json.encode(('x'):rep(60000))");
    assert_true(mem_stats()->bytes < bytes + (64 << 10) + 1024);
    heap_run(L, "json.encode(('x'):rep(1000000))");
    assert_true(mem_stats()->bytes <= bytes);
}

static void Encode_FromC(void **state)
{
    lua_State *L = state_of(state);
    heap_run(L, "json = nil");
    lua_newtable(L);
    lua_pushinteger(L, 7);
    lua_setfield(L, -2, "a");
    lua_pushliteral(L, "above");
    json_push_encoded(L, -2);
    assert_int_equal(lua_gettop(L), 3);
    assert_string_equal(lua_tostring(L, -1), "{\"a\":7}");
    lua_settop(L, 0);
}

static void Encode_FromC_WithoutTheModule(void **state)
{
    (void)state;
    struct heap heap = {0};
    uint64_t blocks = mem_stats()->blocks;
    lua_State *L = heap_open(&heap);
    lua_pushboolean(L, 1);
    json_push_encoded(L, 1);
    assert_string_equal(lua_tostring(L, -1), "true");
    lua_close(L);
    assert_int_equal(mem_stats()->blocks, blocks);
}

static void Decode_Scalars(void **state)
{
    heap_run(state_of(state),
        "reads('null', json.null) reads(' true ', true) reads('false', false)\n"
        "reads('\\t\\r\\n1', 1) reads('-0', 0) reads('\"\"', '')\n"
        "assert(json.null and type(json.null) == 'userdata')\n"
        "refuses('string expected', json.decode, {})\n");
}

static void Decode_Numbers(void **state)
{
    heap_run(state_of(state),
        "reads('9223372036854775807', math.maxinteger)\n"
        "reads('-9223372036854775808', math.mininteger)\n"
        "reads('9223372036854775808', 2.0^63) reads('-9223372036854775809', -2.0^63)\n"
        "reads('1.0', 1.0) reads('1e2', 100.0) reads('-1E-2', -0.01)\n"
        "assert(1 / json.decode('-0.0') < 0)\n"
        "reads('1' .. ('0'):rep(300), 1e300) reads('0.' .. ('3'):rep(400), 1/3)\n"
        "reads('1e-999', 0.0) reads('[1,2.5]', json.array{1, 2.5})\n"
        "refuses('number out of range at byte 6', json.decode, '[1e999]')\n"
        "refuses('out of range', json.decode, '-1' .. ('0'):rep(400))\n");
}

static void Decode_Strings(void **state)
{
    heap_run(state_of(state),
        "reads([[\"\\u0041\\u00e9\\u20AC\\ud83d\\uDE00\"]], 'A\\u{e9}\\u{20ac}\\u{1f600}')\n"
        "reads([[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000x\"]], '\"\\\\/\\b\\f\\n\\r\\t\\0x')\n"
        "reads([[{\"\\u0061\\n\":1}]], {['a\\n'] = 1})\n"
        "reads([[\"\\\\ud800\"]], '\\\\ud800')\n"
        "for _, s in ipairs{[[\"\\ud800\"]], [[\"\\udc00\"]], [[\"\\ud800x\"]],\n"
        "    [[\"\\ud800\\n\"]], [[\"\\ud800\\u0041\"]], [[\"\\ud800\\ud800\"]],\n"
        "    [[\"\\udc00\\ud800\"]], [[\"\\uDBFF\\\"]]} do\n"
        "  refuses('half a surrogate pair at byte 2', json.decode, s)\n"
        "end\n");
}

static void Decode_Tables(void **state)
{
    heap_run(state_of(state),
        "reads('[]', json.array()) reads('{}', {})\n"
        "reads('{\"a\":[1,{\"b\":null}],\"\":[]}',\n"
        "      {a = json.array{1, {b = json.null}}, [''] = json.array()})\n"
        "reads('{\"a\":1,\"b\":2,\"a\":3}', {a = 3, b = 2})\n"
        "reads(' [ 1 , 2 ] ', json.array{1, 2})\n"
        "for _, s in ipairs{'[]', '{}', '[[],{}]', '{\"a\":[]}', '[null,null]'} do\n"
        "  expect(s, json.decode(s))\n"
        "end\n");
}

/* An element of three bytes is a table and its place in the list, with no room of its own. */
static void Decode_EmptyTables_TakeNoRoom(void **state)
{
    heap_run(state_of(state),
        "local function taken(n, make)\n"
        "  collectgarbage() collectgarbage('stop')\n"
        "  local before = collectgarbage('count')\n"
        "  local all = make(n)\n"
        "  local after = collectgarbage('count')\n"
        "  collectgarbage('restart')\n"
        "  return (after - before) * 1024 / n, all\n"
        "end\n"
        "local function plain(n) local t = {} for i = 1, n do t[i] = {} end return t end\n"
        "local least = taken(16384, plain)\n"
        "for _, element in ipairs{'{},', '[],', '{ } ,', '[ ],'} do\n"
        "  local text = '[' .. element:rep(16383) .. '0]'\n"
        "  assert(taken(16384, function() return json.decode(text) end) < 1.1 * least, element)\n"
        "end\n");
}

/* Whoever bounds how long Lua runs is asked now and then, but not for a short document. */
static void Decode_LetsAHookRun(void **state)
{
    heap_run(state_of(state),
        "local function looks(text)\n"
        "  local count = 0\n"
        "  debug.sethook(function()\n"
        "    if debug.getinfo(2, 'S').source == '=json.decode' then count = count + 1 end\n"
        "  end, '', 1)\n"
        "  json.decode(text)\n"
        "  debug.sethook()\n"
        "  return count\n"
        "end\n"
        "assert(looks('[' .. ('1,'):rep(1000) .. '1]') == 0)\n"
        "for _, element in ipairs{'1,', '{},', '[],', '\"\",', 'null,', '{\"a\":true},'} do\n"
        "  local few = looks('[' .. element:rep(10000) .. '1]')\n"
        "  local many = looks('[' .. element:rep(100000) .. '1]')\n"
        "  assert(few > 0 and many >= 9 * few, element)\n"
        "end\n"
        "debug.sethook(function() if debug.getinfo(2, 'S').source == '=json.decode' then\n"
        "  error('enough') end end, '', 1)\n"
        "local ok, message = pcall(json.decode, '[' .. ('{},'):rep(100000) .. '1]')\n"
        "debug.sethook()\n"
        "assert(not ok and message:find('enough'))\n"
        "reads('[{\"a\":[]}]', json.array{{a = json.array()}})\n");
}

static void Decode_RefusesDepth(void **state)
{
    heap_run(state_of(state),
        "local deep = ('['):rep(100) .. (']'):rep(100)\n"
        "expect(deep, json.decode(deep))\n"
        "refuses('more than 100 levels at byte 101', json.decode, '[' .. deep .. ']')\n"
        "refuses('more than 100 levels', json.decode, ('{\"a\":'):rep(101))\n"
        "refuses('more than 100 levels', json.decode, ('['):rep(100000))\n");
}

static void Decode_RefusesMalformed(void **state)
{
    heap_run(state_of(state),
        "local bad = {'', ' ', '[', ']', '{', '}', '[1', '[1,', '[1,]', '[,1]', '[1,,2]', '[1 "
        "2]',\n"
        "  '{\"a\"', '{\"a\":', '{\"a\":1', '{\"a\":1,', '{\"a\":1,}', '{\"a\" 1}', '{\"a\",1}',\n"
        "  '{a:1}', '{1:1}', '{null:1}', '{\"a\":1 \"b\":2}', '{,}', '[}', '{]', '1 2', '[1]]', "
        "'{}}',\n"
        "  'tru', 'truex', 'True', 'nul', 'nulll', 'NaN', 'Infinity', '-Infinity', '-', '+1', "
        "'.5',\n"
        "  '1.', '1.e1', '1e', '1e+', '01', '-01', '0x10', '1_000', '[1x]', '\"', '\"a', "
        "'\"a\\\\',\n"
        "  '\"\\\\x\"', '\"\\\\u12g4\"', '\"\\\\u12', '\"\\n\"', '\"\\0\"', '\\0', '1\\0', "
        "'[\\0]', \"'a'\",\n"
        "  '//x\\n1', '/**/1', '1//', '#1', '\\xef\\xbb\\xbf1', '\\v1', '[1]\\f', '\\xa01', "
        "'\\\\u0031',\n"
        "  '[\"a\\tb\"]', '\\\"', ',', ':', '[\"\":1]', '[1:2]', '\"a\"\"b\"',\n"
        "  '1\"', '-1.5\"x', '[]\"]', '{} \"a', '\"a\"\"', '1 tru', '1 -', '1 \"\\\\', "
        "'\"\\xe2\\x82'}\n"
        "for _, s in ipairs(bad) do\n"
        "  local ok, m = pcall(json.decode, s)\n"
        "  if ok then error('taken: ' .. s) end\n"
        "  local at = m:match('^json.decode: .+[^.] at byte (%d+)$')\n"
        "  assert(at and tonumber(at) <= #s, m)\n"
        "end\n"
        "refuses('trailing garbage at byte 3', json.decode, '1 x')\n"
        "refuses('json.decode: premature EOF at byte 0', json.decode, '')\n"
        "refuses('premature EOF at byte 7', json.decode, '{\"a\":[1')\n"
        "refuses('not UTF-8 at byte 4', json.decode, '[\"a\\xff\"]')\n"
        "refuses('control character at byte 4', json.decode, '[1]\\f')\n");
}

static void Decode_TruncatedAnywhere(void **state)
{
    heap_run(state_of(state),
        "local s = "
        "[[{\"a\":[1,-2.5e3,true,null,\"x\\u00e9\\ud83d\\ude00\"],\"\u00e9\":{\"b\":false}}]]\n"
        "json.decode(s)\n"
        "for i = 0, #s - 1 do refuses('at byte', json.decode, s:sub(1, i)) end\n");
}

/* Any byte changed: refused, or read as something that can be written and read again. */
static void Decode_Damaged(void **state)
{
    heap_run(state_of(state),
        "math.randomseed(5)\n"
        "local s = "
        "[[{\"a\":[1,-2.5e3,true,null,\"x\\u00e9\\ud83d\\ude00\"],\"\u00e9\":{\"b\":[{}]}}]]\n"
        "local odd = '\"\\\\{}[],:0123456789eE+-.u\\0\\xff\\xc3 tfn'\n"
        "for _ = 1, 20000 do\n"
        "  local t = s\n"
        "  for _ = 1, math.random(3) do\n"
        "    local i, k = math.random(#t), math.random(#odd)\n"
        "    t = t:sub(1, i - math.random(0, 1)) .. odd:sub(k, k) .. t:sub(i + math.random(0, 2))\n"
        "  end\n"
        "  local ok, v = pcall(json.decode, t)\n"
        "  if ok then assert(same(v, json.decode(json.encode(v))), t) end\n"
        "end\n");
}

static void Random_RoundTrips(void **state)
{
    heap_run(state_of(state),
        "math.randomseed(7)\n"
        "local function float()\n"
        "  local v = ('d'):unpack(('i8'):pack(math.random(0)))\n"
        "  return v - v == 0 and v or 0.5\n"
        "end\n"
        "local function text()\n"
        "  local t = {}\n"
        "  for i = 1, math.random(0, 8) do\n"
        "    local c = math.random(0, ({0x7f, 0x7ff, 0xd7ff, 0x10ffff})[math.random(4)])\n"
        "    t[i] = utf8.char(c >= 0xd800 and c < 0xe000 and 65 or c)\n"
        "  end\n"
        "  return table.concat(t)\n"
        "end\n"
        "local function value(depth)\n"
        "  local kind = math.random(depth > 0 and 8 or 6)\n"
        "  if kind == 1 then return json.null end\n"
        "  if kind == 2 then return math.random(2) == 1 end\n"
        "  if kind == 3 then return math.random(0) >> math.random(0, 63) end\n"
        "  if kind == 4 then return math.random(0) end\n"
        "  if kind == 5 then return float() end\n"
        "  if kind == 6 then return text() end\n"
        "  local t = kind == 7 and json.array() or {}\n"
        "  for i = 1, math.random(0, 6) do t[kind == 7 and i or text()] = value(depth - 1) end\n"
        "  return t\n"
        "end\n"
        "for _ = 1, 5000 do\n"
        "  local v = value(4)\n"
        "  local s = json.encode(v)\n"
        "  if not same(v, json.decode(s)) then error(s) end\n"
        "end\n");
}

static void Array_Marks(void **state)
{
    heap_run(state_of(state), "local t = {} assert(json.array(t) == t) expect('[]', t)\n"
                              "assert(json.array(t) == t) expect('[]', json.array(nil))\n"
                              "refuses('table expected', json.array, 3)\n"
                              "refuses('metatable already', json.array, setmetatable({}, {}))\n"
                              "expect('{}', setmetatable(json.array(), nil))\n");
}

static void Coroutines_ShareTheModule(void **state)
{
    heap_run(state_of(state),
        "for _ = 1, 100 do\n"
        "  local co = coroutine.wrap(function(s)\n"
        "    while true do s = coroutine.yield(json.encode(json.decode(s))) end\n"
        "  end)\n"
        "  assert(co('[1]') == '[1]')\n"
        "  co = nil collectgarbage()\n"
        "  expect('[2]', json.decode('[2]'))\n"
        "end\n");
}

/* Finalizers run in the midst of a decode; they may use the module too, while the state closes
 * also.
 */
static void Finalizers_MayUseTheModule(void **state)
{
    heap_run(state_of(state),
        "local count = 0\n"
        "local meta meta = {__gc = function(self)\n"
        "  count = count + 1\n"
        "  assert(json.encode(json.decode('[\"\\\\u0041\",{\"a\":1}]')) == '[\"A\",{\"a\":1}]')\n"
        "  pcall(json.decode, '[[1') pcall(json.encode, {{print}})\n"
        "  if self.again then setmetatable({again = true}, meta) end\n"
        "end}\n"
        "setmetatable({again = true}, meta)\n"
        "collectgarbage('setpause', 0) collectgarbage('setstepmul', 1000)\n"
        "local s = '[' .. ('{\"k\\\\u0041\":[1,2,\"\\\\u00e9\"]},'):rep(200) .. '0]'\n"
        "for _ = 1, 50 do\n"
        "  local t = json.decode(s)\n"
        "  assert(#t == 201 and t[200].kA[3] == '\\u{e9}')\n"
        "  assert(#json.encode(t) == 201 * 22 - 22 + 3 - 200 * 4, #json.encode(t))\n"
        "end\n"
        "assert(count > 10, count)\n"
        "late = setmetatable({}, {__gc = function()\n"
        "  pcall(json.decode, '[1,[\"\\\\u0041\"') pcall(json.decode, '[1]') pcall(json.encode, "
        "{1})\n"
        "end})\n");
}

/* Loads the module in a new state and does a bit of everything. */
static const char everything[] =
    "local t = "
    "json.decode([=[{\"a\":[1,2.5,\"x\\u00e9\",null,{}],\"b\":{\"c\":\"d\"},\"e\":[[[]]]}]=])\n"
    "assert(#json.encode(t) > 40)\n"
    "assert(json.encode(('x'):rep(5000)) == '\"' .. ('x'):rep(5000) .. '\"')\n"
    "assert(json.decode('[1' .. (' '):rep(70) .. ',' .. ('3'):rep(70) .. ']')[2] > 1)\n"
    "assert(json.decode('12') == 12)\n"
    "local ok, m = pcall(json.decode, '[tru')\n"
    "assert(m:find('json.decode') or m:find('memory'), m)\n"
    "ok, m = pcall(json.encode, {a = {[('long'):rep(300)] = {print}}})\n"
    "assert(m:find('json.encode') or m:find('memory'), m)\n"
    "return json.encode(json.array(t.a))\n";

static int l_everything(lua_State *L)
{
    luaL_requiref(L, "moontrail.json", luaopen_moontrail_json, 0);
    lua_setglobal(L, "json");
    if (luaL_loadstring(L, everything) != LUA_OK)
        return lua_error(L);
    lua_call(L, 0, 1);
    return 1;
}

static const struct heap_trial trial = {l_everything, "[1,2.5,\"x\xc3\xa9\",null,{}]"};

static void NoMemory_InLua(void **state)
{
    (void)state;
    heap_fail_each(&trial, 50);
}

static void NoMemory_InYajl(void **state)
{
    (void)state;
    heap_fail_each_of_pool(&trial, 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(Encode_Scalars),
        TEST(Encode_Floats_RoundTripAsFloats),
        TEST(Encode_Floats_WithoutRegardToLocale),
        TEST(Encode_Strings),
        TEST(Encode_Tables),
        TEST(Encode_RefusesOddTables),
        TEST(Encode_RefusesOtherTypes),
        TEST(Encode_RefusesCyclesAndDepth),
        TEST(Encode_BoundsTheDocument),
        TEST(Encode_GivesALargeBufferBack),
        TEST(Encode_FromC),
        cmocka_unit_test(Encode_FromC_WithoutTheModule),
        TEST(Decode_Scalars),
        TEST(Decode_Numbers),
        TEST(Decode_Strings),
        TEST(Decode_Tables),
        TEST(Decode_EmptyTables_TakeNoRoom),
        TEST(Decode_LetsAHookRun),
        TEST(Decode_RefusesDepth),
        TEST(Decode_RefusesMalformed),
        TEST(Decode_TruncatedAnywhere),
        TEST(Decode_Damaged),
        TEST(Random_RoundTrips),
        TEST(Array_Marks),
        TEST(Coroutines_ShareTheModule),
        TEST(Finalizers_MayUseTheModule),
        cmocka_unit_test(NoMemory_InLua),
        cmocka_unit_test(NoMemory_InYajl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The module moontrail.zlib, from Lua: what it gives and takes back, its bounds, and want of
 * memory. The other side is zlib itself, called with no code of ours between. */
#include "lua/modules/zlib/zlib.h"
#include "lua/runtime/error_value.h"

#include "tests/unit/check.h"
#include "tests/unit/heap.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* their_deflate(data, bits) */
static int l_their_deflate(lua_State *L)
{
    size_t n;
    const char *data = luaL_checklstring(L, 1, &n);
    z_stream z = {.next_in = (unsigned char *)data, .avail_in = (unsigned)n};
    deflateInit2(&z, 9, Z_DEFLATED, (int)luaL_checkinteger(L, 2), 8, Z_DEFAULT_STRATEGY);
    size_t room = n + 1000;
    unsigned char *out = malloc(room);
    z.next_out = out;
    z.avail_out = (unsigned)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    lua_pushlstring(L, (char *)out, room - z.avail_out);
    deflateEnd(&z);
    free(out);
    return 1;
}

/* their_inflate(data, bits, room): what is there so far, and whether it is all */
static int l_their_inflate(lua_State *L)
{
    size_t n, room = (size_t)luaL_checkinteger(L, 3) + 1;
    const char *data = luaL_checklstring(L, 1, &n);
    z_stream z = {.next_in = (unsigned char *)data, .avail_in = (unsigned)n};
    inflateInit2(&z, (int)luaL_checkinteger(L, 2));
    unsigned char *out = malloc(room);
    z.next_out = out;
    z.avail_out = (unsigned)room;
    int code = inflate(&z, Z_SYNC_FLUSH);
    lua_pushlstring(L, (char *)out, room - z.avail_out);
    lua_pushboolean(L, code == Z_STREAM_END && z.avail_in == 0);
    inflateEnd(&z);
    free(out);
    return 2;
}

/* live(): the bytes of the pool that are in use */
static int l_live(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)mem_stats()->bytes);
    return 1;
}

/* What the Lua snippets share; the module is the global zlib. */
static const char prelude[] =
    "bits = {gzip = 31, zlib = 15, raw = -15}\n"
    "function refuses(text, f, ...)\n"
    "  local ok, message = pcall(f, ...)\n"
    "  if ok then error('not refused: ' .. text, 2) end\n"
    "  if not tostring(message):find(text, 1, true) then\n"
    "    error(('got «%s», not «%s»'):format(message, text), 2)\n"
    "  end\n"
    "end\n"
    "function noise(n)\n"
    "  local t = {}\n"
    "  for i = 1, n do t[i] = string.char(math.random(0, 255)) end\n"
    "  return table.concat(t)\n"
    "end\n"
    "math.randomseed(3)\n"
    "texts = {'', 'x', 'hello hello hello', ('moon'):rep(50000), noise(70000)}\n";

/* Runs a snippet in a state of its own. */
static void run_alone(const char *code)
{
    struct heap heap = {0};
    lua_State *L = heap_open(&heap);
    error_value_open(L);
    luaL_requiref(L, "moontrail.zlib", luaopen_moontrail_zlib, 0);
    lua_setglobal(L, "zlib");
    lua_register(L, "their_deflate", l_their_deflate);
    lua_register(L, "their_inflate", l_their_inflate);
    lua_register(L, "live", l_live);
    heap_run(L, prelude);
    heap_run(L, code);
    lua_close(L);
    assert_int_equal(heap.bytes, 0);
}

static void Compress_ReadByZlib(void **state)
{
    (void)state;
    run_alone("for _, text in ipairs(texts) do\n"
              "  for format, b in pairs(bits) do\n"
              "    for _, level in ipairs {0, 1, 6, 9} do\n"
              "      local c = zlib.compress(text, {format = format, level = level})\n"
              "      local got, all = their_inflate(c, b, #text)\n"
              "      assert(all and got == text, format)\n"
              "    end\n"
              "  end\n"
              "end\n"
              "assert(zlib.compress('x') == zlib.compress('x', {format = 'gzip'}))\n"
              "assert(#zlib.compress(texts[4], {level = 9}) < 1000)\n"
              "assert(#zlib.compress(texts[4], {level = 0}) > 200000)\n"
              "assert(their_inflate(zlib.compress(12), 31, 2) == '12')\n");
}

static void Decompress_WrittenByZlib(void **state)
{
    (void)state;
    run_alone("for _, text in ipairs(texts) do\n"
              "  for format, b in pairs(bits) do\n"
              "    local c = their_deflate(text, b)\n"
              "    assert(zlib.decompress(c, {format = format}) == text, format)\n"
              "    if format ~= 'raw' then\n"
              "      assert(zlib.decompress(c) == text)\n"
              "      assert(zlib.decompress(c, {format = 'auto'}) == text)\n"
              "    end\n"
              "  end\n"
              "end\n");
}

static void Decompress_WrittenByGzip(void **state)
{
    (void)state;
    run_alone("local hex = '1f8b0808cfe8036b0203666f726d5f68656c6c6f2e74'\n"
              "  .. '787400cb48cdc9c957c840905c003b7c8adf12000000'\n"
              "local c = hex:gsub('..', function(x) return string.char(tonumber(x, 16)) end)\n"
              "assert(zlib.decompress(c) == 'hello hello hello\\n')\n");
}

static void Streams_ByteByByte(void **state)
{
    (void)state;
    run_alone("for _, text in ipairs {'', 'x', ('hello '):rep(300), noise(3000)} do\n"
              "  for format in pairs(bits) do\n"
              "    local d, out = zlib.deflate {format = format}, {}\n"
              "    for i = 1, #text do out[#out + 1] = d:write(text:sub(i, i)) end\n"
              "    local c = table.concat(out) .. d:finish()\n"
              "    assert(c == zlib.compress(text, {format = format}))\n"
              "    for _, f in ipairs {format, format ~= 'raw' and 'auto' or nil} do\n"
              "      local s, back = zlib.inflate {format = f}, {}\n"
              "      for i = 1, #c do back[#back + 1] = s:write(c:sub(i, i)) end\n"
              "      back[#back + 1] = s:finish()\n"
              "      assert(table.concat(back) == text)\n"
              "    end\n"
              "  end\n"
              "end\n");
}

static void Streams_LastPieceWithFinish(void **state)
{
    (void)state;
    run_alone("local d = zlib.deflate()\n"
              "local c = d:write('one ') .. d:finish('two')\n"
              "local s = zlib.inflate()\n"
              "assert(s:write('') .. s:finish(c) == 'one two')\n"
              "s = zlib.inflate() assert(s:write(c) .. s:finish(nil) == 'one two')\n");
}

static void Flush_GivesAllThatWasWritten(void **state)
{
    (void)state;
    run_alone("for format, b in pairs(bits) do\n"
              "  local d, s = zlib.deflate {format = format}, zlib.inflate {format = format}\n"
              "  local c = ''\n"
              "  for i = 1, 50 do\n"
              "    local piece = noise(i * 97)\n"
              "    local z = d:write(piece) .. d:flush()\n"
              "    assert(s:write(z) == piece)\n"
              "    c = c .. z\n"
              "  end\n"
              "  assert(d:flush() == '')\n"
              "  local _, all = their_inflate(c, b, 1000000) assert(not all)\n"
              "  c = c .. d:finish()\n"
              "  _, all = their_inflate(c, b, 1000000) assert(all)\n"
              "end\n"
              "assert(not pcall(function() zlib.inflate():flush() end))\n");
}

static void Decompress_GzipMembers(void **state)
{
    (void)state;
    run_alone("local a, b = zlib.compress('one '), zlib.compress('two')\n"
              "assert(zlib.decompress(a .. b) == 'one two')\n"
              "assert(zlib.decompress(a .. b .. a, {format = 'gzip'}) == 'one twoone ')\n"
              "local s = zlib.inflate()\n"
              "local out = s:write(a)\n"
              "for i = 1, #b do out = out .. s:write(b:sub(i, i)) end\n"
              "assert(out .. s:finish() == 'one two')\n"
              "refuses('incorrect header check', zlib.decompress, a .. 'x' .. b)\n"
              "refuses('cut short', zlib.decompress, a .. b:sub(1, -2))\n"
              "refuses('cut short', zlib.decompress, a .. b:sub(1, 1))\n"
              "local other = zlib.compress('x', {format = 'zlib'})\n"
              "refuses('incorrect header check', zlib.decompress, a .. other)\n"
              "refuses('zlib: data behind the end', zlib.decompress, other .. a)\n"
              "local raw = zlib.compress('x', {format = 'raw'})\n"
              "refuses('data behind the end', zlib.decompress, raw .. 'y', {format = 'raw'})\n"
              "s = zlib.inflate {format = 'raw'} s:write(raw)\n"
              "refuses('data behind the end', s.write, s, 'y')\n"
              "refuses('the stream has failed', s.write, s, 'y')\n");
}

static void Limit_BoundsTheWhole(void **state)
{
    (void)state;
    run_alone("for _, format in ipairs {'gzip', 'zlib', 'raw'} do\n"
              "  for _, n in ipairs {0, 1, 100, 4095, 4096, 4097, 100000} do\n"
              "    local text = noise(n)\n"
              "    local c = zlib.compress(text, {format = format})\n"
              "    assert(zlib.decompress(c, {format = format, limit = n}) == text)\n"
              "    assert(zlib.decompress(c, {format = format, limit = n + 1}) == text)\n"
              "    if n > 0 then\n"
              "      refuses('zlib: more than ' .. n - 1 .. ' bytes', zlib.decompress, c,\n"
              "        {format = format, limit = n - 1})\n"
              "    end\n"
              "    local s, got = zlib.inflate {format = format, limit = n}, ''\n"
              "    for i = 1, #c, 7 do got = got .. s:write(c:sub(i, i + 6)) end\n"
              "    assert(got .. s:finish() == text)\n"
              "  end\n"
              "end\n"
              "local a = zlib.compress(('x'):rep(60))\n"
              "refuses('more than 119 bytes', zlib.decompress, a .. a, {limit = 119})\n"
              "assert(#zlib.decompress(a .. a, {limit = 120}) == 120)\n"
              "assert(#zlib.decompress(a, {limit = math.maxinteger}) == 60)\n");
}

static void Limit_OfABomb_HoldsNoMore(void **state)
{
    (void)state;
    run_alone("local bomb = zlib.compress(('\\0'):rep(40000000))\n"
              "local before = live()\n"
              "refuses('zlib: more than 16777216 bytes', zlib.decompress, bomb)\n"
              "assert(live() == before)\n"
              "local s = zlib.inflate {limit = 10000}\n"
              "refuses('more than 10000 bytes', s.write, s, bomb)\n"
              "assert(live() == before)\n"
              "refuses('the stream has failed', s.finish, s)\n");
}

static void Inflate_CutShortAnywhere(void **state)
{
    (void)state;
    run_alone("for format in pairs(bits) do\n"
              "  local c = zlib.compress(('hello '):rep(20) .. noise(50), {format = format})\n"
              "  for i = 0, #c - 1 do\n"
              "    refuses('zlib: the data is cut short', zlib.decompress, c:sub(1, i),\n"
              "      {format = format})\n"
              "    local s = zlib.inflate {format = format}\n"
              "    s:write(c:sub(1, i))\n"
              "    refuses('the data is cut short', s.finish, s)\n"
              "  end\n"
              "end\n"
              "refuses('cut short', zlib.decompress, '')\n");
}

static void Inflate_Corrupt(void **state)
{
    (void)state;
    run_alone("refuses('zlib: incorrect header check', zlib.decompress, 'hello')\n"
              "refuses('incorrect header check', zlib.decompress, 'hello', {format = 'gzip'})\n"
              "refuses('incorrect header check', zlib.decompress, zlib.compress('x'),\n"
              "  {format = 'zlib'})\n"
              "refuses('invalid block type', zlib.decompress, '\\7', {format = 'raw'})\n"
              "refuses('needs a dictionary', zlib.decompress, '\\x78\\xbb\\0\\0\\0\\1x')\n"
              "local c = zlib.compress('hello')\n"
              "local function flip(i)\n"
              "  return c:sub(1, i - 1) .. string.char(c:byte(i) ~ 1) .. c:sub(i + 1)\n"
              "end\n"
              "refuses('incorrect data check', zlib.decompress, flip(#c - 4))\n"
              "refuses('incorrect length check', zlib.decompress, flip(#c))\n");
}

/* Any bytes changed: refused, or read as something within its bound. */
static void Inflate_Damaged(void **state)
{
    (void)state;
    run_alone("local text = ('hello moon '):rep(30) .. noise(200)\n"
              "for format in pairs(bits) do\n"
              "  local c = zlib.compress(text, {format = format})\n"
              "  for _ = 1, 3000 do\n"
              "    local i, k = math.random(#c), math.random(#c)\n"
              "    local bad = c:sub(1, i) .. noise(math.random(0, 3)) .. c:sub(k)\n"
              "    local ok, got = pcall(zlib.decompress, bad, {format = format, limit = 2000})\n"
              "    assert(ok and #got <= 2000 or got:find('zlib: ', 1, true), got)\n"
              "  end\n"
              "end\n");
}

static void Streams_AfterTheirEnd(void **state)
{
    (void)state;
    run_alone("local c = zlib.compress('x')\n"
              "local d, s = zlib.deflate(), zlib.inflate()\n"
              "d:finish() s:finish(c)\n"
              "for _, z in ipairs {d, s} do\n"
              "  refuses('zlib: the stream has ended', z.write, z, 'x')\n"
              "  refuses('zlib: the stream has ended', z.finish, z)\n"
              "  z:close() z:close()\n"
              "  refuses('zlib: the stream is closed', z.write, z, 'x')\n"
              "end\n"
              "refuses('the stream has ended', d.flush, (function()\n"
              "  local z = zlib.deflate() z:finish() return z end)())\n"
              "local kept\n"
              "do local z <close> = zlib.deflate() kept = z z:write('x') end\n"
              "refuses('the stream is closed', kept.finish, kept)\n");
}

static void Streams_GiveMemoryBack(void **state)
{
    (void)state;
    run_alone("local before = live()\n"
              "local d, s = zlib.deflate(), zlib.inflate()\n"
              "assert(live() > before + 200000)\n"
              "s:finish(d:finish('x'))\n"
              "assert(live() == before)\n"
              "d, s = zlib.deflate(), zlib.inflate() d:write('x')\n"
              "d, s = nil, nil collectgarbage() collectgarbage()\n"
              "assert(live() == before)\n"
              "local s = zlib.inflate() refuses('header check', s.write, s, 'bad')\n"
              "assert(live() == before)\n");
}

/* The collector knows little of what an abandoned stream holds: it has to be told. */
static void Streams_Abandoned_AreCollected(void **state)
{
    (void)state;
    run_alone("local most = 0\n"
              "for i = 1, 2000 do\n"
              "  zlib.deflate():write('x')\n"
              "  most = math.max(most, live())\n"
              "end\n"
              "assert(most < 20000000, most)\n"
              "collectgarbage('stop') zlib.deflate()\n"
              "assert(not collectgarbage('isrunning'))\n");
}

static void Arguments_Refused(void **state)
{
    (void)state;
    run_alone("for _, f in ipairs {zlib.deflate, zlib.inflate} do\n"
              "  refuses('table expected', f, 'gzip')\n"
              "  refuses('zlib: there is no option size', f, {size = 1})\n"
              "  refuses('zlib: there is no option number', f, {'gzip'})\n"
              "  refuses('format is \"gzip\", \"zlib\"', f, {format = 'deflate'})\n"
              "  refuses('format is \"gzip\", \"zlib\"', f, {format = 1})\n"
              "end\n"
              "refuses('\"zlib\" or \"raw\"', zlib.deflate, {format = 'auto'})\n"
              "refuses('no option limit', zlib.deflate, {limit = 1})\n"
              "refuses('no option level', zlib.inflate, {level = 1})\n"
              "for _, level in ipairs {-1, 10, 1.5, 'x', true} do\n"
              "  refuses('level is an integer from 0 to 9', zlib.deflate, {level = level})\n"
              "end\n"
              "for _, limit in ipairs {-1, 1.5, 'x', 1e300} do\n"
              "  refuses('limit is a whole number', zlib.inflate, {limit = limit})\n"
              "end\n"
              "refuses('string expected', zlib.compress) refuses('string expected', "
              "zlib.decompress, {})\n"
              "local d = zlib.deflate()\n"
              "refuses('string expected', d.write, d) refuses('string expected', d.finish, d, {})\n"
              "refuses('expected', d.write, {}, 'x') refuses('expected', d.write, io.stdout, 'x')\n"
              "zlib.deflate(nil) zlib.inflate(nil) zlib.compress('', nil)\n");
}

static void Finalizers_MayUseTheModule(void **state)
{
    (void)state;
    run_alone("local shared, count, blob = zlib.deflate(), 0, noise(9000)\n"
              "local meta meta = {__gc = function()\n"
              "  count = count + 1\n"
              "  pcall(shared.write, shared, blob)\n"
              "  if count % 3 == 0 then shared:close() end\n"
              "  setmetatable({}, meta)\n"
              "end}\n"
              "setmetatable({}, meta)\n"
              "collectgarbage('setpause', 0) collectgarbage('setstepmul', 1000)\n"
              "for _ = 1, 300 do\n"
              "  shared = zlib.deflate()\n"
              "  pcall(function() shared:write(blob) shared:flush() shared:finish() end)\n"
              "end\n"
              "assert(count > 10, count)\n"
              "setmetatable(meta, nil) meta.__gc = nil\n");
}

/* Loads the module in a new state and does a bit of everything. */
static const char everything[] =
    "local text = ('hello moon '):rep(2000)\n"
    "for _, format in ipairs {'gzip', 'zlib', 'raw'} do\n"
    "  local d = zlib.deflate {format = format, level = 1}\n"
    "  local c = d:write(text) .. d:flush() .. d:finish('end')\n"
    "  local s <close> = zlib.inflate {format = format, limit = 30000}\n"
    "  assert(s:write(c:sub(1, 20)) .. s:write(c:sub(21)) .. s:finish() == text .. 'end')\n"
    "end\n"
    "local ok, m = pcall(zlib.decompress, 'bad')\n"
    "assert(m:find('header check') or m:find('memory'), m)\n"
    "ok, m = pcall(zlib.decompress, zlib.compress(text), {limit = 5000})\n"
    "assert(m:find('more than 5000 bytes') or m:find('memory'), m)\n"
    "return zlib.decompress(zlib.compress('done'))\n";

static int l_everything(lua_State *L)
{
    error_value_open(L);
    luaL_requiref(L, "moontrail.zlib", luaopen_moontrail_zlib, 0);
    lua_setglobal(L, "zlib");
    if (luaL_loadstring(L, everything) != LUA_OK)
        return lua_error(L);
    lua_call(L, 0, 1);
    return 1;
}

static const struct heap_trial trial = {l_everything, "done"};

static void NoMemory_InLua(void **state)
{
    (void)state;
    heap_fail_each(&trial, 30);
}

static void NoMemory_InZlib(void **state)
{
    (void)state;
    heap_fail_each_of_pool(&trial, 120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Compress_ReadByZlib),
        checked(Decompress_WrittenByZlib),
        checked(Decompress_WrittenByGzip),
        checked(Streams_ByteByByte),
        checked(Streams_LastPieceWithFinish),
        checked(Flush_GivesAllThatWasWritten),
        checked(Decompress_GzipMembers),
        checked(Limit_BoundsTheWhole),
        checked(Limit_OfABomb_HoldsNoMore),
        checked(Inflate_CutShortAnywhere),
        checked(Inflate_Corrupt),
        checked(Inflate_Damaged),
        checked(Streams_AfterTheirEnd),
        checked(Streams_GiveMemoryBack),
        checked(Streams_Abandoned_AreCollected),
        checked(Arguments_Refused),
        checked(Finalizers_MayUseTheModule),
        checked(NoMemory_InLua),
        checked(NoMemory_InZlib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

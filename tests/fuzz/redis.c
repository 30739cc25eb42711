/*
 * libFuzzer: what a Redis server may send. The reader is to give the same replies, and to refuse
 * the same, however the bytes are cut; and neither time nor memory may be more than in proportion.
 * What it reads as an array of strings is written as a command, and is to read as the same.
 *
 * The first byte says how the bytes are cut, and whether a list of replies is expected.
 */
#include "lua/modules/redis/redis.h"

#include "core/str.h"
#include "lua/runtime/error_value.h"
#include "support/cost.h"
#include "support/support.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

enum {
    MEMORY = 64 << 20, /* of a state, at the most */
    EACH_BLOCK = 20,   /* steps */
    FIXED = 30000,
    EACH = 200,
    EACH_BYTES = 64, /* of memory, for each byte that has come */
    FIXED_BYTES = 100000,
};

static size_t taken; /* by the state */

/* Lua's work is seen by what it asks for. */
static void *allocate(void *data, void *block, size_t old, size_t size)
{
    (void)data;
    if (!block)
        old = 0;
    cost_add(EACH_BLOCK + size / 16);
    if (size > old && taken + (size - old) > MEMORY)
        return NULL;
    void *moved = NULL;
    if (size == 0)
        free(block);
    else if (!(moved = realloc(block, size)))
        return NULL;
    taken += size - old;
    return moved;
}

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Runs through all replies of a text, in pieces of so many bytes; a digest of them, and of how it
 * ended. Strings of an array go back through command. */
static const char program[] =
    "local wire, text, step, expected = ...\n"
    "local function show(v, out)\n"
    "  if type(v) ~= 'table' then out[#out + 1] = math.type(v) or type(v) out[#out + 1] = "
    "tostring(v)\n"
    "  elseif v.kind then out[#out + 1] = v.kind .. v.code .. v.message\n"
    "  else\n"
    "    out[#out + 1] = '['\n"
    "    for i = 1, #v do show(v[i], out) end\n"
    "    out[#out + 1] = ']'\n"
    "  end\n"
    "end\n"
    "local function again(v)\n"
    "  if type(v) ~= 'table' or v.kind or #v == 0 then return end\n"
    "  for i = 1, #v do if type(v[i]) ~= 'string' then return end end\n"
    "  local left, same = wire.reader():next(wire.command(table.unpack(v, 1, math.min(#v, 200))))\n"
    "  assert(left == 0)\n"
    "  for i = 1, math.min(#v, 200) do assert(same[i] == v[i]) end\n"
    "end\n"
    "local out, r = {}, wire.reader()\n"
    "local function take(left, value, failed)\n"
    "  while left do\n"
    "    show(value, out)\n"
    "    again(value)\n"
    "    out[#out + 1] = tostring(failed)\n"
    "    if left == 0 then return end\n"
    "    left, value, failed = r:next()\n"
    "  end\n"
    "end\n"
    "if expected > 0 then r:expect(expected) end\n"
    "local ok, e = pcall(function()\n"
    "  for i = 1, #text, step do take(r:next(text:sub(i, i + step - 1))) end\n"
    "end)\n"
    "if not ok then out[#out + 1] = e.kind .. e.message end\n"
    "return table.concat(out, ' ')\n";

/* Pushes what is read. */
static void read_all(lua_State *L, struct str text, size_t step, int expected)
{
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 1);
    lua_pushlstring(L, text.p, text.n);
    lua_pushinteger(L, (lua_Integer)step);
    lua_pushinteger(L, expected);
    if (lua_pcall(L, 4, 1, 0))
        abort();
}

/* Feeds all of it to a reader, as the client does, and counts. */
static void count(lua_State *L, struct str text)
{
    size_t before = taken;
    lua_gc(L, LUA_GCSTOP);
    lua_getfield(L, 1, "reader");
    lua_call(L, 0, 1);
    lua_getfield(L, -1, "next");
    lua_pushvalue(L, -2);
    lua_pushlstring(L, text.p, text.n);
    cost_begin();
    while (lua_pcall(L, 2, 1, 0) == LUA_OK && lua_tointeger(L, -1) > 0) {
        lua_pop(L, 1);
        lua_getfield(L, -1, "next");
        lua_pushvalue(L, -2);
        lua_pushnil(L);
    }
    cost_check(FIXED, EACH, text.n);
    require(taken < before + FIXED_BYTES + EACH_BYTES * text.n);
    lua_gc(L, LUA_GCRESTART);
    lua_settop(L, 2);
}

static void open(lua_State *L)
{
    static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base}, {"math", luaopen_math},
        {"string", luaopen_string}, {"table", luaopen_table}, {NULL, NULL}};
    for (const luaL_Reg *l = libraries; l->name; l++)
        luaL_requiref(L, l->name, l->func, 1);
    lua_settop(L, 0);
    error_value_open(L);
    luaL_requiref(L, "moontrail.redis.wire", luaopen_moontrail_redis_wire, 0);
    require(luaL_loadstring(L, program) == LUA_OK);
}

static void run(const uint8_t *data, size_t size)
{
    if (size < 1)
        return;
    struct str text = {(const char *)data + 1, size - 1};
    lua_State *L = lua_newstate(allocate, NULL);
    require(L != NULL);
    open(L);
    count(L, text);
    read_all(L, text, size, data[0] >> 5);
    read_all(L, text, 1 + (data[0] & 31), data[0] >> 5);
    require(lua_rawequal(L, -1, -2));
    lua_close(L);
    require(taken == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cost_repeat(run, data, size, 1);
    return 0;
}

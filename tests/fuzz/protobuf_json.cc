/*
 * libFuzzer: what a peer may send as a message in JSON. The first byte picks the type; what is read
 * of the rest is written so that it reads as the same again, whatever the options, and the work is
 * bounded by the length.
 */
#include "lua/protobuf/pace.h"
#include "lua/protobuf/schema.h"

#include <cstdlib>
#include <cstring>
#include <lua.hpp>

extern "C" int luaopen_moontrail_protobuf(lua_State *L);
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char code[] =
    "local pb = require 'moontrail.protobuf'\n"
    "local types = {}\n"
    "for file, names in pairs { ['everything.proto'] = { 'everything.Everything',\n"
    "    'everything.Scalars', 'everything.Lists', 'everything.Maps', 'everything.Choice' },\n"
    "    ['known.proto'] = { 'known.Known', 'known.Names' }, ['old.proto'] = { 'old.Old' } } do\n"
    "  local schema = pb.load(file, { 'tests/protobuf' })\n"
    "  for _, name in ipairs(names) do types[#types + 1] = schema:message(name) end\n"
    "end\n"
    "table.sort(types, function(a, b) return a.name < b.name end)\n"
    "return function(text)\n"
    "  local type = types[(text:byte() or 0) % #types + 1]\n"
    "  text = text:sub(2)\n"
    "  local ok, got = pcall(type.from_json, type, text)\n"
    "  local lax = pcall(type.from_json, type, text, { unknown = 'ignore' })\n"
    "  assert(lax or not ok)\n"
    "  if not ok then return end\n"
    "  for _, options in ipairs { {}, { names = 'proto', enums = 'number', defaults = true } } do\n"
    "    local written = type:to_json(got, options)\n"
    "    local again = type:to_json(type:from_json(written), options)\n"
    "    assert(#again == #written, again)\n"
    "  end\n"
    "  assert(#type:encode(type:decode(type:encode(got))) == #type:encode(got))\n"
    "end\n";

enum {
    STEPS = 64,       /* for a byte, and for each thing that a message may make for nothing */
    PARTS_MAX = 10000 /* of Lua's own instructions in a run */
};

static size_t looks; /* instructions of Lua: those of the code, and one for each so many steps */

static void on_count(lua_State *, lua_Debug *)
{
    looks++;
}

static lua_State *start()
{
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    luaL_requiref(L, "moontrail.protobuf", luaopen_moontrail_protobuf, 0);
    if (luaL_dostring(L, code))
        abort();
    return L;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static lua_State *L = start();
    lua_pushvalue(L, -1);
    lua_pushlstring(L, (const char *)data, size);
    looks = 0;
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
        abort();
    lua_sethook(L, nullptr, 0, 0);
    if (looks > PARTS_MAX + STEPS * (size + codec::PACE_FREE) / codec::PACE_STEPS)
        abort();
    return 0;
}

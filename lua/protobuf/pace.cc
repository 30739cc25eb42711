#include "lua/protobuf/pace.h"

namespace codec
{

static const char look_key = 0; /* in the registry: a function in Lua that does nothing */

void pace_open(lua_State *L)
{
    static const char code[] = "return function() end";
    if (luaL_loadbuffer(L, code, sizeof code - 1, "=protobuf"))
        lua_error(L);
    lua_call(L, 0, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &look_key);
}

void pace_look(pace &p)
{
    p.steps = PACE_STEPS;
    if (!(lua_gethookmask(p.L) & LUA_MASKCOUNT))
        return;
    luaL_checkstack(p.L, 2, "protobuf");
    lua_rawgetp(p.L, LUA_REGISTRYINDEX, &look_key);
    lua_call(p.L, 0, 0);
}

void pace_walk(pace &p, size_t n)
{
    for (; n > PACE_STEPS; n -= PACE_STEPS)
        pace_look(p);
    p.steps -= (int)n;
    if (p.steps < 0)
        pace_look(p);
}

void pace_fail(pace &p, const place &at)
{
    place_fail(
        p.L, at, "the message is small, but makes too much: more than %d defaults", (int)PACE_FREE);
}

} // namespace codec

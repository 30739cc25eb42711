#include "lua/modules/bundle.h"

#include <lauxlib.h>
#include <string.h>

/* The loader that require calls: compiles the module and runs it with its name. */
static int l_load(lua_State *L)
{
    const struct bundled *b = lua_touserdata(L, lua_upvalueindex(1));
    if (luaL_loadbufferx(L, b->text, strlen(b->text), b->chunk, "t"))
        return lua_error(L);
    lua_pushstring(L, b->name);
    lua_call(L, 1, 1);
    return 1;
}

void bundle_open(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    for (const struct bundled *b = bundled; b->name; b++) {
        lua_pushlightuserdata(L, (void *)b);
        lua_pushcclosure(L, l_load, 1);
        lua_setfield(L, -2, b->name);
    }
    lua_pop(L, 1);
}

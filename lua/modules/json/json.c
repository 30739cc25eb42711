#include "lua/modules/json/json.h"
#include "lua/modules/json/json_private.h"

#include <lauxlib.h>
#include <lua.h>

static char null_address;

void json_push_null(lua_State *L)
{
    lua_pushlightuserdata(L, &null_address);
}

bool json_is_null(lua_State *L, int index)
{
    return lua_touserdata(L, index) == &null_address;
}

void json_push_mark(lua_State *L)
{
    luaL_newmetatable(L, "moontrail.json.array");
}

static int l_array(lua_State *L)
{
    lua_settop(L, 1);
    if (lua_isnil(L, 1)) {
        lua_newtable(L);
        lua_replace(L, 1);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    json_push_mark(L);
    bool other = lua_getmetatable(L, 1) && !lua_rawequal(L, -1, 2);
    luaL_argcheck(L, !other, 1, "the table has a metatable already");
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

static int l_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    json_push_encoded(L, 1);
    return 1;
}

int luaopen_moontrail_json(lua_State *L)
{
    static const luaL_Reg functions[] = {{"array", l_array}, {"encode", l_encode}, {NULL, NULL}};
    luaL_newlib(L, functions);
    json_push_decode(L);
    lua_setfield(L, -2, "decode");
    json_push_null(L);
    lua_setfield(L, -2, "null");
    return 1;
}

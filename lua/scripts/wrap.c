#include "lua/scripts/wrap.h"

#include <lauxlib.h>

/* Its address is the registry's key for a table: of tables by handler, whose keys are weak. */
static const char wraps_key;

static void push_wraps(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &wraps_key) == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &wraps_key);
}

static void check_function(lua_State *L, const char *name)
{
    if (lua_getfield(L, 2, name) != LUA_TNIL && !lua_isfunction(L, -1))
        luaL_error(L, "mt.wrap: %s is a %s, not a function", name, luaL_typename(L, -1));
    lua_pop(L, 1);
}

/* wrap(handler, { outer=, failed= }) → the handler */
static int l_wrap(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    luaL_checktype(L, 2, LUA_TTABLE);
    check_function(L, "outer");
    check_function(L, "failed");
    push_wraps(L);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_rawset(L, -3);
    lua_settop(L, 1);
    return 1;
}

void wrap_open(lua_State *L)
{
    lua_pushcfunction(L, l_wrap);
    lua_setfield(L, -2, "wrap");
}

static int take(lua_State *L, const char *name)
{
    if (lua_getfield(L, -1, name) == LUA_TFUNCTION)
        return luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pop(L, 1);
    return LUA_NOREF;
}

struct script_wrap wrap_take(lua_State *L, int index)
{
    struct script_wrap w = {LUA_NOREF, LUA_NOREF};
    index = lua_absindex(L, index);
    push_wraps(L);
    lua_pushvalue(L, index);
    if (lua_rawget(L, -2) == LUA_TTABLE) {
        w.outer = take(L, "outer");
        w.failed = take(L, "failed");
    }
    lua_pop(L, 2);
    return w;
}

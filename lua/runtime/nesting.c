#include "lua/runtime/nesting.h"

#include "core/activity.h"

#include <lauxlib.h>
#include <string.h>

/* Keys of the registry: for the list of what is loading, names and files in turn, and for a value
 * that is to be closed, whose metatable removes the last pair from the list. */
static const char list_key, guard_key;

static const char *name_at(lua_State *L, int list, lua_Integer i)
{
    lua_rawgeti(L, list, 2 * i - 1);
    const char *name = lua_tostring(L, -1);
    lua_pop(L, 1);
    return name;
}

/* The __close metamethod. */
static int l_leave(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &list_key);
    lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
    for (lua_Integer i = n; i > n - 2 && i > 0; i--) {
        lua_pushnil(L);
        lua_rawseti(L, -2, i);
    }
    lua_rawgeti(L, -1, n - 2);
    activity_load(lua_tostring(L, -1));
    return 0;
}

/* Raises "a requires b, which requires a", with the names from the first on. */
static int raise_circle(
    lua_State *L, int list, lua_Integer first, lua_Integer count, const char *name)
{
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (lua_Integer i = first; i <= count; i++) {
        luaL_addstring(&b, i == first ? "" : "which ");
        if (i == first)
            luaL_addstring(&b, name_at(L, list, i));
        luaL_addstring(&b, i == first ? " requires " : "requires ");
        luaL_addstring(&b, i < count ? name_at(L, list, i + 1) : first == count ? "itself" : name);
        luaL_addstring(&b, i < count ? ", " : "");
    }
    luaL_pushresult(&b);
    return lua_error(L);
}

void nesting_open(lua_State *L)
{
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &list_key);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_leave);
    lua_setfield(L, -2, "__close");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &guard_key);
}

/* The last position of the file among those that are loading, or 0; *times is how often it is
 * there. */
static lua_Integer find(lua_State *L, int list, const char *file, int *times)
{
    lua_Integer at = 0;
    *times = 0;
    for (lua_Integer i = 2; i <= (lua_Integer)lua_rawlen(L, list); i += 2) {
        lua_rawgeti(L, list, i);
        if (strcmp(lua_tostring(L, -1), file) == 0) {
            at = i / 2;
            ++*times;
        }
        lua_pop(L, 1);
    }
    return at;
}

void nesting_enter(lua_State *L, const char *name, const char *file, int allowed)
{
    int times;
    luaL_checkstack(L, 8, NULL);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &list_key);
    int list = lua_gettop(L);
    lua_Integer at = find(L, list, file, &times), n = (lua_Integer)lua_rawlen(L, list);
    if (times > allowed)
        raise_circle(L, list, at, n / 2, name);
    lua_pushstring(L, name);
    lua_rawseti(L, list, n + 1);
    lua_pushstring(L, file);
    lua_rawseti(L, list, n + 2);
    lua_pop(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &guard_key);
    lua_toclose(L, -1);
    activity_load(file);
}

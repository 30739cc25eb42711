#include "lua/client/option_value.h"

#include <lauxlib.h>

enum { SECONDS_MAX = 100000000 }; /* three years */

int option_refuse(lua_State *L, const char *name, const char *wanted)
{
    return luaL_error(L, "%s is %s, not a %s", name, wanted, luaL_typename(L, -1));
}

struct str option_string(lua_State *L, const char *name)
{
    struct str s;
    if (lua_type(L, -1) != LUA_TSTRING)
        option_refuse(L, name, "a string");
    s.p = lua_tolstring(L, -1, &s.n);
    return s;
}

double option_seconds(lua_State *L, const char *name)
{
    lua_Number seconds = lua_tonumber(L, -1);
    if (lua_type(L, -1) != LUA_TNUMBER)
        option_refuse(L, name, "a number of seconds");
    if (!(seconds > 0 && seconds <= SECONDS_MAX))
        luaL_error(L, "%s is not above 0, or over 1e8 seconds", name);
    return seconds;
}

bool option_boolean(lua_State *L, const char *name)
{
    if (!lua_isboolean(L, -1))
        option_refuse(L, name, "true or false");
    return lua_toboolean(L, -1);
}

#include "lua/ctx/args.h"

#include "lua/runtime/error_value.h"

#include <lauxlib.h>

/* lauxlib does not count the self of a method's call. If this is a call of another form, takes the
 * self off the stack. Returns the argument's index. */
static int without_self(lua_State *L, int arg)
{
    lua_Debug call;
    if (lua_getstack(L, 0, &call) && lua_getinfo(L, "n", &call) && call.namewhat &&
        call.namewhat[0] == 'm')
        return arg;
    lua_remove(L, 1);
    return arg - 1;
}

/* A value that is neither string nor number. An error that a script has caught is accepted as its
 * text. */
static struct str convert(lua_State *L, int arg, const char *table_problem)
{
    struct str s;
    error_value_to_text(L, arg);
    s.p = lua_tolstring(L, arg, &s.n);
    if (!s.p && table_problem && lua_istable(L, arg))
        ctx_check_that(L, false, arg, table_problem);
    if (!s.p)
        s.p = luaL_checklstring(L, without_self(L, arg), &s.n);
    return s;
}

struct str ctx_check_str(lua_State *L, int arg)
{
    struct str s;
    s.p = lua_tolstring(L, arg, &s.n);
    return s.p ? s : convert(L, arg, NULL);
}

struct str ctx_check_body(lua_State *L, int arg)
{
    struct str s;
    s.p = lua_tolstring(L, arg, &s.n);
    return s.p ? s : convert(L, arg, "string expected, got table: ctx:json writes tables");
}

lua_Integer ctx_check_integer(lua_State *L, int arg)
{
    if (!lua_isinteger(L, arg)) {
        int exact;
        lua_Integer number = lua_tointegerx(L, arg, &exact);
        if (exact)
            return number;
        arg = without_self(L, arg);
    }
    return luaL_checkinteger(L, arg);
}

lua_Integer ctx_opt_integer(lua_State *L, int arg, lua_Integer otherwise)
{
    return lua_isnoneornil(L, arg) ? otherwise : ctx_check_integer(L, arg);
}

lua_Number ctx_opt_number(lua_State *L, int arg, lua_Number otherwise)
{
    if (lua_isnoneornil(L, arg))
        return otherwise;
    return luaL_checknumber(L, lua_isnumber(L, arg) ? arg : without_self(L, arg));
}

void ctx_check_type(lua_State *L, int arg, int type)
{
    if (lua_type(L, arg) != type)
        luaL_checktype(L, without_self(L, arg), type);
}

void ctx_check_that(lua_State *L, bool ok, int arg, const char *message)
{
    if (!ok)
        luaL_argerror(L, without_self(L, arg), message);
}

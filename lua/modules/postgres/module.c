/* The module "moontrail.postgres": links to PostgreSQL servers, for lua/moontrail/sql/postgres.lua,
 * which makes the engine of moontrail.sql of them. It has libpq, which the program does without. */
#include "core/clock.h"
#include "lua/modules/postgres/copy.h"
#include "lua/modules/postgres/link.h"
#include "lua/modules/postgres/opening.h"
#include "lua/modules/postgres/query.h"
#include "lua/modules/postgres/value.h"
#include "lua/runtime/seam.h"

int luaopen_moontrail_postgres(lua_State *L);

/* use(functions): what is in Lua, as value.h lists it */
static int l_use(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    value_use(L, 1);
    return 0;
}

/* now() → seconds of a clock that never goes back */
static int l_now(lua_State *L)
{
    lua_pushnumber(L, clock_monotonic());
    return 1;
}

__attribute__((visibility("default"))) int luaopen_moontrail_postgres(lua_State *L)
{
    static const luaL_Reg functions[] = {{"use", l_use}, {"now", l_now}, {NULL, NULL}};
    static const luaL_Reg *const methods[] = {query_methods, copy_methods, NULL};
    seam_check(L, "moontrail.postgres");
    link_open(L, methods);
    luaL_newlib(L, functions);
    luaL_setfuncs(L, opening_functions, 0);
    return 1;
}

#include "lua/modules/redis/redis.h"

#include "lua/modules/json/json_private.h"
#include "lua/modules/redis/redis_private.h"
#include "lua/runtime/error_value.h"

#include <lauxlib.h>

/* error(kind, message [, code]) */
static int l_error(lua_State *L)
{
    static const char *const names[] = {
        "busy", "limit", "lost", "protocol", "redis", "timeout", "unreachable", NULL};
    static const enum error_kind kinds[] = {KIND_BUSY, KIND_LIMIT, KIND_LOST, KIND_PROTOCOL,
        KIND_REDIS, KIND_TIMEOUT, KIND_UNREACHABLE};
    enum error_kind kind = kinds[luaL_checkoption(L, 1, NULL, names)];
    const char *message = luaL_checkstring(L, 2);
    lua_settop(L, 3);
    error_value_push_here(L, kind, "%s", message);
    if (!lua_isnil(L, 3))
        error_value_set(L, "code", luaL_checkstring(L, 3));
    return 1;
}

int luaopen_moontrail_redis_wire(lua_State *L)
{
    static const luaL_Reg functions[] = {{"command", redis_l_command}, {"error", l_error},
        {"reader", redis_l_reader}, {"slot", redis_l_slot}, {NULL, NULL}};
    redis_open_reader(L);
    luaL_newlib(L, functions);
    json_push_null(L);
    lua_setfield(L, -2, "null");
    return 1;
}

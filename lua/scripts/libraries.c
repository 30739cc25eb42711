#include "lua/scripts/libraries.h"

#include "lua/ctx/at_end.h"
#include "lua/ctx/ctx.h"
#include "lua/ctx/spawn.h"
#include "lua/modules/base64/base64.h"
#include "lua/modules/bundle.h"
#include "lua/modules/digest/digest.h"
#include "lua/modules/folder/folder.h"
#include "lua/modules/json/json.h"
#include "lua/modules/redis/redis.h"
#include "lua/modules/store/store.h"
#include "lua/modules/zlib/zlib.h"
#include "lua/runtime/error_value.h"
#include "lua/runtime/gate.h"
#include "lua/runtime/stdlib.h"
#include "lua/runtime/vm.h"
#include "lua/scripts/entry.h"
#include "lua/scripts/mistakes.h"
#include "lua/scripts/mt.h"
#include "lua/scripts/schedule.h"

#include <lauxlib.h>
#include <lualib.h>

int libraries_open(lua_State *L)
{
    const char *folder = lua_touserdata(L, 1);
    luaL_openlibs(L);
    stdlib_open(L, folder);
    ctx_open(L);
    bundle_open(L);
    entry_open(L);
    if (vm_of(L)->options.dev)
        mistakes_open(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushstring(L, folder);
    lua_pushcclosure(L, luaopen_moontrail, 1);
    lua_setfield(L, -2, "moontrail");
    lua_pushcfunction(L, luaopen_moontrail_base64);
    lua_setfield(L, -2, "moontrail.base64");
    lua_pushcfunction(L, luaopen_moontrail_detached);
    lua_setfield(L, -2, "moontrail.runtime.detached");
    lua_pushcfunction(L, luaopen_moontrail_errors);
    lua_setfield(L, -2, "moontrail.runtime.errors");
    lua_pushcfunction(L, luaopen_moontrail_folder);
    lua_setfield(L, -2, "moontrail.runtime.folder");
    lua_pushcfunction(L, luaopen_moontrail_gate);
    lua_setfield(L, -2, "moontrail.runtime.gate");
    lua_pushcfunction(L, luaopen_moontrail_json);
    lua_setfield(L, -2, "moontrail.json");
    lua_pushcfunction(L, luaopen_moontrail_at_end);
    lua_setfield(L, -2, "moontrail.at_end");
    lua_pushcfunction(L, luaopen_moontrail_parting);
    lua_setfield(L, -2, "moontrail.runtime.parting");
    lua_pushcfunction(L, luaopen_moontrail_on_drain);
    lua_setfield(L, -2, "moontrail.on_drain");
    lua_pushcfunction(L, luaopen_moontrail_redis_wire);
    lua_setfield(L, -2, "moontrail.redis.wire");
    lua_pushcfunction(L, luaopen_moontrail_resty_digest);
    lua_setfield(L, -2, "moontrail.resty.digest");
    lua_pushcfunction(L, luaopen_moontrail_store);
    lua_setfield(L, -2, "moontrail.store");
    lua_pushcfunction(L, luaopen_moontrail_store_fleeting);
    lua_setfield(L, -2, "moontrail.store.fleeting");
    lua_pushcfunction(L, luaopen_moontrail_zlib);
    lua_setfield(L, -2, "moontrail.zlib");
    return 0;
}

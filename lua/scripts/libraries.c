#include "lua/scripts/libraries.h"

#include "lua/ctx/at_end.h"
#include "lua/ctx/ctx.h"
#include "lua/ctx/spawn.h"
#include "lua/modules/base64/base64.h"
#include "lua/modules/bundle.h"
#include "lua/modules/crypto/crypto.h"
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

/* What require finds without a file. */
static const luaL_Reg modules[] = {
    {"moontrail.base64", luaopen_moontrail_base64},
    {"moontrail.crypto.primitives", luaopen_moontrail_crypto_primitives},
    {"moontrail.json", luaopen_moontrail_json},
    {"moontrail.redis.wire", luaopen_moontrail_redis_wire},
    {"moontrail.runtime.at_end", luaopen_moontrail_at_end},
    {"moontrail.runtime.detached", luaopen_moontrail_detached},
    {"moontrail.runtime.errors", luaopen_moontrail_errors},
    {"moontrail.runtime.folder", luaopen_moontrail_folder},
    {"moontrail.runtime.gate", luaopen_moontrail_gate},
    {"moontrail.runtime.on_drain", luaopen_moontrail_on_drain},
    {"moontrail.runtime.parting", luaopen_moontrail_parting},
    {"moontrail.store", luaopen_moontrail_store},
    {"moontrail.store.fleeting", luaopen_moontrail_store_fleeting},
    {"moontrail.zlib", luaopen_moontrail_zlib},
    {NULL, NULL},
};

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
    luaL_setfuncs(L, modules, 0);
    return 0;
}

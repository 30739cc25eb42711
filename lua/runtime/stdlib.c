#include "lua/runtime/stdlib.h"

#include "core/log.h"
#include "lua/runtime/coroutine.h"
#include "lua/runtime/error_value.h"
#include "lua/runtime/pcall.h"
#include "lua/runtime/sources.h"
#include "lua/runtime/warning.h"

#include <lauxlib.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* print(...): the values as tostring gives them, separated by tabs. */
static int l_print(lua_State *L)
{
    luaL_Buffer b;
    int count = lua_gettop(L);
    luaL_buffinit(L, &b);
    for (int i = 1; i <= count; i++) {
        if (i > 1)
            luaL_addchar(&b, '\t');
        luaL_tolstring(L, i, NULL);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    log_event(LOG_INFO, "print", log_bytes("text", text, len));
    return 0;
}

static int l_exit(lua_State *L)
{
    return luaL_error(
        L, "os.exit would end the server: return from the handler, or raise an error");
}

static void set_function(lua_State *L, const char *library, const char *name, lua_CFunction f)
{
    lua_getglobal(L, library);
    if (f)
        lua_pushcfunction(L, f);
    else
        lua_pushnil(L);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

static void set_path(lua_State *L, const char *folder)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "path");
    lua_pushfstring(L, "%s/?.lua;%s/?/init.lua;%s", folder, folder, lua_tostring(L, -1));
    lua_setfield(L, -3, "path");
    lua_pop(L, 2);
}

/* Lets require find the modules that are built or installed with the program: those in lib/ beside
 * it, or beside its folder. */
static void set_cpath(lua_State *L)
{
    char program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program);
    const char *slash = n > 0 ? memrchr(program, '/', (size_t)n) : NULL;
    if (!slash)
        return;
    lua_getglobal(L, "package");
    const char *folder = lua_pushlstring(L, program, (size_t)(slash - program));
    lua_getfield(L, -2, "cpath");
    lua_pushfstring(L, "%s/lib/?.so;%s/../lib/?.so;%s", folder, folder, lua_tostring(L, -1));
    lua_setfield(L, -4, "cpath");
    lua_pop(L, 3);
}

/* Makes luaL_Buffer's metatable while there is memory: if memory ran out halfway, lauxlib would
 * never complete it. */
static void make_buffer_metatable(lua_State *L)
{
    luaL_Buffer b;
    luaL_buffinitsize(L, &b, 2 * LUAL_BUFFERSIZE);
    luaL_pushresultsize(&b, 0);
    lua_pop(L, 1);
}

/* Lua derives its own seed from the time and an address. Both are the same in workers that were
 * forked together, which would all draw the same numbers. */
static void seed_random(lua_State *L)
{
    lua_Integer seed[2];
    if (getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        return;
    lua_getglobal(L, "math");
    lua_getfield(L, -1, "randomseed");
    lua_pushinteger(L, seed[0]);
    lua_pushinteger(L, seed[1]);
    lua_call(L, 2, 0);
    lua_pop(L, 1);
}

void stdlib_open(lua_State *L, const char *folder)
{
    make_buffer_metatable(L);
    seed_random(L);
    set_function(L, LUA_GNAME, "print", l_print);
    set_function(L, "os", "exit", l_exit);
    set_function(L, "debug", "sethook", NULL);
    set_function(L, "debug", "getregistry", NULL);
    coroutine_open(L);
    sources_open(L);
    pcall_open(L);
    warning_open(L);
    error_value_open(L);
    set_cpath(L);
    if (folder)
        set_path(L, folder);
}

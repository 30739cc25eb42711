#include "lua/scripts/mt.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/version.h"
#include "lua/client/http.h"
#include "lua/client/socket.h"
#include "lua/ctx/ctx.h"
#include "lua/ctx/spawn.h"
#include "lua/modules/store/store.h"
#include "lua/process/process.h"
#include "lua/runtime/sources.h"
#include "lua/runtime/task.h"
#include "lua/runtime/task_channel.h"
#include "lua/runtime/vm.h"
#include "lua/scripts/schedule.h"
#include "lua/scripts/wrap.h"

#include <lauxlib.h>
#include <stdlib.h>

enum { LOG_FIELDS_MAX = 32 };

static const double sleep_max = 1e8; /* seconds: three years */

static void cancel_sleep(struct task *t)
{
    timer_stop(&t->timer);
}

static int k_sleep(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    task_resumed(L);
    return 0;
}

/* sleep(seconds) */
static int l_sleep(lua_State *L)
{
    struct task *t = task_waiter(L);
    lua_Number seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0 && seconds <= sleep_max, 1, "not within 0..1e8 seconds");
    timer_start(&t->timer, seconds);
    return task_wait(L, t, cancel_sleep, NULL, 0, k_sleep);
}

/* now(): seconds since 1970, with fractions */
static int l_now(lua_State *L)
{
    lua_pushnumber(L, clock_wall());
    return 1;
}

/* load_error(): why the scripts on disk do not load, or nil. */
static int l_load_error(lua_State *L)
{
    const char *fault = vm_of(L)->fault;
    lua_pushstring(L, fault[0] ? fault : NULL);
    return 1;
}

/* watch(path): reloads the scripts when the file changes */
static int l_watch(lua_State *L)
{
    sources_note(L, luaL_checkstring(L, 1));
    return 0;
}

/* Makes a field of the log line from the key and value on top of the stack. A value that is neither
 * number nor boolean is written as tostring gives it; that text then replaces the value on the
 * stack. */
static struct log_field to_field(lua_State *L)
{
    const char *key = lua_tostring(L, -2);
    size_t len;
    if (lua_isinteger(L, -1))
        return log_int(key, lua_tointeger(L, -1));
    if (lua_type(L, -1) == LUA_TNUMBER)
        return log_num(key, lua_tonumber(L, -1));
    if (lua_isboolean(L, -1))
        return log_bool(key, lua_toboolean(L, -1));
    const char *text = luaL_tolstring(L, -1, &len);
    lua_replace(L, -2);
    return log_bytes(key, text, len);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct log_field *)a)->key, ((const struct log_field *)b)->key);
}

/* Writes the line with its fields sorted by name, since a table has no order. Until then the texts
 * stay on the stack, each with its key. */
static int write_log(lua_State *L, enum log_level level)
{
    struct log_field fields[LOG_FIELDS_MAX];
    size_t count = 0;
    const char *event = luaL_checkstring(L, 1);
    lua_settop(L, 2);
    if (!lua_isnil(L, 2))
        luaL_checktype(L, 2, LUA_TTABLE);
    if (!log_enabled(level))
        return 0;
    if (!lua_isnil(L, 2)) {
        luaL_checkstack(L, 2 * LOG_FIELDS_MAX + 4, "too many log fields");
        lua_pushnil(L);
        while (count < LOG_FIELDS_MAX && lua_next(L, 2)) {
            luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING, 2, "a field's name is a string");
            fields[count++] = to_field(L);
            lua_pushvalue(L, -2);
        }
        qsort(fields, count, sizeof *fields, by_key);
    }
    log_write(level, event, fields, count);
    return 0;
}

static int l_debug(lua_State *L)
{
    return write_log(L, LOG_DEBUG);
}

static int l_info(lua_State *L)
{
    return write_log(L, LOG_INFO);
}

static int l_warn(lua_State *L)
{
    return write_log(L, LOG_WARN);
}

static int l_error(lua_State *L)
{
    return write_log(L, LOG_ERROR);
}

/* The folders as one string, separated by semicolons as in package.path. */
static void push_proto_path(lua_State *L, const struct vm_options *options)
{
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (int i = 0; i < options->proto_path_count; i++) {
        if (i)
            luaL_addchar(&b, ';');
        luaL_addstring(&b, options->proto_path[i]);
    }
    luaL_pushresult(&b);
}

/* The options of the command line that concern a script. */
static void push_options(lua_State *L)
{
    const struct vm_options *options = &vm_of(L)->options;
    lua_createtable(L, 0, 3);
    lua_pushboolean(L, options->dev);
    lua_setfield(L, -2, "dev");
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_setfield(L, -2, "folder");
    push_proto_path(L, options);
    lua_setfield(L, -2, "proto_path");
}

/* The index of this worker, and the number of workers. */
static void push_worker(lua_State *L)
{
    const struct vm_options *options = &vm_of(L)->options;
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, options->worker);
    lua_setfield(L, -2, "id");
    lua_pushinteger(L, options->workers);
    lua_setfield(L, -2, "count");
}

int luaopen_moontrail(lua_State *L)
{
    static const luaL_Reg functions[] = {{"sleep", l_sleep}, {"now", l_now},
        {"load_error", l_load_error}, {"watch", l_watch}, {NULL, NULL}};
    static const luaL_Reg levels[] = {
        {"debug", l_debug}, {"info", l_info}, {"warn", l_warn}, {"error", l_error}, {NULL, NULL}};
    luaL_newlib(L, functions);
    spawn_open(L);
    store_open_limit(L);
    task_channel_open(L);
    schedule_open(L);
    wrap_open(L);
    process_open(L);
    process_add_function(L);
    exec_add_function(L);
    http_open(L);
    lua_setfield(L, -2, "http");
    socket_open_module(L);
    lua_setfield(L, -2, "socket");
    luaL_newlib(L, levels);
    lua_setfield(L, -2, "log");
    push_options(L);
    lua_setfield(L, -2, "options");
    push_worker(L);
    lua_setfield(L, -2, "worker");
    ctx_push_functions(L);
    lua_setfield(L, -2, "ctx");
    lua_pushliteral(L, MOONTRAIL_VERSION);
    lua_setfield(L, -2, "version");
    return 1;
}

#include "lua/runtime/error_value.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <string.h>

static const char metatable_name[] = "moontrail.error";

static const char *const kind_names[] = {
    [KIND_ABORT] = "abort",
    [KIND_TIMEOUT] = "timeout",
    [KIND_UNREACHABLE] = "unreachable",
    [KIND_REFUSED] = "refused",
    [KIND_RESET] = "reset",
    [KIND_LOST] = "lost",
    [KIND_PROTOCOL] = "protocol",
    [KIND_UPLOAD] = "upload",
    [KIND_LIMIT] = "limit",
    [KIND_BUSY] = "busy",
    [KIND_SYSTEM] = "system",
    [KIND_REDIS] = "redis",
    [KIND_SQL] = "sql",
};

enum { SLOTS = 6, FIELDS = 4 };

/* Making one. */

static void push(lua_State *L, enum error_kind kind, const char *format, va_list arguments)
{
    luaL_checkstack(L, SLOTS, NULL);
    lua_createtable(L, 0, FIELDS);
    lua_pushvfstring(L, format, arguments);
    lua_setfield(L, -2, "message");
    error_value_set(L, "kind", kind_names[kind]);
    luaL_setmetatable(L, metatable_name);
}

void error_value_push(lua_State *L, enum error_kind kind, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    push(L, kind, format, arguments);
    va_end(arguments);
}

/* Modules in Lua that are part of the program: lua/modules/bundle.sh. */
static bool is_script(const lua_Debug *frame)
{
    static const char ours[] = "=moontrail/";
    return frame->currentline > 0 && strncmp(frame->source, ours, sizeof ours - 1) != 0;
}

void error_value_set_script(lua_State *L)
{
    lua_Debug frame;
    for (int level = 1; lua_getstack(L, level, &frame); level++)
        if (lua_getinfo(L, "Sl", &frame) && is_script(&frame)) {
            lua_pushfstring(L, "%s:%d", frame.short_src, frame.currentline);
            lua_setfield(L, -2, "where");
            return;
        }
}

/* Sets the place where the error on top was raised, if Lua code has called the running function. */
static void set_where(lua_State *L)
{
    lua_Debug caller;
    if (lua_getstack(L, 1, &caller) && lua_getinfo(L, "l", &caller) && caller.currentline > 0)
        error_value_set_script(L);
}

void error_value_push_here(lua_State *L, enum error_kind kind, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    push(L, kind, format, arguments);
    va_end(arguments);
    set_where(L);
}

void error_value_set(lua_State *L, const char *name, const char *value)
{
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
}

void error_value_set_number(lua_State *L, const char *name, lua_Integer value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

/* Looking at one. */

static bool is_error(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index))
        return false;
    luaL_getmetatable(L, metatable_name);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

bool error_value_is(lua_State *L, int index, enum error_kind kind)
{
    index = lua_absindex(L, index);
    if (!lua_checkstack(L, SLOTS) || !is_error(L, index))
        return false;
    lua_pushstring(L, "kind");
    lua_rawget(L, index);
    lua_pushstring(L, kind_names[kind]);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

int error_value_status(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    if (!lua_checkstack(L, SLOTS) || !is_error(L, index))
        return 0;
    lua_pushstring(L, "status");
    lua_rawget(L, index);
    lua_Integer status = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
    lua_pop(L, 1);
    return status >= 400 && status <= 599 ? (int)status : 0;
}

/* Pushes a field as a string. If it is not one, since a script may have changed it, pushes nothing
 * and returns false. */
static bool push_string(lua_State *L, int index, const char *name)
{
    lua_pushstring(L, name);
    lua_rawget(L, index);
    if (lua_isstring(L, -1))
        return true;
    lua_pop(L, 1);
    return false;
}

/* Pushes the text of the error at the index. */
static void push_text(lua_State *L, int index)
{
    bool is_placed = push_string(L, index, "where");
    if (is_placed)
        lua_pushliteral(L, ": ");
    if (!push_string(L, index, "message"))
        lua_pushliteral(L, "an error without a message");
    lua_concat(L, is_placed ? 3 : 1);
}

/* Replaces an error by its text; leaves any other value as it is. */
static void to_text(lua_State *L, int index)
{
    if (!is_error(L, index))
        return;
    push_text(L, index);
    lua_replace(L, index);
}

void error_value_to_text(lua_State *L, int index)
{
    luaL_checkstack(L, SLOTS, NULL);
    to_text(L, lua_absindex(L, index));
}

/* The metatable. */

static int l_tostring(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    push_text(L, 1);
    return 1;
}

static int l_concat(lua_State *L)
{
    to_text(L, 1);
    to_text(L, 2);
    lua_concat(L, 2);
    return 1;
}

static int l_len(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    push_text(L, 1);
    lua_pushinteger(L, (lua_Integer)lua_rawlen(L, -1));
    return 1;
}

/* Calls a string function, the upvalue, as a method of an error. */
static int l_method(lua_State *L)
{
    luaL_checkany(L, 1);
    to_text(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* Pushes the string method of the name at index 2 in the form for errors. The upvalue is a table of
 * the forms made so far, by string function. */
static int l_index(lua_State *L)
{
    lua_settop(L, 2);
    lua_pushliteral(L, "");
    if (luaL_getmetafield(L, 3, "__index") != LUA_TTABLE)
        return 0;
    lua_pushvalue(L, 2);
    if (lua_rawget(L, -2) != LUA_TFUNCTION)
        return 0;
    lua_pushvalue(L, -1);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, l_method, 1);
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_rawset(L, lua_upvalueindex(1));
    return 1;
}

void error_value_open(lua_State *L)
{
    static const luaL_Reg events[] = {
        {"__tostring", l_tostring}, {"__concat", l_concat}, {"__len", l_len}, {NULL, NULL}};
    luaL_newmetatable(L, metatable_name);
    luaL_setfuncs(L, events, 0);
    lua_newtable(L);
    lua_pushcclosure(L, l_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "error");
    lua_setfield(L, -2, "__name");
    lua_pop(L, 1);
}

/* For modules in Lua. */

/* new(kind, message [, fields]) → an error */
static int l_new(lua_State *L)
{
    luaL_checkstring(L, 1);
    luaL_checkstring(L, 2);
    lua_settop(L, 3);
    lua_createtable(L, 0, FIELDS);
    if (!lua_isnil(L, 3))
        for (lua_pushnil(L); lua_next(L, 3); lua_pop(L, 1)) {
            lua_pushvalue(L, -2);
            lua_pushvalue(L, -2);
            lua_rawset(L, 4);
        }
    lua_pushvalue(L, 2);
    lua_setfield(L, 4, "message");
    lua_pushvalue(L, 1);
    lua_setfield(L, 4, "kind");
    luaL_setmetatable(L, metatable_name);
    error_value_set_script(L);
    return 1;
}

int luaopen_moontrail_errors(lua_State *L)
{
    static const luaL_Reg functions[] = {{"new", l_new}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}

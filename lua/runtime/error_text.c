#include "lua/runtime/error_text.h"

#include "core/log.h"

#include <lauxlib.h>

static int l_tostring(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    return 1;
}

/* Pushes the raw field if it is a string or a number; else nothing. */
static const char *push_field(lua_State *L, int index, const char *name)
{
    lua_pushstring(L, name);
    lua_rawget(L, index);
    if (lua_isstring(L, -1))
        return lua_tostring(L, -1);
    lua_pop(L, 1);
    return NULL;
}

/* "no such user (code 404)": the fields that errors have by custom. */
static bool push_fields(lua_State *L, int index)
{
    int top = lua_gettop(L);
    const char *message = push_field(L, index, "message");
    const char *code = push_field(L, index, "code");
    if (code)
        lua_pushfstring(L, "%s (code %s)", message ? message : "table", code);
    else if (!message)
        lua_pushfstring(L, "table: %p", lua_topointer(L, index));
    lua_insert(L, top + 1);
    lua_settop(L, top + 1);
    return message || code;
}

/* Pushes what tostring gives, or why it gives nothing. */
static void push_tostring(lua_State *L, int index)
{
    lua_pushcfunction(L, l_tostring);
    lua_pushvalue(L, index);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK)
        return;
    const char *why = lua_isstring(L, -1) ? lua_tostring(L, -1) : luaL_typename(L, -1);
    lua_pushfstring(L, "%s that cannot be described: %s", luaL_typename(L, index), why);
    lua_remove(L, -2);
}

static int has_metafield(lua_State *L, int index, const char *name)
{
    int type = luaL_getmetafield(L, index, name);
    lua_settop(L, type == LUA_TNIL ? lua_gettop(L) : lua_gettop(L) - 1);
    return type != LUA_TNIL;
}

bool error_text_push(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    luaL_checkstack(L, 8, NULL);
    bool says = lua_isstring(L, index) || has_metafield(L, index, "__tostring");
    if (lua_type(L, index) == LUA_TTABLE && !says && !has_metafield(L, index, "__name"))
        return push_fields(L, index);
    push_tostring(L, index);
    return says;
}

void error_text_report(lua_State *L, lua_CFunction log, void *about, const char *event)
{
    lua_pushcfunction(L, log);
    lua_pushlightuserdata(L, about);
    lua_pushvalue(L, -3);
    if (lua_pcall(L, 2, 0, 0) == LUA_OK)
        return;
    log_event(LOG_ERROR, event, log_str("error", "one that cannot be described"));
    lua_pop(L, 1);
}

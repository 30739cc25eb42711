#include "lua/scripts/chunk.h"

#include "lua/runtime/error_text.h"
#include "lua/runtime/sources.h"

#include <lauxlib.h>
#include <string.h>

/* The last line of the chunk on top of the stack, which is where a script returns its handler. */
static int last_line(lua_State *L)
{
    lua_Debug chunk;
    lua_Integer last = 0;
    lua_pushvalue(L, -1);
    lua_getinfo(L, ">L", &chunk);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        if (lua_tointeger(L, -2) > last)
            last = lua_tointeger(L, -2);
    lua_pop(L, 1);
    return (int)last;
}

/* `return require "x"` has a second value too, the module's file. */
const char *chunk_run(lua_State *L, const char *file)
{
    sources_note(L, file);
    if (luaL_loadfilex(L, file, "t"))
        lua_error(L);
    const char *where = lua_pushfstring(L, "%s:%d", file, last_line(L));
    lua_insert(L, -2);
    lua_call(L, 0, 2);
    if (lua_isfunction(L, -1) || lua_istable(L, -1))
        luaL_error(L, "%s: returns two handlers: a script has one", where);
    lua_pop(L, 1);
    return where;
}

/* Lua's message for a module that it cannot find has many lines. */
static void join_lines(char *text)
{
    for (; *text; text++)
        if (*text == '\n' || *text == '\t')
            *text = ' ';
}

/* Called with an error: gives its text, or nil if it has none. */
static int l_describe(lua_State *L)
{
    if (!error_text_push(L, 1))
        lua_pushnil(L);
    return 1;
}

void chunk_describe_error(lua_State *L, const char *file, char why[SCRIPT_WHY])
{
    lua_pushcfunction(L, l_describe);
    lua_insert(L, -2);
    lua_pcall(L, 1, 1, 0);
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    if (text && strstr(text, file))
        snprintf(why, SCRIPT_WHY, "%s", text);
    else
        snprintf(
            why, SCRIPT_WHY, "%s: %s", file, text ? text : "raises an error that is no string");
    join_lines(why);
    lua_pop(L, 1);
}

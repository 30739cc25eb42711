#include "lua/protobuf/place.h"

#include <cstdarg>
#include <cstdio>

namespace codec
{

/* Appends "[3]" or "["key"]", the front of a long one. */
static void add_element(lua_State *L, luaL_Buffer *b, const place &at)
{
    char text[100];
    int type = at.key ? lua_type(L, at.key) : LUA_TNUMBER;
    lua_Integer n = at.key ? lua_tointeger(L, at.key) : at.element;
    if (type == LUA_TSTRING)
        snprintf(text, sizeof text, "[\"%.60s\"]", lua_tostring(L, at.key));
    else if (type == LUA_TNUMBER)
        snprintf(text, sizeof text, "[" LUA_INTEGER_FMT "]", n);
    else
        snprintf(text, sizeof text, "[%s]", lua_toboolean(L, at.key) ? "true" : "false");
    luaL_addstring(b, text);
}

static void add_place(lua_State *L, luaL_Buffer *b, const place &at)
{
    if (!at.up) {
        luaL_addstring(b, at.root->m.descriptor->full_name().c_str());
        return;
    }
    add_place(L, b, *at.up);
    luaL_addchar(b, '.');
    luaL_addstring(b, at.of->name);
    if (at.element || at.key)
        add_element(L, b, at);
}

static int fail_of(const place &at)
{
    const place *outermost = &at;
    while (outermost->up)
        outermost = outermost->up;
    return outermost->root->fail;
}

void place_fail(lua_State *L, const place &at, const char *format, ...)
{
    char what[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    luaL_Buffer b;
    luaL_checkstack(L, LUA_MINSTACK, "protobuf");
    luaL_buffinit(L, &b);
    add_place(L, &b, at);
    luaL_addstring(&b, ": ");
    luaL_addstring(&b, what);
    luaL_pushresult(&b);
    if (int fail = fail_of(at)) {
        lua_pushvalue(L, fail);
        lua_insert(L, -2);
        lua_call(L, 1, 1);
    }
    lua_error(L);
    __builtin_unreachable();
}

void place_fail_type(lua_State *L, const place &at, const char *expected)
{
    place_fail(L, at, "expected %s, got %s", expected, luaL_typename(L, at.value));
}

} // namespace codec

/*
 * The module moontrail.protobuf: loading schemas.
 *
 * Lua errors jump over C++ frames without running destructors. So the functions here, and all
 * others that call Lua, have no locals with destructors; memory is owned by userdata that were
 * created before it; and code that can throw is called by schema_try, and calls no Lua.
 */
#include "lua/protobuf/describe.h"
#include "lua/protobuf/pace.h"
#include "lua/protobuf/type.h"

#include <climits>
#include <cstring>
#include <google/protobuf/stubs/logging.h>

using namespace codec;

/* Adds the folders in the list at the index. */
static void add_folders(lua_State *L, schema *s, int index)
{
    if (lua_isnoneornil(L, index))
        return;
    luaL_checktype(L, index, LUA_TTABLE);
    lua_Integer n = (lua_Integer)lua_rawlen(L, index);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, index, i);
        luaL_argexpected(L, lua_type(L, -1) == LUA_TSTRING, index, "list of folders");
        handle_check(L, schema_add_folder(s, lua_tostring(L, -1)));
        lua_pop(L, 1);
    }
}

/* Sets the bound whose name and value are on the top. */
static void take_bound(lua_State *L, schema *s)
{
    int exact;
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : luaL_typename(L, -2);
    lua_Integer n = lua_tointegerx(L, -1, &exact);
    bool files = strcmp(name, "max_files") == 0;
    if (!files && strcmp(name, "max_bytes") != 0)
        luaL_error(L, "protobuf: there is no bound %s", name);
    if (!exact || n <= 0 || n > INT_MAX)
        luaL_error(L, "protobuf: %s is a positive integer", name);
    (files ? s->found.max_files : s->found.max_bytes) = (size_t)n;
}

/* Reads the folders and bounds at index 2 and 3. */
static void take_options(lua_State *L, schema *s)
{
    add_folders(L, s, 2);
    if (lua_isnil(L, 3))
        return;
    luaL_checktype(L, 3, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, 3); lua_pop(L, 1))
        take_bound(L, s);
}

/* Adds the places where files were looked for to the list at index 4, if there is one. */
static void give_places(lua_State *L, const schema *s)
{
    if (lua_isnil(L, 4))
        return;
    lua_Integer n = (lua_Integer)lua_rawlen(L, 4);
    for (auto place = s->found.places.begin(); place != s->found.places.end(); ++place) {
        lua_pushlstring(L, place->data(), place->size());
        lua_rawseti(L, 4, ++n);
    }
}

/* load(file [, folders [, bounds [, places]]]) */
static int l_load(lua_State *L)
{
    const char *file = luaL_checkstring(L, 1);
    lua_settop(L, 4);
    luaL_argexpected(L, lua_isnil(L, 4) || lua_istable(L, 4), 4, "list of places");
    schema *s = handle_push_schema(L)->s;
    take_options(L, s);
    const char *problem = schema_begin(s, file);
    if (!problem)
        problem = schema_load(s, handle_push_shared(L, s));
    give_places(L, s);
    handle_check(L, problem);
    handle_give_constants(L, s, true);
    return 1;
}

/* parse(text, name [, folders [, bounds]]) */
static int l_parse(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    const char *name = luaL_checkstring(L, 2);
    lua_settop(L, 4);
    lua_rotate(L, 1, -1); /* folders and bounds to the place where load has them */
    schema *s = handle_push_schema(L)->s;
    take_options(L, s);
    handle_check(L, schema_parse(s, name, text, n));
    lua_pushnil(L);
    handle_give_constants(L, s, false);
    return 1;
}

extern "C" __attribute__((visibility("default"))) int luaopen_moontrail_protobuf(lua_State *L);

int luaopen_moontrail_protobuf(lua_State *L)
{
    static const luaL_Reg functions[] = {{"load", l_load}, {"parse", l_parse}, {nullptr, nullptr}};
    /* The library need not write on stderr: the errors that are raised tell the same. */
    google::protobuf::SetLogHandler(nullptr);
    describe_push_methods(L);
    handle_open(L);
    pace_open(L);
    type_open(L);
    luaL_newlib(L, functions);
    return 1;
}

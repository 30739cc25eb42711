#include "lua/runtime/sources.h"

#include "lua/runtime/nesting.h"
#include "lua/runtime/vm.h"

#include <lauxlib.h>
#include <string.h>

/* The registry's key of the table whose keys are the paths. */
static const char sources_key;

void sources_note(lua_State *L, const char *path)
{
    luaL_checkstack(L, 3, NULL);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &sources_key);
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, path);
    lua_pop(L, 1);
}

void sources_visit(struct vm *vm, void (*visit)(void *data, const char *file), void *data)
{
    lua_State *L = vm->L;
    if (!lua_checkstack(L, 3))
        return;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &sources_key);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        visit(data, lua_tostring(L, -2));
    lua_pop(L, 1);
}

/* Notes each file that package.path allows for a name, up to the one that was found: if one of them
 * is created later, require finds that instead. [-0, +0] */
static void note_candidates(lua_State *L, const char *name, const char *found)
{
    int top = lua_gettop(L);
    const char *stem = luaL_gsub(L, name, ".", LUA_DIRSEP);
    lua_getfield(L, lua_upvalueindex(1), "path");
    const char *path = luaL_checkstring(L, -1);
    for (size_t n; *path; path += n + (path[n] == ';')) {
        n = strcspn(path, ";");
        lua_pushlstring(L, path, n);
        const char *file = luaL_gsub(L, lua_tostring(L, -1), "?", stem);
        if (n)
            sources_note(L, file);
        if (found && strcmp(file, found) == 0)
            break;
        lua_pop(L, 2);
    }
    lua_settop(L, top);
}

/* Pushes the Lua file in which require finds a module, or nil and the places where it looked. [-0,
 * +2] */
static void search_path(lua_State *L)
{
    lua_getfield(L, lua_upvalueindex(1), "searchpath");
    lua_pushvalue(L, 1);
    lua_getfield(L, lua_upvalueindex(1), "path");
    lua_call(L, 2, 2);
}

/* What require calls as a module's loader; the upvalue is the module's chunk. */
static int l_module(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1), *file = luaL_checkstring(L, 2);
    lua_settop(L, 2);
    nesting_enter(L, name, file, 0);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_call(L, 2, 1);
    return 1;
}

/* The searcher of modules written in Lua. Its upvalue is the table `package`. */
static int l_search(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    lua_settop(L, 1);
    search_path(L);
    const char *file = lua_tostring(L, -2);
    note_candidates(L, name, file);
    if (!file)
        return 1;
    if (luaL_loadfilex(L, file, "t"))
        return luaL_error(
            L, "error loading module '%s' from file '%s':\n\t%s", name, file, lua_tostring(L, -1));
    lua_pushcclosure(L, l_module, 1);
    lua_pushvalue(L, 2);
    return 2;
}

/* before: how many values lie below the results. */
static int k_original(lua_State *L, int status, lua_KContext before)
{
    (void)status;
    return lua_gettop(L) - (int)before;
}

static int call_original(lua_State *L, int args, int before)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, before + 1);
    lua_callk(L, args, LUA_MULTRET, before, k_original);
    return k_original(L, LUA_OK, before);
}

/* Replaces loadfile, its upvalue. */
static int l_loadfile(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TSTRING)
        sources_note(L, lua_tostring(L, 1));
    return call_original(L, lua_gettop(L), 0);
}

/* Replaces dofile, its upvalue. A file may run itself a few times. While requests are served
 * nothing is counted: tasks that wait in the same file are unrelated. */
static int l_dofile(lua_State *L)
{
    enum { OFTEN = 16 };
    if (lua_type(L, 1) != LUA_TSTRING)
        return call_original(L, lua_gettop(L), 0);
    sources_note(L, lua_tostring(L, 1));
    lua_settop(L, 1);
    if (vm_of(L)->running)
        return call_original(L, 1, 0);
    nesting_enter(L, lua_tostring(L, 1), lua_tostring(L, 1), OFTEN);
    lua_pushvalue(L, 1);
    return call_original(L, 1, 2);
}

static void replace_global(lua_State *L, const char *name, lua_CFunction f)
{
    lua_getglobal(L, name);
    lua_pushcclosure(L, f, 1);
    lua_setglobal(L, name);
}

void sources_open(lua_State *L)
{
    enum { LUA_SEARCHER = 2 }; /* its position in package.searchers */
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &sources_key);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "searchers");
    lua_pushvalue(L, -2);
    lua_pushcclosure(L, l_search, 1);
    lua_rawseti(L, -2, LUA_SEARCHER);
    lua_pop(L, 2);
    nesting_open(L);
    replace_global(L, "loadfile", l_loadfile);
    replace_global(L, "dofile", l_dofile);
}

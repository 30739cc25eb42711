#include "lua/modules/folder/folder.h"

#include <dirent.h>
#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

/* The folder is closed where an error passes, too. */
struct listing {
    struct dirent **entries;
    int count;
};

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int l_free(lua_State *L)
{
    struct listing *l = lua_touserdata(L, 1);
    while (l->count > 0)
        free(l->entries[--l->count]);
    free(l->entries);
    l->entries = NULL;
    return 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static struct listing *push_listing(lua_State *L)
{
    struct listing *l = lua_newuserdatauv(L, sizeof *l, 0);
    *l = (struct listing){0};
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_free);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    return l;
}

/* list(path) → names; nil and why */
static int l_list(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct listing *l = push_listing(L);
    l->count = scandir(path, &l->entries, is_shown, by_name);
    if (l->count < 0) {
        lua_pushnil(L);
        lua_pushstring(L, strerror(errno));
        return 2;
    }
    lua_createtable(L, l->count, 0);
    for (int i = 0; i < l->count; i++) {
        lua_pushstring(L, l->entries[i]->d_name);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

int luaopen_moontrail_folder(lua_State *L)
{
    static const luaL_Reg functions[] = {{"list", l_list}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}

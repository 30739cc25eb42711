#include "lua/runtime/pieces.h"

#include <lauxlib.h>

enum { SHORT_PIECE = 4096 }; /* bytes */

void pieces_keep(lua_State *L, int index)
{
    lua_Integer count = (lua_Integer)lua_rawlen(L, index);
    if (lua_rawgeti(L, index, count) == LUA_TSTRING && lua_rawlen(L, -1) < SHORT_PIECE) {
        lua_insert(L, -2);
        lua_concat(L, 2);
        count--;
    } else {
        lua_pop(L, 1);
    }
    lua_rawseti(L, index, count + 1);
}

void pieces_push_joined(lua_State *L, int index)
{
    int count = (int)lua_rawlen(L, index);
    luaL_checkstack(L, count, "too many pieces");
    for (int i = 1; i <= count; i++)
        lua_rawgeti(L, index, i);
    lua_concat(L, count);
}

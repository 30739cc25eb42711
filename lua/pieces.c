#include "lua/pieces.h"

#include <lauxlib.h>

void pieces_add(lua_State *L, int index)
{
    lua_rawseti(L, index, (lua_Integer)lua_rawlen(L, index) + 1);
}

void pieces_push_joined(lua_State *L, int index)
{
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    lua_Integer count = (lua_Integer)lua_rawlen(L, index);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, index, i);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
}

/* Pieces of a body, gathered in a table until they are whole. */
#ifndef LUA_PIECES_H
#define LUA_PIECES_H

#include <lua.h>

/* Adds the string on top to the table at the index. [-1, +0, may longjmp] */
void pieces_add(lua_State *L, int index);
/* Pushes all that the table at the index has, as one string. [-0, +1, may longjmp] */
void pieces_push_joined(lua_State *L, int index);

#endif

/* A string that arrives in pieces. A table keeps them until the last one has come. */
#ifndef LUA_RUNTIME_PIECES_H
#define LUA_RUNTIME_PIECES_H

#include <lua.h>

/* Adds the string on top to the table of pieces at the index, which must be absolute. Short ones
 * are joined at once, so that a string that trickles in needs no more memory than any other. [-1,
 * +0, may longjmp] */
void pieces_keep(lua_State *L, int index);
/* Pushes the pieces of the table at the index as one string, which is copied only once. [-0, +1,
 * may longjmp] */
void pieces_push_joined(lua_State *L, int index);

#endif

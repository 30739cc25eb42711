/* A string that comes in pieces, which wait in a table until the last is there. */
#ifndef LUA_RUNTIME_PIECES_H
#define LUA_RUNTIME_PIECES_H

#include <lua.h>

/* Adds the string on top to the table of pieces at the index, which is no relative one. Short ones
 * are joined at once, so that a string that trickles in takes no more memory than another.
 * [-1, +0, may longjmp] */
void pieces_keep(lua_State *L, int index);
/* Pushes all that the table at the index holds, as one string, which is copied once. [-0, +1, may
 * longjmp] */
void pieces_push_joined(lua_State *L, int index);

#endif

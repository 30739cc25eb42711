/*
 * The files that are being loaded, each by the one before it: where one is to be loaded within
 * itself, the circle is told in these names, and not as the stack that it would fill.
 */
#ifndef LUA_RUNTIME_NESTING_H
#define LUA_RUNTIME_NESTING_H

#include <lua.h>
#include <stdbool.h>

/* [-0, +0, may longjmp] */
void nesting_open(lua_State *L);
/* Enters a module or a file. Pushes a value to be closed, with which it is left: it is to stay
 * where it is until the C function returns. Raises where the name is among those that load already
 * more than allowed times. [-0, +1, may longjmp] */
void nesting_enter(lua_State *L, const char *name, const char *file, int allowed);

#endif

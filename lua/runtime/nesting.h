/*
 * The files that are being loaded, each by the one before it. If a file would load itself, the
 * error names this circle instead of overflowing the stack.
 */
#ifndef LUA_RUNTIME_NESTING_H
#define LUA_RUNTIME_NESTING_H

#include <lua.h>
#include <stdbool.h>

/* [-0, +0, may longjmp] */
void nesting_open(lua_State *L);
/* Enters a module or a file. Pushes a to-be-closed value, whose closing leaves it: the value must
 * stay in place until the C function returns. Raises if the name is already being loaded more than
 * allowed times. [-0, +1, may longjmp] */
void nesting_enter(lua_State *L, const char *name, const char *file, int allowed);

#endif

/*
 * mt.wrap: what a script, or a module, puts around a handler of its own. The server finds it by the
 * function when the script returns that.
 */
#ifndef LUA_SCRIPTS_WRAP_H
#define LUA_SCRIPTS_WRAP_H

#include "lua/scripts/scripts.h"

#include <lua.h>

/* Adds the function to the table on top of the stack. [-0, +0, may longjmp] */
void wrap_open(lua_State *L);
/* New references to what was put around the function at the index. [-0, +0, may longjmp] */
struct script_wrap wrap_take(lua_State *L, int index);

#endif

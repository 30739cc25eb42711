/* Opens the libraries of a new Lua state, before scripts load. */
#ifndef LUA_SCRIPTS_LIBRARIES_H
#define LUA_SCRIPTS_LIBRARIES_H

#include <lua.h>

/* Opens Lua's libraries and every module of this server, with the scripts' folder, a string as
 * light userdata, at index 1. A function of Lua's: [-0, +0, may longjmp] */
int libraries_open(lua_State *L);

#endif

/* Lua's warnings, such as an error in __gc, go to the log at warn: "lua warning text=…". A script
 * turns them off with warn("@off"), and on again with warn("@on"). */
#ifndef LUA_RUNTIME_WARNING_H
#define LUA_RUNTIME_WARNING_H

#include <lua.h>

/* [-0, +0, may longjmp] */
void warning_open(lua_State *L);

#endif

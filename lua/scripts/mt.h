/* The module "moontrail": what scripts can use in addition to ctx. */
#ifndef LUA_SCRIPTS_MT_H
#define LUA_SCRIPTS_MT_H

#include <lua.h>

/* Loads the module. The upvalue is the folder of the scripts, or nil. [-0, +1, may longjmp] */
int luaopen_moontrail(lua_State *L);

#endif

/* The module "moontrail": what scripts use beside ctx. */
#ifndef LUA_SCRIPTS_MT_H
#define LUA_SCRIPTS_MT_H

#include <lua.h>

/* A closure with the folder of the scripts, or nil. [-0, +1, may longjmp] */
int luaopen_moontrail(lua_State *L);

#endif

/* The module "moontrail.store": what all workers share. */
#ifndef LUA_MODULES_STORE_STORE_H
#define LUA_MODULES_STORE_STORE_H

#include <lua.h>

/* [-0, +1, may longjmp] */
int luaopen_moontrail_store(lua_State *L);
/* For modules of ours: maps that end with the processes, wherever the store lies.
 * [-0, +1, may longjmp] */
int luaopen_moontrail_store_fleeting(lua_State *L);
/* Adds limit to the table on top of the stack. [-0, +0, may longjmp] */
void store_open_limit(lua_State *L);

#endif

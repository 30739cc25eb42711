/*
 * pcall and xpcall, which do not catch the end of a task that is being killed, and leave no message
 * handler behind in a coroutine that is closed in the middle of an xpcall: what Lua 5.4.4 keeps of
 * it is a place on the stack, and it would call what stands there at the next error.
 */
#ifndef LUA_RUNTIME_PCALL_H
#define LUA_RUNTIME_PCALL_H

#include <lua.h>

/* Puts them in the place of Lua's. [-0, +0, may longjmp] */
void pcall_open(lua_State *L);

#endif

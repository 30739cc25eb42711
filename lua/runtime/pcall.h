/*
 * pcall and xpcall, which do not catch the end of a task that is being killed, and leave no message
 * handler in a coroutine that is closed in the middle of an xpcall: Lua 5.4.4 knows the handler by
 * its place on the stack, and would call whatever stands there at a later error.
 */
#ifndef LUA_RUNTIME_PCALL_H
#define LUA_RUNTIME_PCALL_H

#include <lua.h>

/* pcall, for C functions to call. */
int pcall_call(lua_State *L);
/* Replaces Lua's own. [-0, +0, may longjmp] */
void pcall_open(lua_State *L);

#endif

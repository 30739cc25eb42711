/*
 * The library "coroutine" for scripts. It is Lua's own except for one thing: a wait inside a
 * coroutine that a script made passes through the coroutine to the task, and back when it is over,
 * while the script's own yields reach the script. A coroutine in such a wait is "normal": nothing
 * else can resume or close it.
 */
#ifndef LUA_RUNTIME_COROUTINE_H
#define LUA_RUNTIME_COROUTINE_H

#include <lua.h>

/* Replaces the functions of the global table "coroutine". [-0, +0, may longjmp] */
void coroutine_open(lua_State *L);

#endif

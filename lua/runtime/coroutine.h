/*
 * The library "coroutine" for scripts. It is Lua's own but for one thing: what waits inside a
 * coroutine that a script made passes through it to the task, and back when the wait is over, while
 * the script's own yields stay its own. A coroutine in such a wait is "normal": it can be neither
 * resumed nor closed by anyone else.
 */
#ifndef LUA_RUNTIME_COROUTINE_H
#define LUA_RUNTIME_COROUTINE_H

#include <lua.h>

/* Replaces the functions of the global table "coroutine". [-0, +0, may longjmp] */
void coroutine_open(lua_State *L);

#endif

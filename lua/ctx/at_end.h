/*
 * What modules of ours leave open in a task: a function that is called when the task ends, in
 * whatever way. It cannot wait; what it has to end elsewhere it starts a parting task for
 * (spawn.h).
 */
#ifndef LUA_CTX_AT_END_H
#define LUA_CTX_AT_END_H

#include <lua.h>

/* The module, a function: at_end(fn) → a bond; bond:drop() undoes it. For a task that may wait.
 * [-0, +1, may longjmp] */
int luaopen_moontrail_at_end(lua_State *L);

#endif

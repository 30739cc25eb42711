/*
 * Tasks that scripts start: mt.spawn and mt.all. Such a task belongs to the vm, not to a request;
 * it may use a live ctx, and may outlive the request that started it.
 */
#ifndef LUA_SPAWN_H
#define LUA_SPAWN_H

#include <lua.h>

struct vm;

/* Adds spawn and all to the table on top of the stack. [-0, +0, may longjmp] */
void spawn_open(lua_State *L);
/* Cancels every such task of the vm, for the reason given, which is static. */
void spawn_cancel_all(struct vm *vm, const char *reason);

#endif

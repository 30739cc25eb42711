/*
 * Channels: queues of values between the tasks of a vm, mt.channel. Values come out in the order in
 * which they went in, and tasks that wait go on in the order in which they began to.
 *
 * A value stays in the channel until a task takes it, and a task that waits to send keeps its own:
 * so none is lost with a task that is aborted between being woken and running.
 */
#ifndef LUA_RUNTIME_TASK_CHANNEL_H
#define LUA_RUNTIME_TASK_CHANNEL_H

#include <lua.h>

/* Adds channel to the table on top of the stack. [-0, +0, may longjmp] */
void task_channel_open(lua_State *L);

#endif

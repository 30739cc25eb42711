/*
 * Channels: queues of values between the tasks of a vm, mt.channel. Values come out in the order in
 * which they went in, and waiting tasks go on in the order in which they began to wait.
 *
 * A value stays in the channel until a task takes it, and a task that waits to send keeps its own:
 * so no value is lost if a task is aborted between being woken and running.
 */
#ifndef LUA_RUNTIME_TASK_CHANNEL_H
#define LUA_RUNTIME_TASK_CHANNEL_H

#include <lua.h>

/* Adds channel to the table on top of the stack. [-0, +0, may longjmp] */
void task_channel_open(lua_State *L);

#endif

/*
 * What a task that waits holds: the strings on its stacks, and in lists there, which is where a
 * body or a message that is not whole yet lies. Strings in the scripts' own tables are not counted.
 */
#ifndef LUA_RUNTIME_HELD_H
#define LUA_RUNTIME_HELD_H

#include <stddef.h>

struct task;

/* Bytes. Takes time by what there is on the stacks. */
size_t held_by_task(const struct task *t);

#endif

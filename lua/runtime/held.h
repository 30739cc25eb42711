/*
 * The memory that a waiting task holds: the strings on its stacks, and in lists there, where an
 * unfinished body or message lies. Strings in the scripts' own tables are not counted.
 */
#ifndef LUA_RUNTIME_HELD_H
#define LUA_RUNTIME_HELD_H

#include <stddef.h>

struct task;

/* In bytes. Takes time in proportion to what is on the stacks. */
size_t held_by_task(const struct task *t);

#endif

/*
 * Waiting on descriptors of others: a library with sockets of its own does its input and output
 * itself, and its task waits here until there is something to do. The owner of the descriptor, a
 * userdata that the waiting task has on its stack, embeds one for each wait at a time:
 *
 *     static int k_ready(lua_State *L, int status, lua_KContext context)
 *     {
 *         unsigned events = waiting_over(L, &owner->waiting);
 *         …                                  where it is 0 the time is over
 *     }
 *
 *     struct task *t = task_waiter(L);
 *     return waiting_start(L, &owner->waiting, t, fd, DESCRIPTOR_READABLE, 30, context, k_ready);
 *
 * An abort, a deadline and a reload end such a wait as any other: waiting_over raises. While it
 * lasts nobody may close the descriptor.
 */
#ifndef LUA_RUNTIME_WAITING_H
#define LUA_RUNTIME_WAITING_H

#include "net/descriptor.h"

#include <lua.h>

struct task;
struct vm;

struct waiting {
    struct descriptor descriptor;
    struct task *task; /* NULL where none waits */
    unsigned events;   /* that ended the last wait */
};

void waiting_init(struct waiting *w, struct vm *vm);
/* Waits for one of the events, bits of enum descriptor_event, or for so many seconds, where they
 * are 0 or more. As task_wait, which see. [-0, +0, may longjmp] */
int waiting_start(lua_State *L, struct waiting *w, struct task *t, int fd, unsigned events,
    double seconds, lua_KContext context, lua_KFunction k);
/* First in the continuation, in place of task_resumed: the events that are there. [-0, +0, may
 * longjmp] */
unsigned waiting_over(lua_State *L, struct waiting *w);

#endif

/*
 * Tasks that scripts start: mt.spawn and mt.all. Such a task belongs to the vm, not to a request;
 * it may use a live ctx, and may outlive the request that started it.
 */
#ifndef LUA_CTX_SPAWN_H
#define LUA_CTX_SPAWN_H

#include <lua.h>

struct spawn;
struct vm;

/* Why a task was cancelled. */
enum spawn_cause {
    SPAWN_GOES_ON,      /* it was not cancelled */
    SPAWN_CANCELLED,    /* the script called cancel */
    SPAWN_OTHER_FAILED, /* another task of the same mt.all */
    SPAWN_CALL_ENDED,   /* it uploads for a call that has ended */
    SPAWN_SHUTDOWN,
    SPAWN_RELOAD,
};

/* Adds spawn and all to the table on top of the stack. [-0, +0, may longjmp] */
void spawn_open(lua_State *L);
/* The module "moontrail.runtime.detached", for modules of ours: mt.spawn for a task that has
 * nothing to do with the request that runs. [-0, +1, may longjmp] */
int luaopen_moontrail_detached(lua_State *L);
/* Starts a task for the function and the arguments from index first on. Replaces them by the task's
 * userdata, which owns the returned struct. [-n, +1, may longjmp] */
struct spawn *spawn_start(lua_State *L, int first);
/* For modules of ours, a function: parting(fn, ...) starts a task that ends what another has left
 * open elsewhere. It is not cancelled by a reload, and holds up a drain. [-0, +1, may longjmp] */
int luaopen_moontrail_parting(lua_State *L);
/* Told once, whatever the outcome, when a task has ended, before it can be joined. */
struct spawn_end {
    void (*over)(struct spawn_end *end);
};

/* For a task that has not ended; end is borrowed until it has. */
void spawn_watch(struct spawn *s, struct spawn_end *end);
/* Cancels a task; no effect if it has ended. */
void spawn_cancel(struct spawn *s, enum spawn_cause cause);
/* Cancels all such tasks of the vm, and those that are started later. */
void spawn_cancel_all(struct vm *vm, enum spawn_cause cause);

#endif

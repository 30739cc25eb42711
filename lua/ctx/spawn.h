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
/* Starts a task for the function and the arguments from index first on, which are replaced by its
 * userdata: that owns what is returned. [-n, +1, may longjmp] */
struct spawn *spawn_start(lua_State *L, int first);
/* Who is told when a task is over, before it can be joined: once, whatever its end. */
struct spawn_end {
    void (*over)(struct spawn_end *end);
};

/* Of a task that is not over; end is borrowed until it is. */
void spawn_watch(struct spawn *s, struct spawn_end *end);
/* Cancels a task; no effect on one that is over. */
void spawn_cancel(struct spawn *s, enum spawn_cause cause);
/* Cancels every such task of the vm, and those that are started from now on. */
void spawn_cancel_all(struct vm *vm, enum spawn_cause cause);

#endif

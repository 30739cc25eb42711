/*
 * What the scripts of a generation do without a request: mt.every, while the generation is the
 * current one, and mt.on_reload, when it is replaced or the worker drains; and what modules of ours
 * do when the worker drains, be the generation replaced or not. Each run is a task, as started by
 * mt.spawn.
 *
 *     SCHEDULE_LOADING ──▶ SCHEDULE_GOING ──▶ SCHEDULE_OVER
 *
 * A generation owns one, to which its vm refers; the registered functions are Lua values of the vm.
 */
#ifndef LUA_SCRIPTS_SCHEDULE_H
#define LUA_SCRIPTS_SCHEDULE_H

#include "core/list.h"
#include "core/rc.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

struct vm;

enum schedule_state {
    SCHEDULE_LOADING, /* scripts are loading: mt.every works */
    SCHEDULE_GOING,
    SCHEDULE_OVER, /* nothing begins */
};

struct schedule {
    struct vm *vm;
    enum schedule_state state;
    const char *told; /* the argument of on_reload functions, once they have to run */
    size_t telling;   /* on_reload functions that are running */
    struct list every, hooks;
    struct list drains; /* functions that are to run once the worker drains, */
    bool draining;      /* as it does */
};

/* For a vm whose scripts are about to load. RC_NOMEM. */
enum rc schedule_new(struct vm *vm, struct schedule **out) MUST_CHECK;
/* No task of the vm may be left. Ends the schedule if that was not done. */
void schedule_free(struct schedule *s);
/* The scripts are loaded. */
void schedule_go(struct schedule *s);
/* Runs the functions of mt.on_reload with "reload" or "shutdown", unless they have run. */
void schedule_tell(struct schedule *s, const char *what);
/* The worker drains: tells "shutdown", and runs what waits for that. */
void schedule_drain(struct schedule *s);
/* Whether functions of mt.on_reload are running. */
bool schedule_is_telling(const struct schedule *s);
/* Begins nothing of mt.every from now on; runs under way go on. */
void schedule_end(struct schedule *s);

/* Adds every and on_reload to the table on top of the stack. [-0, +0, may longjmp] */
void schedule_open(lua_State *L);
/* For modules of ours, a function: on_drain(fn) runs fn once, when the worker drains, in whichever
 * generation. [-0, +1, may longjmp] */
int luaopen_moontrail_on_drain(lua_State *L);

#endif

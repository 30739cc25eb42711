/*
 * What the scripts of a generation do without being asked: mt.every, as long as the generation is
 * the current one, and mt.on_reload, once it no longer is or the worker drains. Each run is a task
 * as mt.spawn starts one.
 *
 *     SCHEDULE_LOADING ──▶ SCHEDULE_GOING ──▶ SCHEDULE_OVER
 *
 * A generation owns one, which its vm refers to; what scripts have registered are values of theirs.
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
    SCHEDULE_LOADING, /* the scripts run: mt.every works */
    SCHEDULE_GOING,
    SCHEDULE_OVER, /* nothing begins any more */
};

struct schedule {
    struct vm *vm;
    enum schedule_state state;
    const char *told; /* what on_reload functions are called with, once there is something */
    size_t telling;   /* of them under way */
    struct list every, hooks;
};

/* Of a vm whose scripts are about to load. RC_NOMEM. */
enum rc schedule_new(struct vm *vm, struct schedule **out) MUST_CHECK;
/* No task of the vm may be left; ends it where that was not done. */
void schedule_free(struct schedule *s);
/* The scripts are loaded. */
void schedule_go(struct schedule *s);
/* Runs the functions of mt.on_reload with "reload" or "shutdown", where they were not run. */
void schedule_tell(struct schedule *s, const char *what);
/* Whether some of those run. */
bool schedule_is_telling(const struct schedule *s);
/* Nothing of mt.every begins from now on; what runs goes on. */
void schedule_end(struct schedule *s);

/* Adds every and on_reload to the table on top of the stack. [-0, +0, may longjmp] */
void schedule_open(lua_State *L);

#endif

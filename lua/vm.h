/*
 * A vm: one Lua state with its libraries, its tasks and the requests that they serve. It owns all
 * of them; the event loop and the timers' time are borrowed. Lua runs only inside vm_run and while
 * scripts load.
 */
#ifndef LUA_VM_H
#define LUA_VM_H

#include "core/list.h"
#include "core/rc.h"
#include "lua/handles.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

struct ev_loop;
struct task;

struct vm {
    lua_State *L;
    struct ev_loop *ev;
    bool dev;             /* error pages show tracebacks */
    struct task *running; /* the task that runs now; NULL outside vm_run */
    struct list tasks;    /* those that have begun or will, by task.link */
    struct list ready;    /* those to be resumed, by task.queue */
    struct list spare;    /* those that are over, to be used again, by task.link */
    size_t spare_count;
    struct handles requests; /* struct ctx by handle */
};

/* The folder that require searches first; may be NULL. RC_NOMEM. */
enum rc vm_new(struct ev_loop *ev, bool dev, const char *folder, struct vm **out) MUST_CHECK;
/* Every task must be over. */
void vm_free(struct vm *vm);

/* The vm that a Lua state, or a coroutine in it, belongs to. */
static inline struct vm *vm_of(lua_State *L)
{
    return *(struct vm **)lua_getextraspace(L);
}

/* Resumes each task that was ready when the call began. Returns whether more are ready now. */
bool vm_run(struct vm *vm);

/* Calls f with a light userdata in a protected call on the main state; what f returns is left on
 * its stack, at most results values. False when it raised; the error value is then left there. [-0,
 * +results|1] */
bool vm_call(struct vm *vm, lua_CFunction f, void *arg, int results);

#endif

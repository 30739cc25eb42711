/*
 * A task: a Lua coroutine that the runtime drives. It runs until it waits or ends. What it waits
 * for is in its only wait slot, which every wait sets and every resume clears.
 *
 *     TASK_READY ──vm_run──▶ TASK_RUNNING ──task_wait──▶ TASK_WAITING ──task_wake──▶ TASK_READY
 *                                 ├──returns, raises──▶ TASK_CLOSING ──▶ TASK_OVER (spare)
 *                                 └──task_kill───────▶ TASK_KILLED ───▶ TASK_CLOSING
 *     TASK_READY ──task_drop──▶ TASK_OVER
 *
 * Coroutines are reused: a finished task goes to its vm's spare list.
 */
#ifndef LUA_RUNTIME_TASK_H
#define LUA_RUNTIME_TASK_H

#include "core/list.h"
#include "core/rc.h"
#include "net/timer.h"

#include <lua.h>
#include <stdbool.h>

struct ctx;
struct vm;

enum task_state { TASK_READY, TASK_RUNNING, TASK_WAITING, TASK_KILLED, TASK_CLOSING, TASK_OVER };

/* Something that ends with a task, unless it has ended before. */
struct task_bond {
    struct list link;
    void (*end)(struct task_bond *b); /* b is not bound when this is called */
    bool strict;                      /* ends if nobody inherits it, too */
    bool stays;                       /* nobody inherits it: it ends with its task */
};

struct task {
    struct list link, queue;
    struct vm *vm;
    lua_State *co;
    int ref; /* keeps co from the collector */
    lua_State *
        *chain; /* the script's coroutines that run in each other inside co, outermost first */
    size_t depth, room; /* the length of the chain; room in its array */
    enum task_state state;
    void (*cancel)(struct task *t); /* undoes what it waits for; NULL when it does not wait */
    void *data;                     /* for cancel */
    lua_CFunction entry;            /* NULL once it has begun */
    struct ctx *ctx;                /* the request that it serves; borrowed, may be NULL */
    int64_t request;                /* the handle of the one that it was started for; 0 is none */
    bool met_abort;                 /* an abort error was raised in it */
    void *owner;                    /* for done and permit */
    const char *killed;             /* why it is to end, whatever catches errors; static */
    struct list bonds;              /* what ends with it, by task_bond.link */
    bool overran;                   /* what closes it has passed the CPU budget once */
    /* Raises if the task must not wait, or not go on after a wait: if its request is aborted, for
     * example. */
    void (*permit)(lua_State *L, struct task *t);
    struct timer timer;
    /* Called once at its end with the status that lua_resume gave; LUA_YIELD for a script that
     * yielded out of its task, or one in TASK_KILLED. The coroutine's stack is as it was left: an
     * error is on top. Where the status is not LUA_OK, done calls task_close. */
    void (*done)(struct task *t, int status);
};

/* What a task does, and who is told of it. */
struct task_kind {
    lua_CFunction entry; /* called with a light userdata of the task */
    void (*permit)(lua_State *L, struct task *t);
    void (*done)(struct task *t, int status);
};

/* A ready task. RC_NOMEM. */
enum rc task_new(
    struct vm *vm, const struct task_kind *kind, void *owner, struct task **out) MUST_CHECK;
/* Ends a task that has not begun; done is not called. */
void task_drop(struct task *t);
/* The chain: a coroutine of the script's is about to run inside what runs now, and has stopped to.
 * Nothing is noted where t is NULL. RC_NOMEM. */
enum rc task_enter(struct task *t, lua_State *co) MUST_CHECK;
void task_leave(struct task *t);
/* Resumes it until it waits or ends. May free. For vm_run. */
void task_run(struct task *t);
/* Frees spare tasks, and their coroutines with the vm. */
void task_free_spare(struct vm *vm);

/* The coroutine that runs, or ran last: the chain's end. */
static inline lua_State *task_innermost(const struct task *t)
{
    return t->depth ? t->chain[t->depth - 1] : t->co;
}
/* Whether the running code can yield to its task: nothing between them prevents it. */
bool task_can_wait(const struct task *t);
/* Makes a task that waits ready; no effect on one that does not, or on NULL. Does not resume. */
void task_wake(struct task *t);
/* Cancels what it waits for, and makes it ready. */
void task_interrupt(struct task *t);
/* The running task, for a C function that is about to wait; raises where there is none, where
 * waiting can't work, and as the task's permit. [-0, +0, may longjmp] */
struct task *task_waiter(lua_State *L);
/*
 * Waits: to be called last in a C function, as lua_yieldk, with what task_waiter returned and
 * nothing that may raise in between, so that the event to wake the task finds it waiting. cancel
 * must undo the wait. [-0, +0, may longjmp]
 */
int task_wait(lua_State *L, struct task *t, void (*cancel)(struct task *t), void *data,
    lua_KContext context, lua_KFunction k);
/* To be called first in the continuation of a wait: raises as the task's permit. */
void task_resumed(lua_State *L);
/* Ends the running task in a way that no pcall catches, where nothing between keeps it from
 * yielding; raises otherwise, and what catches that calls task_go_on_dying. why is static. May be
 * called in a hook, and must then be the last call. */
int task_kill(lua_State *L, const char *why);
/* To be called by what has caught an error: goes on with the end of a task that is being killed.
 * [-0, +0, may longjmp] */
void task_go_on_dying(lua_State *L);
/*
 * Runs the pending to-be-closed variables of a task that has failed; they cannot wait. on_error is
 * called with an error that they have raised after the task's own on top of the main state.
 * [main: -0, +1..2]
 */
void task_close(struct task *t, void (*on_error)(lua_State *L, struct task *t));
/* Closes a coroutine: lua_resetthread under the task's budget. Gives its status; an error is on top
 * of it. */
int task_close_coroutine(lua_State *co);
/* Binds b, whose link is in no list, to t. */
void task_bind(struct task *t, struct task_bond *b);
/* Moves what is bound to t to the heir; if that is NULL, what is strict ends, and the rest is bound
 * to no task. What stays ends in any case. */
void task_bequeath(struct task *t, struct task *heir);
/* Pushes the error of a task that has raised. [-0, +1] */
void task_push_error(lua_State *L, struct task *t);

#endif

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

/* Something that ends with a task, if it has not ended before. */
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
    int ref;   /* keeps co from being collected */
    int shelf; /* the registry's place for a value that the owner keeps with the task; it holds
                  false where there is none */
    lua_State *
        *chain; /* the script's coroutines that run in each other inside co, outermost first */
    size_t depth, room; /* the length of the chain; room in its array */
    enum task_state state;
    void (*cancel)(struct task *t); /* undoes the wait; NULL if the task does not wait */
    void *data;                     /* for cancel */
    lua_CFunction entry;            /* NULL after it has begun */
    struct ctx *ctx;                /* the request that it serves; borrowed, may be NULL */
    int64_t request;    /* the handle of the request for which it was started; 0 is none */
    bool met_abort;     /* an abort error was raised in it */
    void *owner;        /* for done and permit */
    const char *killed; /* why it must end, whatever catches errors; static */
    struct list bonds;  /* what ends with it, by task_bond.link */
    bool overran;       /* closing its variables has exceeded the CPU budget once */
    /* Raises if the task must not wait, or must not go on after a wait: for example, if its request
     * is aborted. */
    void (*permit)(lua_State *L, struct task *t);
    struct timer timer;
    /* Called once, at its end, with the status of lua_resume; LUA_YIELD for a script that yielded
     * out of its task, and for TASK_KILLED. The coroutine's stack is unchanged: an error is on top.
     * If the status is not LUA_OK, done calls task_close. */
    void (*done)(struct task *t, int status);
};

/* What a task does, and what is called when it ends. */
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
/* The chain: a coroutine of the script is about to run inside the running one, or has stopped.
 * Nothing is noted if t is NULL. RC_NOMEM. */
enum rc task_enter(struct task *t, lua_State *co) MUST_CHECK;
void task_leave(struct task *t);
/* Resumes the task until it waits or ends. May free it. For vm_run. */
void task_run(struct task *t);
/* Frees spare tasks. Their coroutines are freed with the vm. */
void task_free_spare(struct vm *vm);

/* The end of the chain: the coroutine that runs, or ran last. */
static inline lua_State *task_innermost(const struct task *t)
{
    return t->depth ? t->chain[t->depth - 1] : t->co;
}
/* Whether the running code can yield to its task through everything in between. */
bool task_can_wait(const struct task *t);
/* Makes a waiting task ready; no effect on one that does not wait, or on NULL. Does not resume. */
void task_wake(struct task *t);
/* Cancels the task's wait, and makes it ready. */
void task_interrupt(struct task *t);
/* The running task, for a C function that is about to wait. Raises if there is none, if it cannot
 * wait here, and as the task's permit. [-0, +0, may longjmp] */
struct task *task_waiter(lua_State *L);
/*
 * Waits. To be called last in a C function, as lua_yieldk, with the result of task_waiter. Nothing
 * in between may raise, so that the event that wakes the task finds it waiting. cancel must undo
 * the wait. [-0, +0, may longjmp]
 */
int task_wait(lua_State *L, struct task *t, void (*cancel)(struct task *t), void *data,
    lua_KContext context, lua_KFunction k);
/* To be called first in the continuation of a wait: raises as the task's permit. */
void task_resumed(lua_State *L);
/* Ends the running task. If everything in between can yield, no pcall catches that; otherwise it
 * raises, and code that catches the error must call task_go_on_dying. why is static. In a hook this
 * must be the last call. */
int task_kill(lua_State *L, const char *why);
/* To be called by code that has caught an error: goes on ending a task that is being killed. [-0,
 * +0, may longjmp] */
void task_go_on_dying(lua_State *L);
/*
 * Runs the pending to-be-closed variables of a task that has failed; they cannot wait. on_error is
 * called with an error that they have raised after the task's own on top of the main state.
 * [main: -0, +1..2]
 */
void task_close(struct task *t, void (*on_error)(lua_State *L, struct task *t));
/* Closes a coroutine: lua_resetthread under the task's budget. Returns its status; an error is on
 * top of its stack. */
int task_close_coroutine(lua_State *co);
/* Binds b, whose link is in no list, to t. */
void task_bind(struct task *t, struct task_bond *b);
/* Moves what is bound to t to the heir; if that is NULL, what is strict ends, and the rest is bound
 * to no task. What stays ends in any case. */
void task_bequeath(struct task *t, struct task *heir);
/* Pushes the error of a task that has raised. [-0, +1] */
void task_push_error(lua_State *L, struct task *t);

#endif

/*
 * A program that a script has started: a userdata that owns it, bound to the task that made it,
 * whose end closes it, however it ends. What the program tells is noted, and wakes who waits.
 *
 *     made ──▶ open ──its end, both outputs read──▶ open still, and nothing waits any more
 *     open ──close, the task's end, the collector──▶ closed
 *     open ──timeout, limit, no memory──▶ failed: everything raises that
 *
 * Whatever of the program is left then is ended, in a while that nobody sees (program/program.h).
 */
#ifndef LUA_PROCESS_PROCESS_H
#define LUA_PROCESS_PROCESS_H

#include "lua/process/options.h"
#include "lua/runtime/task.h"
#include "program/program.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>

enum process_failure {
    PROCESS_WELL,
    PROCESS_LATE,  /* its time ran out */
    PROCESS_LARGE, /* it said more than its limit */
    PROCESS_LOST,  /* there was no memory for what it said */
};

struct process {
    struct vm *vm;
    struct program *program; /* NULL where it is closed or has failed */
    enum process_failure failure;
    bool over;        /* code and signal are there */
    int code, signal; /* as those of struct program */
    struct task_bond bond;
    struct timer alarm; /* runs towards its timeout */
    double seconds;     /* which is this; 0 for none */
    uint64_t limit;     /* bytes of each output */
    struct str input;   /* what of the option stdin is still to be written */
    /* Who waits, each held until it runs again. */
    struct task *readers[PROGRAM_OUTPUTS], *writer;
    struct list waiters; /* for its end, by task.queue */
    bool finished;       /* by the script: it writes no more */
    int write_next;      /* the argument that a write under way is at */
    size_t write_offset; /* and the byte in it */
};

/* Makes the metatable. [-0, +0, may longjmp] */
void process_open(lua_State *L);

/* Starts what the values at the indices say, and pushes its userdata. Raises where it cannot be
 * started, or the running task not wait. [-0, +1, may longjmp] */
struct process *process_start(
    lua_State *L, int argv, int options, const struct process_defaults *defaults);
/* Ends what is left of it; no effect on one that is closed. */
void process_close(struct process *s);
/* That of the userdata at index 1; raises where it is none, or closed, or has failed. */
struct process *process_live(lua_State *L);
/* First in the continuation of a wait, in place of task_resumed: the same. */
struct process *process_resumed(lua_State *L);
/* The running task's slots are free again. */
void process_leave(struct process *s);
/* Raises its failure, where the userdata is at the index. */
int process_raise(lua_State *L, int index, const struct process *s);
/* For task_wait, where the slots are all that is to be undone. */
void process_cancel(struct task *t);

/* Adds process, or exec, to the table on top of the stack. [-0, +0, may longjmp] */
void process_add_function(lua_State *L);
void exec_add_function(lua_State *L);

/* The methods; ends with a NULL name. */
extern const luaL_Reg process_methods[];

#endif

/*
 * A program that a script has started: a userdata that owns it. It is bound to the task that made
 * it: when that ends, in whatever way, it is closed. Events of the program are noted, and wake the
 * tasks that wait.
 *
 *     made ──▶ open ──its end, both outputs read──▶ open still, and nothing waits any more
 *     open ──close, the task's end, the collector──▶ closed
 *     open ──timeout, limit, no memory──▶ failed: everything raises that
 *
 * What is left of the program then is ended in the background (program/program.h).
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
    PROCESS_LARGE, /* its output exceeded the limit */
    PROCESS_LOST,  /* there was no memory for its output */
};

struct process {
    struct vm *vm;
    struct program *program; /* NULL if it is closed or has failed */
    enum process_failure failure;
    bool over;        /* it has ended: code and signal are set */
    int code, signal; /* as those of struct program */
    struct task_bond bond;
    struct timer alarm; /* runs towards its timeout */
    double seconds;     /* its timeout; 0 for none */
    uint64_t limit;     /* bytes of each output */
    struct str input;   /* the rest of the option stdin */
    /* The tasks that wait; set until they run again. */
    struct task *readers[PROGRAM_OUTPUTS], *writer;
    struct list waiters; /* tasks that wait for its end, by task.queue */
    bool finished;       /* the script has ended its input */
    int write_next;      /* the current argument of a write under way */
    size_t write_offset; /* and the next byte in it */
};

/* Makes the metatable. [-0, +0, may longjmp] */
void process_open(lua_State *L);

/* Starts the program that the values at the indices describe, and pushes its userdata. Raises if it
 * cannot be started, or if the running task cannot wait. [-0, +1, may longjmp] */
struct process *process_start(
    lua_State *L, int argv, int options, const struct process_defaults *defaults);
/* Ends what is left of it; no effect if it is closed. */
void process_close(struct process *s);
/* The process of the userdata at index 1. Raises if it is not one, is closed, or has failed. */
struct process *process_live(lua_State *L);
/* To be called first in the continuation of a wait, instead of task_resumed; otherwise as
 * process_live. */
struct process *process_resumed(lua_State *L);
/* Frees the running task's slots. */
void process_leave(struct process *s);
/* Raises its failure. The userdata is at the index. */
int process_raise(lua_State *L, int index, const struct process *s);
/* For task_wait, if only the slots have to be freed. */
void process_cancel(struct task *t);

/* Adds process, or exec, to the table on top of the stack. [-0, +0, may longjmp] */
void process_add_function(lua_State *L);
void exec_add_function(lua_State *L);

/* The methods; ends with a NULL name. */
extern const luaL_Reg process_methods[];

#endif

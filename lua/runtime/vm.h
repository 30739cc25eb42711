/*
 * A vm: one Lua state with its libraries, its tasks and the requests that they serve. It owns all
 * of them; the event loop and the timers' time are borrowed. Lua runs only inside vm_run and while
 * scripts load.
 */
#ifndef LUA_RUNTIME_VM_H
#define LUA_RUNTIME_VM_H

#include "core/list.h"
#include "core/rc.h"
#include "lua/runtime/budget.h"
#include "lua/runtime/handles.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ev_loop;
struct connector;
struct dispatch;
struct forwarder;
struct store;
struct programs;
struct schedule;
struct task;

enum {
    VM_FAULT = 500, /* bytes of vm.fault at the most */
    VM_MISSED = 32, /* and of vm.missed */
};

struct vm_options {
    bool dev;                 /* error pages show tracebacks */
    int worker, workers;      /* which one this is, from 0, and how many serve */
    double max_cpu;           /* seconds that a task may run without waiting; 0 is no limit */
    double load_timeout;      /* seconds that the scripts may take to load; 0 is no limit */
    size_t max_memory;        /* bytes; 0 is no limit */
    size_t body_limit;        /* bytes that ctx:body takes unless told otherwise */
    unsigned max_generations; /* alive at once, past which the oldest is aborted; 0: no limit */
    const char *const *proto_path; /* folders of .proto files; borrowed */
    int proto_path_count;
    struct forwarder *forwarder;     /* for ctx:proxy; borrowed. NULL where no request comes */
    struct connector *connector;     /* for mt.http; as the forwarder */
    struct store *store;             /* borrowed; NULL for none */
    struct programs *programs;       /* for mt.exec; as the forwarder */
    const struct dispatch *dispatch; /* what other handlers take; borrowed, NULL for nothing */
};

struct vm {
    lua_State *L;
    struct ev_loop *ev;
    struct vm_options options;
    size_t memory;        /* bytes that the state takes */
    size_t memory_limit;  /* bytes that it may take: what others of the process leave of max_memory;
                             0 is no limit */
    struct task *running; /* the task that runs now; NULL outside vm_run */
    struct list tasks;    /* those that have begun or will, by task.link */
    struct list ready;    /* those to be resumed, by task.queue */
    struct list spare;    /* those that are over, to be used again, by task.link */
    size_t spare_count;
    struct budget budget;
    int closing;               /* coroutines being closed, within each other */
    int ending;                /* an enum spawn_cause: why tasks that are started now never begin */
    struct schedule *schedule; /* what its scripts do unasked; borrowed from its generation */
    struct handles requests;   /* struct ctx by handle */
    int ctx_metatable;         /* the registry's reference to it */
    int ctx_begun;             /* and its place for the ctx table of the task that began last */
    char missed[VM_MISSED];    /* the name that ctx was asked for last in vain; see missed.h */
    void (*blocked)(struct task *t); /* it ran for so long that the master has asked about it */
    const char *fault;   /* why the scripts on disk do not load; "" where they do; borrowed */
    size_t memory_floor; /* bytes that it took when the scripts had just loaded */
    size_t memory_mark;  /* bytes past which a collection is due before the next task */
    bool bloated;        /* the last collection left nearly all above the floor taken */
    bool relieved;       /* requests were ended for that, and their memory is to be collected */
};

/* A state in which open, called with the folder as light userdata, has made the libraries; the
 * folder may be NULL. RC_NOMEM. */
enum rc vm_new(struct ev_loop *ev, const struct vm_options *options, lua_CFunction open,
    const char *folder, struct vm **out) MUST_CHECK;
/* Every task must be over. */
void vm_free(struct vm *vm);

/*
 * Each Lua state, the main one and every coroutine, has a word of its own: the address of its vm,
 * whose lowest bits are marks.
 */
enum vm_mark {
    VM_WAITING = 1,  /* the coroutine is in a wait of its task's */
    VM_HANDLER = 2,  /* it is in an xpcall: Lua knows a message handler by its place on the stack */
    VM_CLOSED = 4,   /* it is resumed to leave its xpcalls, and then closed */
    VM_NO_HOOKS = 8, /* a hook has raised in it: hooks are off until a pcall catches that */
    VM_MARKS = 15
};

static inline uintptr_t *vm_word(lua_State *L)
{
    return lua_getextraspace(L);
}

/* The vm that a Lua state, or a coroutine in it, belongs to. */
static inline struct vm *vm_of(lua_State *L)
{
    return (struct vm *)(*vm_word(L) & ~(uintptr_t)VM_MARKS);
}

static inline bool vm_has_mark(lua_State *co, unsigned mark)
{
    return *vm_word(co) & mark;
}

static inline void vm_set_mark(lua_State *co, enum vm_mark mark, bool on)
{
    *vm_word(co) = (*vm_word(co) & ~(uintptr_t)mark) | (on ? mark : 0);
}

/* Bytes that it may take from now on, of what its options give at the most. */
void vm_set_memory_limit(struct vm *vm, size_t bytes);
/* Resumes each task that was ready when the call began, up to the one that leaves the state
 * bloated. Returns whether more are ready now. */
bool vm_run(struct vm *vm);
/* Collects all garbage of the state. */
void vm_collect(struct vm *vm);

/* Calls f with a light userdata in a protected call on the main state; what f returns is left on
 * its stack, at most results values. False when it raised; the error value is then left there. [-0,
 * +results|1] */
bool vm_call(struct vm *vm, lua_CFunction f, void *arg, int results);

#endif

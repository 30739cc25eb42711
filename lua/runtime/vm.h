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
struct names;
struct store;
struct programs;
struct schedule;
struct socket_group;
struct task;

enum {
    VM_FAULT = 500, /* bytes of vm.fault, at most */
    VM_MISSED = 32, /* bytes of vm.missed, at most */
    VM_LEVELS = 65, /* functions around a handler, at most */
};

struct vm_options {
    bool dev;                 /* error pages show tracebacks */
    int worker, workers;      /* the index of this one, from 0, and their number */
    double max_cpu;           /* seconds that a task may run without waiting; 0 is no limit */
    double load_timeout;      /* seconds that the scripts may take to load; 0 is no limit */
    size_t max_memory;        /* bytes; 0 is no limit */
    size_t body_limit;        /* bytes that ctx:body accepts by default */
    unsigned max_generations; /* alive at once; beyond that the oldest is aborted; 0: no limit */
    const char *const *proto_path; /* folders of .proto files; borrowed */
    int proto_path_count;
    struct forwarder *forwarder;     /* for ctx:proxy; borrowed. NULL if there are no requests */
    struct connector *connector;     /* for mt.http; likewise */
    struct names *names;             /* for modules that dial by themselves; likewise */
    struct store *store;             /* borrowed; NULL for none */
    struct programs *programs;       /* for mt.exec; as the forwarder */
    struct socket_group *sockets;    /* for mt.socket; likewise */
    const struct dispatch *dispatch; /* what other handlers take; borrowed. NULL for nothing */
};

struct vm {
    lua_State *L;
    struct ev_loop *ev;
    struct vm_options options;
    size_t memory;        /* bytes that the state takes */
    size_t memory_limit;  /* bytes that it may take: what others of the process leave of max_memory;
                             0 is no limit */
    struct task *running; /* NULL outside of vm_run */
    struct list tasks;    /* tasks that have begun or will begin, by task.link */
    struct list ready;    /* tasks to be resumed, by task.queue */
    struct list spare;    /* ended tasks, to be reused, by task.link */
    size_t spare_count;
    struct budget budget;
    int closing;               /* nested closes of coroutines under way */
    int ending;                /* an enum spawn_cause: why tasks that are started now never begin */
    size_t partings;           /* tasks that end for others what these have left open */
    struct schedule *schedule; /* runs without a request; borrowed from the generation */
    struct handles requests;   /* struct ctx by handle */
    int ctx_metatable;         /* the registry's reference to it */
    int ctx_begun;             /* and its place for the ctx table of the task that began last */
    char missed[VM_MISSED];    /* the last name that ctx lacked; see missed.h */
    void (*blocked)(struct task *t); /* the master has asked why the task runs for so long */
    int (*page)(lua_State *L);       /* the lua_CFunction that writes the page of a status */
    int nexts[VM_LEVELS];            /* the registry's references to the next functions */
    const char *fault;               /* why the scripts on disk do not load, or ""; borrowed */
    size_t memory_floor; /* bytes that the state took just after the scripts had loaded */
    size_t memory_mark;  /* bytes past which a collection is due before the next task */
    bool bloated;  /* after the last collection nearly all memory above the floor was still taken */
    bool relieved; /* requests were ended for that, and their memory is to be collected */
};

/* Makes a state. open, called with the folder as light userdata, opens its libraries; the folder
 * may be NULL. RC_NOMEM. */
enum rc vm_new(struct ev_loop *ev, const struct vm_options *options, lua_CFunction open,
    const char *folder, struct vm **out) MUST_CHECK;
/* Every task must have ended. */
void vm_free(struct vm *vm);

/*
 * Each Lua state, the main one and every coroutine, has an extra word: the address of its vm, whose
 * lowest bits are marks.
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

/* The vm of a Lua state or of a coroutine in it. */
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

/* Sets how many bytes the state may take, at most those of its options. */
void vm_set_memory_limit(struct vm *vm, size_t bytes);
/* Resumes each task that was ready when the call began, up to the one that leaves the state
 * bloated. Returns whether more are ready now. */
bool vm_run(struct vm *vm);
/* Collects all garbage of the state. */
void vm_collect(struct vm *vm);

/* Calls f with a light userdata in protected mode on the main state. Leaves there what f returns,
 * at most `results` values. False if it raised; then the error value is left. [-0, +results|1] */
bool vm_call(struct vm *vm, lua_CFunction f, void *arg, int results);

#endif

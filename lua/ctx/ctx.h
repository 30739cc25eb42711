/*
 * ctx: the table that a handler gets, and the request behind it. The table holds a handle and no
 * pointer; the request lives here until its handler has returned:
 *
 *     ──client gone, reset, shutdown──▶ aborted ──handler has returned──▶ ended
 *       └──handler has returned──▶ freed ◀──no task is left that was started for it──┘
 *
 * The handle of a freed request gives nothing. A request that has ended still tells the tasks that
 * were started for it why.
 *
 * When an exchange dies its ctx is detached from it first, so that nothing that a script holds can
 * reach freed memory; then the waits are cancelled and the task raises.
 *
 * A table gets its handle when its task first waits. Until then no other task runs: only the
 * running task has the table, and the table is known by its address. Most tasks never wait, and an
 * empty table saves 500 instructions a request.
 */
#ifndef LUA_CTX_CTX_H
#define LUA_CTX_CTX_H

#include "core/rc.h"
#include "http/cut.h"
#include "http/forwarder.h"
#include "http/router.h"
#include "lua/ctx/arguments.h"
#include "lua/ctx/body.h"
#include "net/timer.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct around;
struct exchange;
struct report_kept;
struct script_file;
struct task;
struct vm;

/* What ctx.heads is while the functions of ctx:on_head run. */
enum { CTX_HEADS_RUN = -3 };

/* How far a request has come that fails. */
enum ctx_stage {
    CTX_HANDLED,  /* its scripts run */
    CTX_FAILED,   /* they have failed: a page tells of it, made by a script */
    CTX_GIVEN_UP, /* that has failed as well: the server's own page */
};

/* What goes around a request's handler. Only a request around which something goes has it. */
struct ctx_wrap {
    const struct around *around;
    size_t level; /* of what has been entered, from outside; past all for none that may go on */
    bool inside;  /* all has been entered */
    int outer;    /* reference to a function outside of all others, LUA_NOREF for none */
    int failed;   /* to one that may answer what a middleware raised */
    int status;   /* 0: the handler is inside; else a page of the server's, with this status */
    const char *allow; /* for the page; may be NULL */
};

struct ctx {
    struct vm *vm;
    struct task *task;  /* the handler's */
    struct exchange *x; /* NULL once aborted */
    int64_t handle;
    const void *table;  /* the address of its Lua table, which the handler's frame keeps alive */
    bool attached;      /* the table has the handle */
    int handler;        /* the registry's reference to the function to call */
    struct match match; /* the script, a struct script_file, and the path's parameters, which lie in
                           the exchange's arena */
    /* The tasks that wait for the request's body, and for the response to be sent. Set until they
     * run again, so that no other task takes their place after they were woken or interrupted. */
    struct task *reader, *writer;
    struct lender lender; /* of x, while another server answers */
    int callbacks;        /* the registry's reference to the table of on_abort functions */
    int heads;            /* the same for on_head, until they run */
    bool wrapped;         /* wrap is set */
    struct ctx_wrap wrap;
    enum ctx_stage stage;
    int failure, problem, shown; /* once it fails: the status that tells of it, and references to
                                    what was raised, and to a text for the server's own page */
    bool status_set;             /* by the script */
    bool aborted;
    double aborted_at;        /* on clock_monotonic */
    int abort_errors;         /* raised since then */
    bool ended;               /* the handler has returned; only followers are left */
    size_t followers;         /* tasks that were started for it and have not ended */
    double deadline;          /* on clock_monotonic; 0 is none */
    struct timer alarm;       /* runs towards the deadline */
    bool expired;             /* the deadline ended a wait, and the task has not run since */
    struct cut cut;           /* why it was aborted */
    struct report_kept *kept; /* what the log says of it after it was aborted; may be NULL */
    uint64_t conn;            /* numbers for the log */
    uint32_t stream;
    struct body_whole whole;     /* the request's body, read by ctx:body */
    struct arguments_left write; /* the rest of a write under way */
};

/* The script that answers it. */
static inline struct script_file *ctx_script(const struct ctx *c)
{
    return c->match.target;
}

/* Makes the metatable. [-0, +0, may longjmp] */
void ctx_open(lua_State *L);

/* For an exchange. Its match and handler are still to be set. RC_NOMEM. */
enum rc ctx_new(struct vm *vm, struct exchange *x, struct ctx **out) MUST_CHECK;
/* To be called when its handler has returned: handles that scripts kept are invalid from then on.
 * An aborted request, however, stays until the tasks that were started for it have ended: their
 * waits and calls raise the abort error. */
void ctx_free(struct ctx *c);
/* A task begins, or has ended. t->request may be the handle of the request for which it was
 * started. */
void ctx_follow(const struct task *t);
void ctx_unfollow(const struct task *t);
/* Pushes a new table of the functions that a ctx has. [-0, +1, may longjmp] */
void ctx_push_functions(lua_State *L);
/* Pushes the new table of c. [-0, +1, may longjmp] */
void ctx_push(lua_State *L, struct ctx *c);
/* Pushes the table of c, which was pushed before by a task that has ended and is now on the shelf
 * of another. [-0, +1, may longjmp] */
void ctx_push_again(lua_State *L, struct ctx *c);
/* Allows the table that was pushed last to be collected: its task has waited or ended. */
void ctx_let_go(struct vm *vm);
/* Ends what another server does for it, and gives the exchange back to the handler. */
void ctx_take_back(struct ctx *c);
/* Detaches c from its exchange, which may then be freed, and wakes the tasks that wait. */
void ctx_abort(struct ctx *c, struct cut cut);
/* Calls and drops the on_abort functions, if c is aborted. Their errors are logged. [-0, +0, may
 * longjmp] */
void ctx_call_callbacks(lua_State *L, struct ctx *c);
/* The same, called from outside of Lua. */
void ctx_call_callbacks_at_end(struct ctx *c);

/* For the files that implement ctx functions. */

/* The request of the table at index 1, if there is one, or of the running task; then nil is
 * inserted at index 1, so that arguments begin at index 2. Raises if it has ended. [-0, +0|1, may
 * longjmp] */
struct ctx *ctx_arg(lua_State *L);
/* As ctx_arg, but also raises if the request is aborted. */
struct ctx *ctx_live(lua_State *L);
/* The request for which a wait was resumed, by the handle that the wait kept. Frees its slot.
 * Raises as ctx_live. */
struct ctx *ctx_resumed(lua_State *L, lua_KContext handle);
/* Raises the abort error if c is aborted, having called the on_abort functions. A task that
 * swallows too many of them is killed. */
void ctx_check(lua_State *L, struct ctx *c);
/* For the handler's task: as ctx_check, and raises past the deadline. */
void ctx_check_task(lua_State *L, struct task *t);
/* Runs the functions of ctx:on_head, if the head is not fixed. Raises what they raise, and if they
 * write themselves. [-0, +0, may longjmp] */
void ctx_run_heads(lua_State *L, struct ctx *c);

/* To be called before the head may be fixed; else as ctx_run_heads. */
static inline void ctx_before_head(lua_State *L, struct ctx *c)
{
    if (c->heads != LUA_NOREF)
        ctx_run_heads(L, c);
}

/* To be called after a page was written: if there was no memory for it, the stream was reset, and
 * this raises the abort error. [-0, +0, may longjmp] */
void ctx_note_answer(lua_State *L, struct ctx *c);

/* Sets the deadline to so many seconds from now; a negative number removes it. */
void ctx_set_deadline(struct ctx *c, double seconds);
/* The handle of the request that the running task serves or was started for; 0 is none. */
int64_t ctx_running(const struct vm *vm);
/* Whether the value at the index, an error of the task, is an abort error of any request. [-0, +0,
 * may longjmp] */
bool ctx_is_abort_error(lua_State *L, int index, const struct task *t);

#endif

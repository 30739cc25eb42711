/*
 * A link: one connection to a PostgreSQL server, by libpq's calls that do not block. It is a
 * userdata; what it does belongs to the task that calls it, and it waits by lua/runtime/waiting.h.
 *
 *     LINK_OPENING ──PQconnectPoll──▶ LINK_IDLE ──an operation begins──▶ LINK_BUSY
 *     LINK_BUSY ──its last result is taken──▶ LINK_IDLE
 *     any ──link_close, the collector──▶ LINK_CLOSED
 *
 * An operation that is left early, since its wait was aborted, its time ran out, or memory did,
 * leaves the link busy, and so good for nothing but link_close: that ends it at the server
 * (cancel.h). A lost connection is seen by PQstatus.
 *
 * An operation is a step, which is run until it has an outcome, with a wait between each two runs.
 * The userdata is at index 1 of the stack of each function here that may wait.
 */
#ifndef LUA_MODULES_POSTGRES_LINK_H
#define LUA_MODULES_POSTGRES_LINK_H

#include "lua/modules/postgres/cancel.h"
#include "lua/runtime/task.h"
#include "lua/runtime/waiting.h"

#include <lauxlib.h>
#include <postgresql/libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

enum link_state { LINK_OPENING, LINK_IDLE, LINK_BUSY, LINK_CLOSED };

struct link;

/* Pushes an outcome, and returns how many values; or LINK_WAITS, with the events to wait for. */
typedef int link_step(lua_State *L, struct link *k, unsigned *events);
enum { LINK_WAITS = -1 };

/* The userdata's user values. */
enum { LINK_COLUMNS = 1, LINK_ELEMENTS, LINK_TEXT, LINK_VALUES = LINK_TEXT };

struct link {
    struct vm *vm;
    enum link_state state;
    PGconn *pg;        /* NULL if it is closed */
    PGresult *result;  /* the one that is looked at; NULL for none */
    PGresult *failure; /* the error that the operation has met; NULL for none */
    link_step *step;
    struct waiting waiting;
    double until;      /* on clock_monotonic, when the operation's time is over; negative: never */
    bool may_be_stale; /* the operation runs a statement that was prepared some time ago */
    size_t unsent;     /* bytes of a COPY, about, since the last wait */
    size_t rows;       /* that the operation has pushed */
    struct task_bond bond; /* to the task that it ends with */
    struct key_reader reader;
    bool is_ending;  /* the server has said that it will close */
    bool is_secret;  /* what is sent must not be sent in the clear: TLS is demanded */
    void *arguments; /* room for the parameters of a statement; see parameters.c */
    size_t arguments_size;
};

/* Makes the metatable with these methods. [-0, +0, may longjmp] */
void link_open(lua_State *L, const luaL_Reg *const *methods);
/* Pushes a link that is not open. [-0, +1, may longjmp] */
struct link *link_new(lua_State *L);
/* The link at index 1. Raises if it is none, or closed. */
struct link *link_live(lua_State *L);
/* And if it is not idle. */
struct link *link_idle(lua_State *L);
/* Ends what is under way at the server, without a wait, and closes; no effect on a closed one. */
void link_close(struct link *k);
/* From now on it ends with the running task; and no longer. Raises if the task cannot wait. */
void link_own(lua_State *L, struct link *k);
void link_disown(struct link *k);

/* Begins an operation that may take as many seconds as the value at the index says; nil: no limit.
 * Raises if the running task cannot wait. */
void link_begin(lua_State *L, struct link *k, int seconds);
/* The text at the index, or nil, is what positions in errors are in. */
void link_set_text(lua_State *L, int index);
/* As link_begin, for an operation that goes on. */
void link_renew(lua_State *L, struct link *k, int seconds);
/* Runs a step until it has an outcome. To be called last. */
int link_run(lua_State *L, struct link *k, link_step *step);
/* Takes the operation's next result into k->result, NULL after its last. False if it is not there:
 * then the events to wait for are set. */
bool link_take(struct link *k, unsigned *events);
/* Sends what is left to be sent. False, as link_take. */
bool link_flush(lua_State *L, struct link *k, unsigned *events);
/* Keeps k->result as the operation's error, if it has none. */
void link_keep_failure(struct link *k);
/* The operation is over: the link is idle. Raises its error. */
void link_end(lua_State *L, struct link *k);
/* Raises for a call of libpq that failed. */
int link_raise_lost(lua_State *L, struct link *k);

#endif

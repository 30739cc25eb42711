/*
 * mt.socket: connections to other servers from a script. A userdata owns its socket
 * (socket/socket.h), and is bound to the task that made it: when that ends, in whatever way, it is
 * closed. What the socket reports is noted, and wakes the tasks that wait: one may read while
 * another writes.
 */
#ifndef LUA_CLIENT_SOCKET_H
#define LUA_CLIENT_SOCKET_H

#include "lua/ctx/arguments.h"
#include "lua/runtime/task.h"
#include "socket/find.h"
#include "socket/socket.h"

#include <lauxlib.h>
#include <stdbool.h>

/* The user values of the userdata. */
enum socket_value {
    SOCKET_NAME = 1, /* its URL */
    SOCKET_POOL,     /* the name of its pool */
    SOCKET_SECRETS,  /* a table of the TLS options that it was connected with, or nil */
    SOCKET_PLACE,    /* what was lent to its inbox, or nil */
    SOCKET_VALUES = SOCKET_PLACE
};

/* A task that waits; set until it runs again. */
struct socket_wait {
    struct task *task;
    bool woken; /* by something other than its timer */
};

struct script_socket {
    struct vm *vm;
    struct socket *socket; /* NULL if it is closed */
    struct task_bond bond;
    struct socket_wait reader, writer;
    double timeout, pool_idle; /* seconds */
    size_t pool_size;
    bool reused, finished;
    struct find find;            /* of the read under way */
    struct arguments_left write; /* the rest of a write under way */
};

/* Pushes the table of functions. [-0, +1, may longjmp] */
void socket_open_module(lua_State *L);

/* The socket of the userdata at index 1. Raises if it is not one, or is closed. */
struct script_socket *script_socket_live(lua_State *L);
/* Releases it; no effect if it is closed. */
void script_socket_close(struct script_socket *s);
/* Waits in one of the two slots, which must be free, or for so many seconds. To be called last, as
 * task_wait. */
int script_socket_wait(lua_State *L, struct script_socket *s, struct socket_wait *w, double seconds,
    lua_KContext context, lua_KFunction k);
/* To be called first in the continuation, instead of task_resumed: raises as that does, if the
 * socket is closed, and if the time has run out. */
struct script_socket *script_socket_resumed(
    lua_State *L, struct script_socket *s, struct socket_wait *w);
/* Raises the error of a socket that has failed, or takes no more. */
int script_socket_raise(lua_State *L, const struct script_socket *s);

/* The methods; each ends with a NULL name. */
extern const luaL_Reg script_socket_reads[], script_socket_writes[];

#endif

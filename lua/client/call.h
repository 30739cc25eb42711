/*
 * A call of another server (http/call.h) as a script holds it: a userdata, which owns the call.
 *
 *     CLOSED ──http_call_begin──▶ OPEN ──http_call_close──▶ CLOSED
 *
 * It is closed when the script says so, when it is collected, and at the latest when the task that
 * made it ends, or the task that got it as a result, or that one's request. While it is open one
 * task may wait for the response, and one for room to write.
 */
#ifndef LUA_CLIENT_CALL_H
#define LUA_CLIENT_CALL_H

#include "core/rc.h"
#include "http/call.h"
#include "http/connector.h"
#include "lua/client/failure.h"
#include "lua/ctx/arguments.h"
#include "lua/ctx/body.h"
#include "lua/runtime/task.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

struct spawn;
struct vm;

/* The userdata's values. */
enum http_call_value {
    HTTP_CALL_NAME = 1, /* "GET http://…", for errors */
    HTTP_CALL_PROBLEM,  /* the error of HTTP_CALL_UPLOAD, or nil */
    HTTP_CALL_HEADERS,  /* tables of the response's fields, once they were looked at */
    HTTP_CALL_FIELDS,
    HTTP_CALL_UPLOAD, /* the task that writes the request's body, or nil */
    HTTP_CALL_VALUES = HTTP_CALL_UPLOAD
};

struct http_call {
    struct call call; /* set up, while it is open or to be */
    struct vm *vm;
    bool made; /* call is set up */
    bool open;
    bool finished; /* the request's body was ended */
    enum http_failure failure;
    char why[CONNECTOR_WHY];      /* more of it, for the error's text; "" for nothing */
    struct task *reader, *writer; /* the tasks that wait; set until they run again */
    struct task_bond bond;
    struct timer alarm; /* of the timeout; runs where seconds is not 0 */
    double seconds;
    struct spawn *upload;        /* kept by HTTP_CALL_UPLOAD */
    struct body_whole whole;     /* the response's body, read by res:body */
    uint64_t taken;              /* bytes of the body that the script has read */
    struct arguments_left write; /* of a write under way */
};

/* Makes the metatable. [-0, +0, may longjmp] */
void http_call_open(lua_State *L);

/* Pushes a new closed call; its request can be set up. [-0, +1, may longjmp] */
struct http_call *http_call_new(lua_State *L);
/* Has the call made that was set up, with the userdata at the index; seconds until its end, 0 for
 * no limit. The running task must be able to wait. False where too many wait already: then it has
 * failed. Raises where it cannot be made. [-0, +0, may longjmp] */
bool http_call_begin(lua_State *L, int index, struct http_call *h,
    const struct connector_order *order, double seconds);
/* Lets go of the call, and of what uploads. */
void http_call_close(struct http_call *h);
/* The upload of the userdata at index 1 has failed with the error on top: reading raises one of
 * which it is the cause from now on. False where nobody would hear of it, since the response is
 * whole. [-0|1, +0]
 */
bool http_call_fail(lua_State *L, struct http_call *h);

/* The userdata at index 1; the second raises where it is closed. [-0, +0, may longjmp] */
struct http_call *http_call_arg(lua_State *L);
struct http_call *http_call_live(lua_State *L);
/* Raises the error that it failed with. [may longjmp] */
int http_call_raise(lua_State *L, const struct http_call *h);

/* All with the userdata at index 1. Waits for something of the response, or for room to write; to
 * be called last, as task_wait, where nothing of the response is left to be read. Raises where the
 * call has failed. cancel may be NULL. */
int http_call_wait_response(
    lua_State *L, struct http_call *h, void (*cancel)(struct task *t), lua_KFunction k);
int http_call_wait_room(lua_State *L, struct http_call *h, lua_KFunction k);
/* To be called first in the continuation of either. [-0, +0, may longjmp] */
struct http_call *http_call_resumed(lua_State *L);
/* Raises where another task waits for the same. */
void http_call_claim_reader(lua_State *L, const struct http_call *h);
void http_call_claim_writer(lua_State *L, const struct http_call *h);

#endif

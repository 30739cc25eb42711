/*
 * A call of another server (http/call.h) as a script holds it: a userdata, which owns the call.
 *
 *     CLOSED ──http_call_begin──▶ OPEN ──http_call_close──▶ CLOSED
 *
 * It is closed by the script, when it is collected, or at the latest when its task ends: the one
 * that made it, or that got it as a result; then also when that one's request ends. While it is
 * open, one task may wait for the response, and one for room to write.
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

/* The user values of the userdata. */
enum http_call_value {
    HTTP_CALL_NAME = 1, /* "GET http://…", for errors */
    HTTP_CALL_PROBLEM,  /* the error of HTTP_CALL_UPLOAD, or nil */
    HTTP_CALL_HEADERS,  /* tables of the response's fields, made at first use */
    HTTP_CALL_FIELDS,
    HTTP_CALL_UPLOAD, /* the task that writes the request's body, or nil */
    HTTP_CALL_VALUES = HTTP_CALL_UPLOAD
};

struct http_call {
    struct call call; /* initialized if made is set */
    struct vm *vm;
    bool made; /* call is initialized */
    bool open;
    bool finished; /* the request's body has ended */
    enum http_failure failure;
    char why[CONNECTOR_WHY];      /* details for the error's text; "" for none */
    struct task *reader, *writer; /* waiting tasks; set until they run again */
    struct task_bond bond;
    struct timer alarm; /* of the timeout; runs unless seconds is 0 */
    double seconds;
    struct spawn *upload;        /* kept by HTTP_CALL_UPLOAD */
    struct body_whole whole;     /* the response's body, read by res:body */
    uint64_t taken;              /* bytes of the body that the script has read */
    struct arguments_left write; /* the rest of a write under way */
};

/* Makes the metatable. [-0, +0, may longjmp] */
void http_call_open(lua_State *L);

/* Pushes a new closed call, whose request can then be set up. [-0, +1, may longjmp] */
struct http_call *http_call_new(lua_State *L);
/* Begins the call that was set up, with its userdata at the index; seconds until its end, 0 for no
 * limit. The running task must be able to wait. False if too many calls wait already: the call has
 * then failed. Raises if it cannot begin. [-0, +0, may longjmp] */
bool http_call_begin(lua_State *L, int index, struct http_call *h,
    const struct connector_order *order, double seconds);
/* Releases the call, and cancels its upload. */
void http_call_close(struct http_call *h);
/* The upload of the userdata at index 1 has failed with the error on top: from now on reading
 * raises an error with that as its cause. False if no task will notice, since the response is
 * complete. [-0|1, +0] */
bool http_call_fail(lua_State *L, struct http_call *h);

/* The call of the userdata at index 1; http_call_live raises if it is closed. [-0, +0, may
 * longjmp] */
struct http_call *http_call_arg(lua_State *L);
struct http_call *http_call_live(lua_State *L);
/* Raises the error with which the call failed. [may longjmp] */
int http_call_raise(lua_State *L, const struct http_call *h);

/* With the userdata at index 1: waits for something of the response, or for room to write. To be
 * called last, as task_wait, if nothing of the response is left to read. Raises if the call has
 * failed. cancel may be NULL. */
int http_call_wait_response(
    lua_State *L, struct http_call *h, void (*cancel)(struct task *t), lua_KFunction k);
int http_call_wait_room(lua_State *L, struct http_call *h, lua_KFunction k);
/* To be called first in the continuation of either. [-0, +0, may longjmp] */
struct http_call *http_call_resumed(lua_State *L);
/* Raises if another task waits for the same. */
void http_call_claim_reader(lua_State *L, const struct http_call *h);
void http_call_claim_writer(lua_State *L, const struct http_call *h);

#endif

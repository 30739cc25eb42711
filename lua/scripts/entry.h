/*
 * The way of a request's task through the scripts: from outside in through what goes around its
 * handler, and out again; and the task that writes a page after the first one has failed.
 *
 *     outer of mt.wrap ──next──▶ _middleware.lua, the outermost first ──next──▶ handler, or page
 *
 * A task that has failed has left all of them. What was raised is then told of by the function for
 * that of mt.wrap, by _error.lua, or by the server itself.
 */
#ifndef LUA_SCRIPTS_ENTRY_H
#define LUA_SCRIPTS_ENTRY_H

#include <lua.h>

struct ctx;

/* Makes the functions that middleware gets as next. [-0, +0, may longjmp] */
void entry_open(lua_State *L);

/* The beginnings of tasks, whose light userdata is at index 1; the task serves a request. */
int entry_handler(lua_State *L); /* nothing goes around the handler */
int entry_handler_in_dev(
    lua_State *L); /* the same under --dev, where what it returns is examined */
int entry_wrapped(lua_State *L);
int entry_page(lua_State *L); /* for a request that has failed, whose response is OPEN */

/* Called with a status, for the request of the running task: writes its page, by _error.lua or as
 * the server does. The response must not have started; what the handler has set of it is gone.
 * [0 results, may wait] */
int entry_write_page(lua_State *L);

#endif

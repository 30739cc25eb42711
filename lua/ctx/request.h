/* The request's body as a whole, for the functions that need it so. */
#ifndef LUA_CTX_REQUEST_H
#define LUA_CTX_REQUEST_H

#include <lua.h>
#include <stdbool.h>

struct ctx;

/* Begins to gather the body, up to the limit at index 2, by default the configured one. Raises for
 * one below 0, where another task reads, and as ctx_push_body where the length says that it is
 * larger. The stack is then a table for the pieces alone.
 * [-?, +1, may longjmp] */
void ctx_start_body(lua_State *L, struct ctx *c);
/* Pushes the whole body, with what ctx_start_body left at index 1; false where more is to come.
 * Over the limit answers 413, and raises. [-0, +0|1, may longjmp] */
bool ctx_push_body(lua_State *L, struct ctx *c);
/* Waits for more of the body: to be called last, as task_wait; k gets the handle of c. */
int ctx_wait_body(lua_State *L, struct ctx *c, lua_KFunction k);

#endif

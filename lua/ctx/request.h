/* The request's body as a whole, for the functions that need all of it. */
#ifndef LUA_CTX_REQUEST_H
#define LUA_CTX_REQUEST_H

#include <lua.h>
#include <stdbool.h>

struct ctx;

/* Begins to gather the body, up to the limit at index 2, by default the configured one. Raises if
 * the limit is negative or if another task reads, and as ctx_push_body if the length exceeds the
 * limit. Leaves only a table for the pieces on the stack. [-?, +1, may longjmp] */
void ctx_start_body(lua_State *L, struct ctx *c);
/* Pushes the whole body, with the table of ctx_start_body at index 1; false if more is to come. If
 * it exceeds the limit, answers 413 and raises. [-0, +0|1, may longjmp] */
bool ctx_push_body(lua_State *L, struct ctx *c);
/* Waits for more of the body. To be called last, as task_wait; k gets the handle of c. */
int ctx_wait_body(lua_State *L, struct ctx *c, lua_KFunction k);

#endif

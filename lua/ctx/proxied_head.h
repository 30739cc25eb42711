/* The head of a response that another server has sent, before it goes on, as a script sees it. */
#ifndef LUA_CTX_PROXIED_HEAD_H
#define LUA_CTX_PROXIED_HEAD_H

#include <lua.h>

struct ctx;
struct fields;

/* Pushes a table by name: a string, or an array of strings where a field came more than once, and
 * for set-cookie always. [-0, +1, may longjmp] */
void proxied_head_push(lua_State *L, const struct fields *head);
/* Makes the status, an integer or nil, and the fields of the table at the indices the response's.
 * [-0, +0, may longjmp] */
void proxied_head_take(lua_State *L, struct ctx *c, int status, int table);

#endif

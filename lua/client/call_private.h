/* What a script's calls of other servers can do, by the file that implements it; call.c gathers it.
 * Each list ends with a NULL name. */
#ifndef LUA_CLIENT_CALL_PRIVATE_H
#define LUA_CLIENT_CALL_PRIVATE_H

#include <lauxlib.h>

struct http_call;

extern const luaL_Reg http_request_functions[];  /* writing the request */
extern const luaL_Reg http_response_functions[]; /* reading the response */

/* A field: pushes its value, nil where it has none. The userdata is at index 1. [-0, +1, may
 * longjmp] */
struct http_call_field {
    const char *name;
    void (*push)(lua_State *L, struct http_call *h);
};

extern const struct http_call_field http_response_fields[];

#endif

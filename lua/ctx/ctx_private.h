/* The functions of ctx, by the file that implements them; ctx.c gathers them. */
#ifndef LUA_CTX_CTX_PRIVATE_H
#define LUA_CTX_CTX_PRIVATE_H

#include <lauxlib.h>

struct ctx;

/* Each list ends with a NULL name. */
/* protocol, supports_trailers, declare_trailer, append_trailer, reset */
extern const luaL_Reg ctx_stream_functions[];
extern const luaL_Reg ctx_request_functions[];  /* the request's body */
extern const luaL_Reg ctx_form_functions[];     /* args, form */
extern const luaL_Reg ctx_cookie_functions[];   /* cookie, set_cookie */
extern const luaL_Reg ctx_response_functions[]; /* the head, and the body */
extern const luaL_Reg ctx_proxy_functions[];    /* proxy */
extern const luaL_Reg ctx_life_functions[];     /* aborted, on_abort */
extern const luaL_Reg ctx_head_functions[];     /* on_head */

/* A request field: pushes its value, or nil if it has none. [-0, +1, may longjmp] */
struct ctx_field {
    const char *name;
    void (*push)(lua_State *L, const struct ctx *c);
};

extern const struct ctx_field ctx_fields[]; /* ends with a NULL name */

#endif

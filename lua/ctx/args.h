/*
 * Arguments of ctx functions, behind the self at index 1. As lauxlib's functions of like names, but
 * that an error does not count the self: in ctx:f(a), ctx.f(a) and f(ctx, a), a is the first.
 */
#ifndef LUA_CTX_ARGS_H
#define LUA_CTX_ARGS_H

#include "core/str.h"

#include <lua.h>

/* All may longjmp. [-0, +0] */
struct str ctx_check_str(lua_State *L, int arg);
/* The same of what is to be a body; the error for a table names what writes one. */
struct str ctx_check_body(lua_State *L, int arg);
lua_Integer ctx_check_integer(lua_State *L, int arg);
/* nil and none give the other value. */
lua_Integer ctx_opt_integer(lua_State *L, int arg, lua_Integer otherwise);
lua_Number ctx_opt_number(lua_State *L, int arg, lua_Number otherwise);
void ctx_check_type(lua_State *L, int arg, int type);
/* Raises, with the message, where ok is false. */
void ctx_check_that(lua_State *L, bool ok, int arg, const char *message);

#endif

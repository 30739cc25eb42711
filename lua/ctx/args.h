/*
 * Arguments of ctx functions, which begin at index 2; the ctx is at 1. Like lauxlib's functions of
 * similar names, but errors do not count the ctx: in ctx:f(a), ctx.f(a) and f(ctx, a), a is
 * argument 1.
 */
#ifndef LUA_CTX_ARGS_H
#define LUA_CTX_ARGS_H

#include "core/str.h"

#include <lua.h>

/* All may longjmp. [-0, +0] */
struct str ctx_check_str(lua_State *L, int arg);
/* Like ctx_check_str, for a body: the error for a table names ctx:json. */
struct str ctx_check_body(lua_State *L, int arg);
lua_Integer ctx_check_integer(lua_State *L, int arg);
/* nil and none give `otherwise`. */
lua_Integer ctx_opt_integer(lua_State *L, int arg, lua_Integer otherwise);
lua_Number ctx_opt_number(lua_State *L, int arg, lua_Number otherwise);
void ctx_check_type(lua_State *L, int arg, int type);
/* Raises, with the message, if ok is false. */
void ctx_check_that(lua_State *L, bool ok, int arg, const char *message);

#endif

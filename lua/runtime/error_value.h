/*
 * Errors that are values. Events outside of a script, such as an abort or a lost server, are raised
 * as tables, so that no code need compare texts:
 *
 *     { kind = "reset", message = "GET http://h/: reset: CANCEL", code = "CANCEL", where =
 * "a.lua:3" }
 *
 * Its text is the message after the place of the call, if that is known; tostring, "..", # and the
 * functions of strings (e:find("CANCEL")) take the value for its text. To raise one:
 *
 *     error_value_push_here(L, KIND_RESET, "%s: reset: %s", name, code);
 *     error_value_set(L, "code", code);
 *     return lua_error(L);
 *
 * The metatable is in the registry under a name, so that a module that is loaded as a library may
 * have a copy of this file: its errors are still the same kind of value.
 */
#ifndef LUA_RUNTIME_ERROR_VALUE_H
#define LUA_RUNTIME_ERROR_VALUE_H

#include <lua.h>
#include <stdbool.h>

/* docs/api.md explains each kind. */
enum error_kind {
    KIND_ABORT, /* with reason */
    KIND_TIMEOUT,
    KIND_UNREACHABLE,
    KIND_REFUSED,
    KIND_RESET, /* with code */
    KIND_LOST,
    KIND_PROTOCOL, /* of a request, with status */
    KIND_UPLOAD,   /* with cause */
    KIND_LIMIT,    /* with limit; of a request, with status */
    KIND_BUSY,
    KIND_SYSTEM, /* with code */
    KIND_REDIS,  /* with code */
    KIND_SQL,    /* with code, and perhaps constraint, detail, position */
};

/* Makes the metatable. [-0, +0, may longjmp] */
void error_value_open(lua_State *L);

/* Pushes an error whose message is formatted as by lua_pushfstring. [-0, +1, may longjmp] */
void error_value_push(lua_State *L, enum error_kind kind, const char *format, ...);
/* As error_value_push, with the script's line that called the running C function, as in the errors
 * of luaL_error; where a module in Lua of ours lies between, the line that called the module.
 * [-0, +1, may longjmp] */
void error_value_push_here(lua_State *L, enum error_kind kind, const char *format, ...);
/* Sets the place of the error on top: the script's line that called into modules of ours.
 * [-0, +0, may longjmp] */
void error_value_set_script(lua_State *L);
/* Sets a field of the error on top. [-0, +0, may longjmp] */
void error_value_set(lua_State *L, const char *name, const char *value);

/* The same for a number. [-0, +0, may longjmp] */
void error_value_set_number(lua_State *L, const char *name, lua_Integer value);

/* The status of HTTP with which a request is answered that ends with the value at the index: the
 * field "status" of such an error, 400 to 599; 0 for none. [-0, +0, may longjmp for want of memory]
 */
int error_value_status(lua_State *L, int index);
/* Whether the value at the index is such an error of that kind. [-0, +0, may longjmp for want of
 * memory] */
bool error_value_is(lua_State *L, int index, enum error_kind kind);
/* Replaces an error by its text; leaves any other value as it is. [-0, +0, may longjmp] */
void error_value_to_text(lua_State *L, int index);

/* The module "moontrail.runtime.errors", for modules of ours in Lua: new(kind, message [, fields])
 * gives an error at the script's line. [-0, +1, may longjmp] */
int luaopen_moontrail_errors(lua_State *L);

#endif

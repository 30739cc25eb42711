/* The values of options in tables that scripts give. Each function reads the value on top of the
 * stack, and raises an error with the option's name for one that is wrong. [-0, +0, may longjmp] */
#ifndef LUA_CLIENT_OPTION_VALUE_H
#define LUA_CLIENT_OPTION_VALUE_H

#include "core/str.h"

#include <lua.h>
#include <stdbool.h>

/* Raises: wanted is what belongs there, such as "a string". */
int option_refuse(lua_State *L, const char *name, const char *wanted);
/* A string, which the table keeps alive. */
struct str option_string(lua_State *L, const char *name);
/* A number of seconds above 0. */
double option_seconds(lua_State *L, const char *name);
bool option_boolean(lua_State *L, const char *name);

#endif

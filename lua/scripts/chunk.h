/* A file of Lua that is run once, as the scripts load, for the value that it returns. */
#ifndef LUA_SCRIPTS_CHUNK_H
#define LUA_SCRIPTS_CHUNK_H

#include "lua/scripts/scripts.h"

#include <lua.h>

/* Runs the file. Pushes the place where it returns, its name and line, for messages, and the value.
 * Raises if it does not load, and for a second value that would be ignored. [-0, +2, may longjmp]
 */
const char *chunk_run(lua_State *L, const char *file);
/* Describes the error on top of the stack in one line, which names the file. [-1, +0] */
void chunk_describe_error(lua_State *L, const char *file, char why[SCRIPT_WHY]);

#endif

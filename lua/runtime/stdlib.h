/* Lua's own libraries, with the few changes that a server needs. */
#ifndef LUA_RUNTIME_STDLIB_H
#define LUA_RUNTIME_STDLIB_H

#include <lua.h>

/* Changes what luaL_openlibs has opened: print writes to the log, os.exit raises, require looks in
 * the folder first (NULL for none) and finds the modules that come with the program, and what could
 * undo the runtime is taken out of debug.
 * [-0, +0, may longjmp] */
void stdlib_open(lua_State *L, const char *folder);

#endif

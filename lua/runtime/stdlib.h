/* Lua's own libraries, with the few changes that a server needs. */
#ifndef LUA_RUNTIME_STDLIB_H
#define LUA_RUNTIME_STDLIB_H

#include <lua.h>

/* Changes what luaL_openlibs has opened: print writes to the log, os.exit raises, require looks in
 * the folder first (NULL for none) and finds the built-in modules, and debug loses the functions
 * that could undo the runtime. [-0, +0, may longjmp] */
void stdlib_open(lua_State *L, const char *folder);

#endif

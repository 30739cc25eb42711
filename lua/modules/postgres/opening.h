/* Opening links: what a URL says, names, and the way to a connection that can be asked. */
#ifndef LUA_MODULES_POSTGRES_OPENING_H
#define LUA_MODULES_POSTGRES_OPENING_H

#include <lauxlib.h>

/* Functions of the module; ends with a NULL name. */
extern const luaL_Reg opening_functions[];

#endif

/* Statements on a link: prepared, run to their end, and read row by row. */
#ifndef LUA_MODULES_POSTGRES_QUERY_H
#define LUA_MODULES_POSTGRES_QUERY_H

#include <lauxlib.h>

/* Methods of links; ends with a NULL name. */
extern const luaL_Reg query_methods[];

#endif

/* COPY … FROM STDIN on a link, and notifications. */
#ifndef LUA_MODULES_POSTGRES_COPY_H
#define LUA_MODULES_POSTGRES_COPY_H

#include <lauxlib.h>

/* Methods of links; ends with a NULL name. */
extern const luaL_Reg copy_methods[];

#endif

/*
 * Parameters of a statement, from values of Lua: each in the form of the type that the server has
 * told of it. A float that is whole goes as an integer where the type is not one of floats or
 * texts; strings go as they are, with all their bytes where the type is bytea; tables as JSON or as
 * arrays.
 */
#ifndef LUA_MODULES_POSTGRES_PARAMETERS_H
#define LUA_MODULES_POSTGRES_PARAMETERS_H

#include <lauxlib.h>

struct link;

struct parameters {
    int n;
    const char *const *values;
    const int *lengths, *formats;
};

/* Reads the values in the table at the index, which has their number as n; types is the index of
 * the string from link:prepare, or of nil: then no type is known. What they point to lives as long
 * as the table, which gets texts that are made for it, and until the link's next operation. Raises
 * for what cannot be sent. [-0, +0, may longjmp] */
struct parameters parameters_read(lua_State *L, struct link *k, int index, int types);

#endif

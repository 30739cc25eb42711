/*
 * Arrays of PostgreSQL, as text: {1,2}, {{a,"b c"},{NULL,d}}, and with bounds in front: [0:1]={1,2}
 * (Arrays, "Array Input and Output Syntax"). NULL inside is json.null; the bounds
 * are left out: arrays of Lua begin at 1. They are written in Lua, by
 * lua/moontrail/sql/postgres.lua.
 */
#ifndef LUA_MODULES_POSTGRES_ARRAY_H
#define LUA_MODULES_POSTGRES_ARRAY_H

#include "core/str.h"

#include <lauxlib.h>
#include <postgresql/libpq-fe.h>

/* Pushes a table. elements as for value_element. Raises for what no server would write.
 * [-0, +1, may longjmp] */
void array_push(lua_State *L, int elements, Oid element, struct str text);

#endif

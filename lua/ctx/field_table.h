/* Fields of a message, as Lua tables. */
#ifndef LUA_CTX_FIELD_TABLE_H
#define LUA_CTX_FIELD_TABLE_H

#include "core/str.h"

#include <lua.h>

struct fields;

/* Pushes a string; nil if p is NULL. [-0, +1, may longjmp] */
void field_table_push_str(lua_State *L, struct str s);
/* Pushes a table from each name to its value; repeated fields are joined by ", ", cookie by "; ".
 * [-0, +1, may longjmp] */
void field_table_push(lua_State *L, const struct fields *fields);
/* Pushes the values of a name's fields, joined as in the table, or nil. [-0, +1, may longjmp] */
void field_table_push_values(lua_State *L, const struct fields *fields, struct str name);
/* Pushes an array of {name, value} in the order received. [-0, +1, may longjmp] */
void field_table_push_list(lua_State *L, const struct fields *fields);

#endif

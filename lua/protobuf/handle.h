/*
 * What Lua holds of schemas and message types: userdata. A message type keeps its schema alive by a
 * user value. When the Lua state closes, a schema may go first; a finalizer that uses it afterwards
 * gets an error.
 */
#ifndef LUA_PROTOBUF_HANDLE_H
#define LUA_PROTOBUF_HANDLE_H

#include "lua/protobuf/schema.h"

#include <lua.hpp>

namespace codec
{

/* A schema's userdata. */
struct schema_handle {
    schema *s; /* NULL once it is finalized */
};
enum { SCHEMA_CONSTANTS = 1, SCHEMA_TYPES = 2 }; /* user values; the types made, by message */

/* A message type's userdata. */
struct type_handle {
    const void *mark; /* tells it from other userdata of that size */
    const schema_handle *owner;
    const message *m;
};
enum { TYPE_CONSTANTS = 1, TYPE_SCHEMA = 2 }; /* user values */

/* Makes the metatable of schemas, with that table of methods on the top. [-1, +0], may longjmp, as
 * may all here */
void handle_open(lua_State *L);

/* Pushes a schema with nothing in it. [-0, +1] */
schema_handle *handle_push_schema(lua_State *L);

/* The store that others share whose folders are the schema's, or NULL; pushes the table of
 * constants that belongs to it, or nil. [-0, +1] */
store *handle_push_shared(lua_State *L, const schema *s);
/* Gives the schema below the top its constants, and pops that table, or nil, in favour of it where
 * the schema has taken the store. The next with the same folders may share it, if shared. [-1, +0]
 */
void handle_give_constants(lua_State *L, schema *s, bool shared);

/* The schema at index 1. */
schema_handle *handle_check_schema(lua_State *L);
/* The message type at the index, whose schema is there. */
const type_handle *handle_check_type(lua_State *L, int index);

/* Pushes a message type without its user values and metatable. [-0, +1] */
type_handle *handle_push_type(lua_State *L, const schema_handle *owner, const message *m);

/* Raises what a function of the schema returned, as it is. */
void handle_check(lua_State *L, const char *problem);

/* Pushes the schema's result and drops it. [-0, +1] */
void handle_push_result(lua_State *L, schema *s);

} // namespace codec

#endif

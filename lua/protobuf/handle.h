/*
 * Schemas and message types as Lua holds them: userdata. A message type keeps its schema alive by a
 * user value. When the Lua state closes, a schema may be freed first; a finalizer that uses it
 * afterwards gets an error.
 */
#ifndef LUA_PROTOBUF_HANDLE_H
#define LUA_PROTOBUF_HANDLE_H

#include "lua/protobuf/schema.h"

#include <lua.hpp>

namespace codec
{

/* A schema's userdata. */
struct schema_handle {
    schema *s; /* NULL after it was finalized */
};
enum { SCHEMA_CONSTANTS = 1, SCHEMA_TYPES = 2 }; /* user values; the types made, by message */

/* A message type's userdata. */
struct type_handle {
    const void *mark; /* tells it from other userdata of the same size */
    const schema_handle *owner;
    const message *m;
};
enum { TYPE_CONSTANTS = 1, TYPE_SCHEMA = 2 }; /* user values */

/* Makes the metatable of schemas, with the table of methods on the top. [-1, +0], may longjmp, as
 * may all functions here */
void handle_open(lua_State *L);

/* Pushes an empty schema. [-0, +1] */
schema_handle *handle_push_schema(lua_State *L);

/* The shared store of the schema's folders, or NULL. Pushes the table of constants of the store, or
 * nil. [-0, +1] */
store *handle_push_shared(lua_State *L, const schema *s);
/* Gives the schema below the top its constants. The top, which is popped, is the table to extend if
 * the schema has taken the shared store, or nil. If shared, the next schema with the same folders
 * may share the store. [-1, +0] */
void handle_give_constants(lua_State *L, schema *s, bool shared);

/* The schema at index 1. */
schema_handle *handle_check_schema(lua_State *L);
/* The message type at the index. Raises if its schema is closed. */
const type_handle *handle_check_type(lua_State *L, int index);

/* Pushes a message type that lacks its user values and metatable. [-0, +1] */
type_handle *handle_push_type(lua_State *L, const schema_handle *owner, const message *m);

/* Raises the problem that a function of schema.h returned, if there is one. */
void handle_check(lua_State *L, const char *problem);

/* Pushes the schema's result and frees it. [-0, +1] */
void handle_push_result(lua_State *L, schema *s);

} // namespace codec

#endif

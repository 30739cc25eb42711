/*
 * Tables to JSON, by the mapping that protocol buffers define. A table is checked as for encoding
 * to bytes.
 */
#ifndef LUA_PROTOBUF_JSON_PRINT_H
#define LUA_PROTOBUF_JSON_PRINT_H

#include "lua/protobuf/json_options.h"
#include "lua/protobuf/schema.h"

#include <lua.hpp>

namespace codec
{

/* Pushes the text of a message. Its table, and the table of constants, are at the indices. [-0,
 * +1], may longjmp */
void json_print_push(lua_State *L, schema *s, const message &m, int constants, int table,
    const json_options &options);

/* The same of the value of one field of it alone; "null" where a field with presence is not there.
 */
void json_print_field_push(lua_State *L, schema *s, const message &m, const field &f, int constants,
    int table, const json_options &options);

} // namespace codec

#endif

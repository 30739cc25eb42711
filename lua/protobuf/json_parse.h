/*
 * JSON to tables, by the mapping that protocol buffers define. It is strict: text that is not JSON,
 * an unknown field, a field given twice (by either of its names), and a value of another type are
 * errors. As with bytes, a peer's text takes time and memory in proportion to its length.
 */
#ifndef LUA_PROTOBUF_JSON_PARSE_H
#define LUA_PROTOBUF_JSON_PARSE_H

#include "lua/protobuf/json_options.h"
#include "lua/protobuf/schema.h"

namespace codec
{

/* Pushes the table of a message, as decoding its bytes gives it. constants: the index of the table
 * of constants. The text is in a string that stays on the stack. [-0, +1], may longjmp */
void json_parse_push(lua_State *L, schema *s, const message &m, int constants, const char *text,
    size_t n, const json_options &options);

/* The same of a text that is the value of one field of the message: pushes that, or nil where the
 * text says that there is none. [-0, +1], may longjmp */
void json_parse_field_push(lua_State *L, schema *s, const message &m, const field &f, int constants,
    const char *text, size_t n, const json_options &options);

} // namespace codec

#endif

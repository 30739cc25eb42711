/* The JSON mapping of protobuf, which is the library's. Neither calls Lua nor lets an exception
 * out. */
#ifndef LUA_PROTOBUF_JSON_H
#define LUA_PROTOBUF_JSON_H

#include "lua/protobuf/schema.h"

namespace codec
{

/* The JSON text of a message's bytes is the schema's result. */
const char *json_from_wire(schema *s, const message &m, const char *bytes, size_t n) noexcept;

/* The bytes of the message that the JSON text describes are the schema's result. */
const char *json_to_wire(schema *s, const message &m, const char *text, size_t n) noexcept;

} // namespace codec

#endif

/* Message types as Lua sees them. */
#ifndef LUA_PROTOBUF_TYPE_H
#define LUA_PROTOBUF_TYPE_H

#include "lua/protobuf/handle.h"

namespace codec
{

/* Makes what all types share. [-0, +0], may longjmp */
void type_open(lua_State *L);

/* Pushes the type of the message, always the same one; its schema is at index 1. [-0, +1], may
 * longjmp */
void type_push(lua_State *L, const schema_handle *owner, const message *m);

} // namespace codec

#endif

/*
 * Lua tables to wire bytes. A message is written from its end to its front, so that each length is
 * known when it is written, into a buffer on the C stack first and later into userdata that grow,
 * so that any Lua error may pass. Tables are read raw, without metamethods.
 */
#ifndef LUA_PROTOBUF_ENCODE_H
#define LUA_PROTOBUF_ENCODE_H

#include "lua/protobuf/place.h"

namespace codec
{

/* Pushes the bytes of the table at the index. The running function's first upvalue is nil, or the
 * buffer kept from earlier calls. [-0, +1], may longjmp */
void encode_push(lua_State *L, const message &m, int table);

} // namespace codec

#endif

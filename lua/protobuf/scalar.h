/* Lua's numbers, booleans and names to what goes on the wire. */
#ifndef LUA_PROTOBUF_SCALAR_H
#define LUA_PROTOBUF_SCALAR_H

#include "lua/protobuf/place.h"

namespace codec
{

/* The bits of the place's value: what a varint says, or the 4 or 8 bytes. may longjmp */
uint64_t scalar_to_bits(lua_State *L, const place &at, const field &f);

} // namespace codec

#endif

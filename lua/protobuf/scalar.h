/* Conversion of Lua's numbers, booleans and names to the bits on the wire. */
#ifndef LUA_PROTOBUF_SCALAR_H
#define LUA_PROTOBUF_SCALAR_H

#include "lua/protobuf/place.h"

namespace codec
{

/* The bits of the place's value: a varint, or 4 or 8 bytes. may longjmp */
uint64_t scalar_to_bits(lua_State *L, const place &at, const field &f);

} // namespace codec

#endif

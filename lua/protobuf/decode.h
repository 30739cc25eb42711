/*
 * Wire bytes to Lua tables. The bytes are in a string that stays on the stack. All that a peer's
 * bytes can do is raise an error, and take time and memory in proportion to their length.
 */
#ifndef LUA_PROTOBUF_DECODE_H
#define LUA_PROTOBUF_DECODE_H

#include "lua/protobuf/place.h"
#include "lua/protobuf/wire.h"

namespace codec
{

/* Pushes the table of a message; constants: the index of the table of constants. fail: the index of
 * a function that gets the text of what is wrong with the bytes, and returns the value that is
 * raised instead; 0 for none. [-0, +1], may longjmp */
void decode_push(lua_State *L, const message &m, int constants, input in, int fail);

} // namespace codec

#endif

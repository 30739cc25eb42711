/*
 * Wire bytes to Lua tables. The bytes lie in a string that stays on the stack. What a peer sends
 * can make it raise, and take memory in proportion to its length, and nothing else.
 */
#ifndef LUA_PROTOBUF_DECODE_H
#define LUA_PROTOBUF_DECODE_H

#include "lua/protobuf/place.h"
#include "lua/protobuf/wire.h"

namespace codec
{

/* Pushes the table of a message; the table of constants lies at that index. fail is where a
 * function lies that is given the text of what is wrong with the bytes, and gives what is raised in
 * its place; 0 for none. [-0, +1], may longjmp */
void decode_push(lua_State *L, const message &m, int constants, input in, int fail);

} // namespace codec

#endif

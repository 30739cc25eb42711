/* The Lua values that the codec pushes for what it knows of messages. */
#ifndef LUA_PROTOBUF_CONSTANTS_H
#define LUA_PROTOBUF_CONSTANTS_H

#include "lua/protobuf/table.h"

#include <lua.hpp>

namespace codec
{

/* Pushes the table of constants, and tells the names where their strings lie. To be called once.
 * [-0, +1], may longjmp */
void constants_push(lua_State *L, tables &t);

} // namespace codec

#endif

/* The Lua values that the codec pushes for names and defaults of messages. */
#ifndef LUA_PROTOBUF_CONSTANTS_H
#define LUA_PROTOBUF_CONSTANTS_H

#include "lua/protobuf/table.h"

#include <lua.hpp>

namespace codec
{

/* Adds to the table on the top, always the same for a store, the constants that it lacks, and
 * sets the addresses of the names' strings. [-0, +0], may longjmp: then nothing else may use the
 * tables */
void constants_fill(lua_State *L, tables &t);

} // namespace codec

#endif

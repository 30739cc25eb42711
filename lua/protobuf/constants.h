/* The Lua values that the codec pushes for what it knows of messages. */
#ifndef LUA_PROTOBUF_CONSTANTS_H
#define LUA_PROTOBUF_CONSTANTS_H

#include "lua/protobuf/table.h"

#include <lua.hpp>

namespace codec
{

/* Gives the table on the top, always the same, the constants that it lacks, and tells the names
 * where their strings lie. [-0, +0], may longjmp: the tables are of no use to others then */
void constants_fill(lua_State *L, tables &t);

} // namespace codec

#endif

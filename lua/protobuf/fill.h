/* The table of a message that was read, before and after its fields. */
#ifndef LUA_PROTOBUF_FILL_H
#define LUA_PROTOBUF_FILL_H

#include "lua/protobuf/presence.h"

namespace codec
{

/* Pushes a table with room for the fields. [-0, +1], may longjmp, as may the next */
inline void fill_push(decoder &d, const message &m)
{
    lua_createtable(d.L, 0, m.room);
}

/* Gives each field that is always there, and was not read, what it then reads as; and the table its
 * metatable, if it has one. [-0, +0] */
void fill_finish(decoder &d, const place &at, const message &m, const presence &has, int table);

} // namespace codec

#endif

/* The table of a message that is read: before its fields are set, and after. */
#ifndef LUA_PROTOBUF_FILL_H
#define LUA_PROTOBUF_FILL_H

#include "lua/protobuf/presence.h"

namespace codec
{

/* Pushes a table with room for the fields. [-0, +1], may longjmp, as may fill_finish */
inline void fill_push(decoder &d, const message &m)
{
    lua_createtable(d.L, 0, m.room);
}

/* Sets the fields that are always present but were not read to their defaults, and the table's
 * metatable if the message has one. [-0, +0] */
void fill_finish(decoder &d, const place &at, const message &m, const presence &has, int table);

} // namespace codec

#endif

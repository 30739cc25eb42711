/* The fields of a message type, for scripts that treat messages whatever their type. */
#ifndef LUA_PROTOBUF_TYPE_FIELDS_H
#define LUA_PROTOBUF_TYPE_FIELDS_H

#include <lua.hpp>

namespace codec
{

/* The method fields() of the type at index 1: a list of tables, by number. [-0, +1], may longjmp */
int type_list_fields(lua_State *L);

} // namespace codec

#endif

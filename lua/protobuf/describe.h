/* The methods of schemas: what is in the files that were loaded. */
#ifndef LUA_PROTOBUF_DESCRIBE_H
#define LUA_PROTOBUF_DESCRIBE_H

#include <lua.hpp>

namespace codec
{

/* Pushes the table of methods. [-0, +1], may longjmp */
void describe_push_methods(lua_State *L);

} // namespace codec

#endif

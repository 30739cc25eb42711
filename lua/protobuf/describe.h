/* The methods of schemas, which describe what is in the loaded files. */
#ifndef LUA_PROTOBUF_DESCRIBE_H
#define LUA_PROTOBUF_DESCRIBE_H

#include <lua.hpp>

namespace codec
{

/* Pushes the table of methods. [-0, +1], may longjmp */
void describe_push_methods(lua_State *L);

} // namespace codec

#endif

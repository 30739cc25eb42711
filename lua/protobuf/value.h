/* What the wire says of a scalar to a Lua value. */
#ifndef LUA_PROTOBUF_VALUE_H
#define LUA_PROTOBUF_VALUE_H

#include "lua/protobuf/pace.h"
#include "lua/protobuf/wire.h"

namespace codec
{

struct decoder {
    lua_State *L;
    int constants; /* where they lie on the stack */
    int notes;     /* where what presence keeps lies: nil, or a table */
    int depth;
    struct pace pace;
};

/* Raises that the bytes are malformed. */
[[noreturn]] void value_fail(decoder &d, const place &at);

/* [-0, +1], may longjmp, as may the next */
inline void value_push_constant(decoder &d, int constant)
{
    lua_rawgeti(d.L, d.constants, constant);
}

/* Reads a value of the field's type, anything but a message, and pushes it. */
void value_push(decoder &d, const place &at, const field &f, input &in);

} // namespace codec

#endif

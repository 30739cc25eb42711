/* Conversion of scalars on the wire to Lua values. */
#ifndef LUA_PROTOBUF_VALUE_H
#define LUA_PROTOBUF_VALUE_H

#include "lua/protobuf/pace.h"
#include "lua/protobuf/wire.h"

namespace codec
{

struct decoder {
    lua_State *L;
    int constants; /* stack index */
    int notes;     /* stack index of what presence keeps: nil, or a table */
    int depth;
    struct pace pace;
};

/* Raises that the bytes are malformed. */
[[noreturn]] void value_fail(decoder &d, const place &at);

/* [-0, +1], may longjmp, as may value_push */
inline void value_push_constant(decoder &d, int constant)
{
    lua_rawgeti(d.L, d.constants, constant);
}

/* Reads a value of the field's type, which is not a message, and pushes it. */
void value_push(decoder &d, const place &at, const field &f, input &in);

} // namespace codec

#endif

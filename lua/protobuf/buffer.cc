#include "lua/protobuf/buffer.h"

#include <climits>
#include <cstring>

namespace codec
{

enum {
    KEEP_MAX = 1 << 18, /* the largest buffer that is kept for the next message */
    SPARE_UPVALUE = 1
};

static const size_t size_max = INT_MAX; /* of a message, as the format defines it */

void buffer_grow(encoder &e, const place &at, size_t n)
{
    size_t used = buffer_written(e), size = 2 * (size_t)(e.end - e.begin);
    if (n > size_max - used)
        place_fail(e.L, at, "a message of more than 2 GiB");
    while (size < used + n)
        size *= 2;
    void *spare = lua_touserdata(e.L, lua_upvalueindex(SPARE_UPVALUE));
    if (spare && lua_rawlen(e.L, lua_upvalueindex(SPARE_UPVALUE)) >= size) {
        lua_pushvalue(e.L, lua_upvalueindex(SPARE_UPVALUE));
        lua_pushnil(e.L); /* a finalizer that encodes must not use the same buffer */
        lua_replace(e.L, lua_upvalueindex(SPARE_UPVALUE));
        size = lua_rawlen(e.L, -1);
    } else {
        spare = lua_newuserdatauv(e.L, size, 0);
    }
    uint8_t *end = (uint8_t *)spare + size;
    memcpy(end - used, e.at, used);
    e.begin = (uint8_t *)spare;
    e.at = end - used;
    e.end = end;
    lua_replace(e.L, e.buffer);
}

void buffer_keep(encoder &e)
{
    if (lua_isnil(e.L, e.buffer) || e.end - e.begin > KEEP_MAX)
        return;
    lua_pushvalue(e.L, e.buffer);
    lua_replace(e.L, lua_upvalueindex(SPARE_UPVALUE));
}

} // namespace codec

/*
 * The bytes of a message, written from its end to its front, so that each length is known when it
 * is written. They are on the C stack first and later in userdata that grow, so that any Lua error
 * may pass.
 */
#ifndef LUA_PROTOBUF_BUFFER_H
#define LUA_PROTOBUF_BUFFER_H

#include "lua/protobuf/pace.h"

#include <google/protobuf/io/coded_stream.h>

namespace codec
{

struct encoder {
    lua_State *L;
    int buffer; /* stack index of the userdata with the bytes */
    int depth;
    struct pace pace;
    uint8_t *begin; /* of the buffer */
    uint8_t *at;    /* the first byte written */
    uint8_t *end;
};

/* Moves the bytes to a larger buffer, with room for n more. may longjmp */
void buffer_grow(encoder &e, const place &at, size_t n);

/* Keeps a buffer that has grown in the running function's upvalue, unless it is huge. */
void buffer_keep(encoder &e);

inline size_t buffer_written(const encoder &e)
{
    return (size_t)(e.end - e.at);
}

/* Makes room for n bytes in front of those written; returns where they go. */
inline uint8_t *buffer_extend(encoder &e, const place &at, size_t n)
{
    if ((size_t)(e.at - e.begin) < n)
        buffer_grow(e, at, n);
    return e.at -= n;
}

inline void buffer_put_varint(encoder &e, const place &at, uint64_t v)
{
    if (v < 0x80)
        *buffer_extend(e, at, 1) = (uint8_t)v;
    else
        google::protobuf::io::CodedOutputStream::WriteVarint64ToArray(
            v, buffer_extend(e, at, google::protobuf::io::CodedOutputStream::VarintSize64(v)));
}

/* Puts the tag and the length in front of the bytes written since. */
inline void buffer_put_length(encoder &e, const place &at, uint32_t tag, size_t before)
{
    buffer_put_varint(e, at, buffer_written(e) - before);
    buffer_put_varint(e, at, tag);
}

} // namespace codec

#endif

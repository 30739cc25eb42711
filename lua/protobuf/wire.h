/*
 * Reading the wire format from contiguous bytes. The library's coded streams have destructors,
 * which a Lua error would skip; this reader has none.
 */
#ifndef LUA_PROTOBUF_WIRE_H
#define LUA_PROTOBUF_WIRE_H

#include <cstddef>
#include <cstdint>
#include <google/protobuf/io/coded_stream.h>

namespace codec
{

enum { VARINT_MAX = 10, SHORT_MAX = 5 }; /* bytes; SHORT_MAX for a tag or a length */

/* What is left to read. Each wire_ function moves past what it returns; false if the bytes end too
 * early or are malformed. */
struct input {
    const uint8_t *at, *end;
};

inline size_t wire_left(const input &in)
{
    return (size_t)(in.end - in.at);
}

inline bool wire_long_varint(input &in, uint64_t &v)
{
    const uint8_t *p = in.at;
    v = 0;
    for (unsigned shift = 0; shift < 7 * VARINT_MAX && p < in.end; shift += 7) {
        uint8_t byte = *p++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            in.at = p;
            return true;
        }
    }
    return false;
}

inline bool wire_varint(input &in, uint64_t &v)
{
    if (in.at == in.end || *in.at >= 0x80)
        return wire_long_varint(in, v);
    v = *in.at++;
    return true;
}

inline bool wire_fixed32(input &in, uint32_t &v)
{
    if (wire_left(in) < sizeof v)
        return false;
    in.at = google::protobuf::io::CodedInputStream::ReadLittleEndian32FromArray(in.at, &v);
    return true;
}

inline bool wire_fixed64(input &in, uint64_t &v)
{
    if (wire_left(in) < sizeof v)
        return false;
    in.at = google::protobuf::io::CodedInputStream::ReadLittleEndian64FromArray(in.at, &v);
    return true;
}

/* Reads a length, and as many bytes. */
inline bool wire_bytes(input &in, input &bytes)
{
    const uint8_t *start = in.at;
    uint64_t n;
    if (!wire_varint(in, n) || in.at - start > SHORT_MAX || n > wire_left(in))
        return false;
    bytes = {in.at, in.at + n};
    in.at += n;
    return true;
}

/* Reads a tag, whose field number must not be 0. Bits beyond the 32nd are dropped, as the library
 * does. */
inline bool wire_tag(input &in, uint32_t &tag)
{
    const uint8_t *start = in.at;
    uint64_t v;
    if (!wire_varint(in, v) || in.at - start > SHORT_MAX)
        return false;
    tag = (uint32_t)v;
    return tag >> 3 != 0;
}

/* Skips the value after the tag, with groups at most so many levels deep. */
bool wire_skip(input &in, uint32_t tag, int depth);

} // namespace codec

#endif

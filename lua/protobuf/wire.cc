#include "lua/protobuf/wire.h"

#include <google/protobuf/wire_format_lite.h>

namespace codec
{

using google::protobuf::internal::WireFormatLite;

/* Skips to the end of the group that begins with the tag. */
static bool skip_group(input &in, uint32_t start, int depth)
{
    uint32_t tag;
    while (depth > 0 && wire_tag(in, tag)) {
        if (WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_END_GROUP)
            return tag >> 3 == start >> 3;
        if (!wire_skip(in, tag, depth - 1))
            return false;
    }
    return false;
}

bool wire_skip(input &in, uint32_t tag, int depth)
{
    uint64_t v;
    uint32_t word;
    input bytes;
    switch (tag & 7) {
    case WireFormatLite::WIRETYPE_VARINT:
        return wire_varint(in, v);
    case WireFormatLite::WIRETYPE_FIXED64:
        return wire_fixed64(in, v);
    case WireFormatLite::WIRETYPE_LENGTH_DELIMITED:
        return wire_bytes(in, bytes);
    case WireFormatLite::WIRETYPE_START_GROUP:
        return skip_group(in, tag, depth);
    case WireFormatLite::WIRETYPE_FIXED32:
        return wire_fixed32(in, word);
    default: /* the end of a group that did not begin, or an unknown type */
        return false;
    }
}

} // namespace codec

#include "lua/protobuf/value.h"

extern "C" {
#include "lua/modules/utf8.h"
}

#include <google/protobuf/wire_format_lite.h>

namespace codec
{

using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;

void value_fail(decoder &d, const place &at)
{
    place_fail(d.L, at, "truncated or malformed message");
}

/* Each function pushes a value. [-0, +1], may longjmp */

static void push_enum(decoder &d, const field &f, int32_t number)
{
    int constant = table_find_value(*f.type_enum, number);
    if (constant)
        value_push_constant(d, constant);
    else
        lua_pushinteger(d.L, number);
}

static void push_varint(decoder &d, const field &f, uint64_t v)
{
    switch (f.type) {
    case FieldDescriptor::TYPE_INT32:
        lua_pushinteger(d.L, (int32_t)v);
        break;
    case FieldDescriptor::TYPE_UINT32:
        lua_pushinteger(d.L, (uint32_t)v);
        break;
    case FieldDescriptor::TYPE_SINT32:
        lua_pushinteger(d.L, WireFormatLite::ZigZagDecode32((uint32_t)v));
        break;
    case FieldDescriptor::TYPE_SINT64:
        lua_pushinteger(d.L, WireFormatLite::ZigZagDecode64(v));
        break;
    case FieldDescriptor::TYPE_BOOL:
        lua_pushboolean(d.L, v != 0);
        break;
    case FieldDescriptor::TYPE_ENUM:
        push_enum(d, f, (int32_t)v);
        break;
    default: /* TYPE_INT64, TYPE_UINT64 */
        lua_pushinteger(d.L, (lua_Integer)v);
    }
}

static void push_fixed32(decoder &d, const field &f, uint32_t v)
{
    if (f.type == FieldDescriptor::TYPE_FLOAT)
        lua_pushnumber(d.L, WireFormatLite::DecodeFloat(v));
    else if (f.type == FieldDescriptor::TYPE_SFIXED32)
        lua_pushinteger(d.L, (int32_t)v);
    else
        lua_pushinteger(d.L, v);
}

static void push_fixed64(decoder &d, const field &f, uint64_t v)
{
    if (f.type == FieldDescriptor::TYPE_DOUBLE)
        lua_pushnumber(d.L, WireFormatLite::DecodeDouble(v));
    else
        lua_pushinteger(d.L, (lua_Integer)v);
}

static void push_string(decoder &d, const place &at, const field &f, const input &bytes)
{
    const char *text = (const char *)bytes.at;
    size_t n = wire_left(bytes);
    if (f.type == FieldDescriptor::TYPE_STRING && utf8_length(text, n) < n)
        place_fail(d.L, at, "not UTF-8");
    lua_pushlstring(d.L, text, n);
}

void value_push(decoder &d, const place &at, const field &f, input &in)
{
    uint64_t v = 0;
    uint32_t word = 0;
    input bytes = {nullptr, nullptr};
    bool read = false;
    switch (f.wire) {
    case WireFormatLite::WIRETYPE_VARINT:
        if ((read = wire_varint(in, v)))
            push_varint(d, f, v);
        break;
    case WireFormatLite::WIRETYPE_FIXED32:
        if ((read = wire_fixed32(in, word)))
            push_fixed32(d, f, word);
        break;
    case WireFormatLite::WIRETYPE_FIXED64:
        if ((read = wire_fixed64(in, v)))
            push_fixed64(d, f, v);
        break;
    default:
        if ((read = wire_bytes(in, bytes)))
            push_string(d, at, f, bytes);
    }
    if (!read)
        value_fail(d, at);
}

} // namespace codec

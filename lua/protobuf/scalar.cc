#include "lua/protobuf/scalar.h"

#include <google/protobuf/wire_format_lite.h>

namespace codec
{

using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;

static lua_Integer to_integer(lua_State *L, const place &at)
{
    int exact;
    lua_Integer v = lua_tointegerx(L, at.value, &exact);
    if (lua_type(L, at.value) != LUA_TNUMBER)
        place_fail_type(L, at, "an integer");
    if (!exact)
        place_fail(L, at, "%.14g is not an integer of 64 bits", lua_tonumber(L, at.value));
    return v;
}

static lua_Integer to_integer_in(lua_State *L, const place &at, lua_Integer min, lua_Integer max)
{
    lua_Integer v = to_integer(L, at);
    if (v < min || v > max)
        place_fail(L, at, "%lld is not within %lld..%lld", v, min, max);
    return v;
}

static int32_t to_int32(lua_State *L, const place &at)
{
    return (int32_t)to_integer_in(L, at, INT32_MIN, INT32_MAX);
}

static uint32_t to_uint32(lua_State *L, const place &at)
{
    return (uint32_t)to_integer_in(L, at, 0, UINT32_MAX);
}

/* Integers from 2^63 are the negative ones of Lua; a float may be as large too. */
static uint64_t to_uint64(lua_State *L, const place &at)
{
    if (!lua_isinteger(L, at.value) && lua_type(L, at.value) == LUA_TNUMBER) {
        lua_Number v = lua_tonumber(L, at.value);
        if (v >= 0x1p63 && v < 0x1p64)
            return (uint64_t)v;
    }
    return (uint64_t)to_integer(L, at);
}

static lua_Number to_number(lua_State *L, const place &at)
{
    if (lua_type(L, at.value) != LUA_TNUMBER)
        place_fail_type(L, at, "a number");
    return lua_tonumber(L, at.value);
}

static uint64_t to_boolean(lua_State *L, const place &at)
{
    if (!lua_isboolean(L, at.value))
        place_fail_type(L, at, "a boolean");
    return (uint64_t)lua_toboolean(L, at.value);
}

static int32_t to_enum(lua_State *L, const place &at, const field &f)
{
    if (lua_type(L, at.value) == LUA_TNUMBER)
        return to_int32(L, at);
    if (lua_type(L, at.value) != LUA_TSTRING)
        place_fail_type(L, at, "the name or number of a value");
    const char *text = lua_tostring(L, at.value);
    const names::entry *found = table_find_name(f.type_enum->by_name, text);
    if (found)
        return (int32_t)found->value;
    place_fail(
        L, at, "%s has no value \"%.60s\"", f.type_enum->descriptor->full_name().c_str(), text);
}

uint64_t scalar_to_bits(lua_State *L, const place &at, const field &f)
{
    switch (f.type) {
    case FieldDescriptor::TYPE_INT32:
        return (uint64_t)to_int32(L, at);
    case FieldDescriptor::TYPE_SFIXED32:
        return (uint32_t)to_int32(L, at);
    case FieldDescriptor::TYPE_SINT32:
        return WireFormatLite::ZigZagEncode32(to_int32(L, at));
    case FieldDescriptor::TYPE_UINT32:
    case FieldDescriptor::TYPE_FIXED32:
        return to_uint32(L, at);
    case FieldDescriptor::TYPE_INT64:
    case FieldDescriptor::TYPE_SFIXED64:
        return (uint64_t)to_integer(L, at);
    case FieldDescriptor::TYPE_SINT64:
        return WireFormatLite::ZigZagEncode64(to_integer(L, at));
    case FieldDescriptor::TYPE_UINT64:
    case FieldDescriptor::TYPE_FIXED64:
        return to_uint64(L, at);
    case FieldDescriptor::TYPE_BOOL:
        return to_boolean(L, at);
    case FieldDescriptor::TYPE_ENUM:
        return (uint64_t)to_enum(L, at, f);
    case FieldDescriptor::TYPE_FLOAT:
        return WireFormatLite::EncodeFloat((float)to_number(L, at));
    default: /* TYPE_DOUBLE */
        return WireFormatLite::EncodeDouble(to_number(L, at));
    }
}

} // namespace codec

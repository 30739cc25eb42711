#include "lua/protobuf/json_printer.h"
#include "lua/protobuf/number.h"
#include "lua/protobuf/scalar.h"

extern "C" {
#include "lua/modules/utf8.h"
}

#include <cmath>
#include <cstring>
#include <google/protobuf/wire_format_lite.h>

namespace codec
{

using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;

static void put_text(json_printer &p, const place &at, const char *text)
{
    json_put(p.out, at, text, strlen(text));
}

/* The string at the place; must be UTF-8 if the field is a string. */
static const char *to_string(json_printer &p, const place &at, const field &f, size_t *n)
{
    lua_State *L = json_state(p);
    if (lua_type(L, at.value) != LUA_TSTRING)
        place_fail_type(L, at, "a string");
    const char *text = lua_tolstring(L, at.value, n);
    if (f.type == FieldDescriptor::TYPE_STRING && utf8_length(text, *n) < *n)
        place_fail(L, at, "not UTF-8");
    return text;
}

static void put_string(json_printer &p, const place &at, const field &f)
{
    size_t n;
    const char *text = to_string(p, at, f, &n);
    if (f.type == FieldDescriptor::TYPE_STRING)
        json_put_string(p.out, at, text, n);
    else
        json_put_base64(p.out, at, text, n);
}

template <typename floating>
static void put_floating(
    json_printer &p, const place &at, floating v, size_t (*write)(char *, floating))
{
    if (std::isnan(v))
        put_text(p, at, "\"NaN\"");
    else if (std::isinf(v))
        put_text(p, at, v < 0 ? "\"-Infinity\"" : "\"Infinity\"");
    else
        p.out.at += write(json_room(p.out, at, NUMBER_ROOM), v);
}

static void put_quote(json_printer &p, const place &at, bool quoted)
{
    if (quoted)
        json_put_char(p.out, at, '"');
}

static void put_signed(json_printer &p, const place &at, int64_t v, bool quoted)
{
    put_quote(p, at, quoted);
    p.out.at += number_of_int64(json_room(p.out, at, NUMBER_ROOM), v);
    put_quote(p, at, quoted);
}

static void put_unsigned(json_printer &p, const place &at, uint64_t v, bool quoted)
{
    put_quote(p, at, quoted);
    p.out.at += number_of_uint64(json_room(p.out, at, NUMBER_ROOM), v);
    put_quote(p, at, quoted);
}

static void put_enum(json_printer &p, const place &at, const field &f, int32_t number)
{
    lua_State *L = json_state(p);
    int constant = p.options.enum_numbers ? 0 : table_find_value(*f.type_enum, number);
    if (f.null_value) {
        put_text(p, at, "null");
    } else if (!constant) {
        put_signed(p, at, number, false);
    } else {
        size_t n;
        lua_rawgeti(L, p.constants, constant);
        const char *name = lua_tolstring(L, -1, &n);
        json_put_string(p.out, at, name, n);
        lua_pop(L, 1);
    }
}

/* Puts a number by its bits on the wire. Integers that are keys are always quoted. */
static void put_bits(json_printer &p, const place &at, const field &f, uint64_t bits, bool key)
{
    switch (f.type) {
    case FieldDescriptor::TYPE_INT32:
    case FieldDescriptor::TYPE_SFIXED32:
        put_signed(p, at, (int32_t)bits, key);
        break;
    case FieldDescriptor::TYPE_SINT32:
        put_signed(p, at, WireFormatLite::ZigZagDecode32((uint32_t)bits), key);
        break;
    case FieldDescriptor::TYPE_UINT32:
    case FieldDescriptor::TYPE_FIXED32:
        put_unsigned(p, at, bits, key);
        break;
    case FieldDescriptor::TYPE_SINT64:
        put_signed(p, at, WireFormatLite::ZigZagDecode64(bits), true);
        break;
    case FieldDescriptor::TYPE_INT64:
    case FieldDescriptor::TYPE_SFIXED64:
        put_signed(p, at, (int64_t)bits, true);
        break;
    case FieldDescriptor::TYPE_UINT64:
    case FieldDescriptor::TYPE_FIXED64:
        put_unsigned(p, at, bits, true);
        break;
    case FieldDescriptor::TYPE_BOOL:
        put_quote(p, at, key);
        put_text(p, at, bits ? "true" : "false");
        put_quote(p, at, key);
        break;
    case FieldDescriptor::TYPE_ENUM:
        put_enum(p, at, f, (int32_t)bits);
        break;
    case FieldDescriptor::TYPE_FLOAT:
        put_floating(p, at, WireFormatLite::DecodeFloat((uint32_t)bits), number_of_float);
        break;
    default: /* TYPE_DOUBLE */
        put_floating(p, at, WireFormatLite::DecodeDouble(bits), number_of_double);
    }
}

static bool is_string(const field &f)
{
    return f.type == FieldDescriptor::TYPE_STRING || f.type == FieldDescriptor::TYPE_BYTES;
}

void json_print_scalar(json_printer &p, const place &at, const field &f)
{
    if (is_string(f))
        put_string(p, at, f);
    else
        put_bits(p, at, f, scalar_to_bits(json_state(p), at, f), false);
}

void json_print_default(json_printer &p, const place &at, const field &f)
{
    if (is_string(f))
        put_text(p, at, "\"\"");
    else
        put_bits(p, at, f, 0, false);
}

void json_print_key(json_printer &p, const place &at, const field &f)
{
    if (is_string(f))
        put_string(p, at, f);
    else
        put_bits(p, at, f, scalar_to_bits(json_state(p), at, f), true);
}

bool json_is_default(json_printer &p, const place &at, const field &f)
{
    size_t n;
    if (!is_string(f))
        return scalar_to_bits(json_state(p), at, f) == 0;
    to_string(p, at, f, &n);
    return n == 0;
}

} // namespace codec

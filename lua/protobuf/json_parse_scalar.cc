#include "lua/protobuf/base64.h"
#include "lua/protobuf/json_parser.h"
#include "lua/protobuf/number.h"

#include <cstring>
#include <limits>

namespace codec
{

using google::protobuf::FieldDescriptor;

static bool says(const json_piece &p, const char *text)
{
    return json_length(p) == strlen(text) && memcmp(p.at, text, json_length(p)) == 0;
}

/* Whether the whole text is a number. */
static bool is_number(const json_piece &p)
{
    return number_end(p.at, p.end) == p.end;
}

[[noreturn]] static void fail_range(
    const json_parser &p, const place &at, const field &f, const json_piece &text)
{
    json_shown shown = json_show(text);
    json_fail(p.in, at, text.from, "%.*s does not fit into %s", shown.n, shown.text,
        FieldDescriptor::TypeName((FieldDescriptor::Type)f.type));
}

/* Each function pushes the number that a text contains. */

static void push_signed(json_parser &p, const place &at, const field &f, const json_piece &text,
    int64_t min, int64_t max)
{
    int64_t v;
    if (!number_to_int64(text.at, text.end, &v) || v < min || v > max)
        fail_range(p, at, f, text);
    lua_pushinteger(p.d.L, v);
}

static void push_unsigned(
    json_parser &p, const place &at, const field &f, const json_piece &text, uint64_t max)
{
    uint64_t v;
    if (!number_to_uint64(text.at, text.end, &v) || v > max)
        fail_range(p, at, f, text);
    lua_pushinteger(p.d.L, (lua_Integer)v);
}

static void push_integer(json_parser &p, const place &at, const field &f, const json_piece &text)
{
    switch (f.type) {
    case FieldDescriptor::TYPE_INT32:
    case FieldDescriptor::TYPE_SINT32:
    case FieldDescriptor::TYPE_SFIXED32:
    case FieldDescriptor::TYPE_ENUM:
        push_signed(p, at, f, text, INT32_MIN, INT32_MAX);
        break;
    case FieldDescriptor::TYPE_UINT32:
    case FieldDescriptor::TYPE_FIXED32:
        push_unsigned(p, at, f, text, UINT32_MAX);
        break;
    case FieldDescriptor::TYPE_UINT64:
    case FieldDescriptor::TYPE_FIXED64:
        push_unsigned(p, at, f, text, UINT64_MAX);
        break;
    default: /* the signed types of 64 bits */
        push_signed(p, at, f, text, INT64_MIN, INT64_MAX);
    }
}

static void push_floating(json_parser &p, const place &at, const field &f, const json_piece &text)
{
    double v;
    float narrow;
    bool fits;
    if (f.type == FieldDescriptor::TYPE_FLOAT) {
        fits = number_to_float(text.at, text.end, &narrow);
        v = narrow;
    } else {
        fits = number_to_double(text.at, text.end, &v);
    }
    if (!fits)
        fail_range(p, at, f, text);
    lua_pushnumber(p.d.L, v);
}

/* Pushes NaN or an infinity, which only a string can express; false if the text is none of them. */
static bool push_infinite(json_parser &p, const json_piece &text)
{
    double infinity = std::numeric_limits<double>::infinity();
    if (says(text, "NaN"))
        lua_pushnumber(p.d.L, std::numeric_limits<double>::quiet_NaN());
    else if (says(text, "Infinity") || says(text, "-Infinity"))
        lua_pushnumber(p.d.L, *text.at == '-' ? -infinity : infinity);
    else
        return false;
    return true;
}

static bool is_floating(const field &f)
{
    return f.type == FieldDescriptor::TYPE_FLOAT || f.type == FieldDescriptor::TYPE_DOUBLE;
}

static const char *expected_of(const field &f)
{
    return is_floating(f) ? "a number" : "an integer";
}

/* Reads a number, which may be in a string. */
static void parse_number(json_parser &p, const place &at, const field &f)
{
    char c = json_peek(p.in);
    json_piece text;
    if (c != '"' && c != '-' && !(c >= '0' && c <= '9'))
        json_fail_type(p.in, at, expected_of(f));
    if (c == '"')
        text = json_string(p.in, at);
    else
        text = json_number(p.in, at);
    if (c == '"' && is_floating(f) && push_infinite(p, text)) {
        lua_remove(p.d.L, -2);
        return;
    }
    if (c == '"' && !is_number(text))
        json_fail(p.in, at, text.from, "expected %s, got a string", expected_of(f));
    if (is_floating(f))
        push_floating(p, at, f, text);
    else
        push_integer(p, at, f, text);
    if (c == '"')
        lua_remove(p.d.L, -2);
}

static void parse_boolean(json_parser &p, const place &at)
{
    char c = json_peek(p.in);
    if (c != 't' && c != 'f')
        json_fail_type(p.in, at, "a boolean");
    json_literal(p.in, at, c == 't' ? "true" : "false");
    lua_pushboolean(p.d.L, c == 't');
}

static void parse_string(json_parser &p, const place &at)
{
    if (json_peek(p.in) != '"')
        json_fail_type(p.in, at, "a string");
    json_piece text = json_string(p.in, at);
    lua_pushlstring(p.d.L, text.at, json_length(text));
    lua_remove(p.d.L, -2);
}

static void parse_bytes(json_parser &p, const place &at)
{
    if (json_peek(p.in) != '"')
        json_fail_type(p.in, at, "base64 in a string");
    json_piece text = json_string(p.in, at);
    size_t n = json_length(text);
    auto bytes = (uint8_t *)lua_newuserdatauv(p.d.L, n / 4 * 3 + 3, 0);
    if (!base64_decode(bytes, &n, text.at, n))
        json_fail(p.in, at, text.from, "not base64");
    lua_pushlstring(p.d.L, (const char *)bytes, n);
    lua_replace(p.d.L, -3);
    lua_pop(p.d.L, 1);
}

/* Replaces the number on the top by the name of the enum's value, if it has one. */
static void name_value(json_parser &p, const place &at, const field &f, const char *where)
{
    auto number = (int32_t)lua_tointeger(p.d.L, -1);
    int constant = table_find_value(*f.type_enum, number);
    if (!constant && f.type_enum->closed)
        json_fail(p.in, at, where, "%.60s has no value %d",
            f.type_enum->descriptor->full_name().c_str(), (int)number);
    if (!constant)
        return;
    lua_pop(p.d.L, 1);
    value_push_constant(p.d, constant);
}

/* Reads a value of an enum by its name. If several names have the same number, the table gets the
 * first of them. */
static bool parse_name(json_parser &p, const place &at, const field &f)
{
    json_piece text = json_string(p.in, at);
    const auto &names = f.type_enum->by_text;
    auto found = names.find({text.at, json_length(text)});
    if (found == names.end() && !p.options.ignore_unknown) {
        json_shown shown = json_show(text);
        json_fail(p.in, at, text.from, "%.60s has no value \"%.*s\"",
            f.type_enum->descriptor->full_name().c_str(), shown.n, shown.text);
    }
    lua_pop(p.d.L, 1);
    if (found == names.end())
        return false;
    lua_pushinteger(p.d.L, found->second);
    name_value(p, at, f, text.from);
    return true;
}

static bool parse_enum(json_parser &p, const place &at, const field &f)
{
    char c = json_peek(p.in);
    const char *where = p.in.at;
    if (c == 'n' && f.null_value) {
        json_literal(p.in, at, "null");
        value_push_constant(p.d, table_find_value(*f.type_enum, 0));
        return true;
    }
    if (c == '"')
        return parse_name(p, at, f);
    if (c != '-' && !(c >= '0' && c <= '9'))
        json_fail_type(p.in, at, "the name or number of a value");
    parse_number(p, at, f);
    name_value(p, at, f, where);
    return true;
}

bool json_parse_scalar(json_parser &p, const place &at, const field &f)
{
    switch (f.type) {
    case FieldDescriptor::TYPE_BOOL:
        parse_boolean(p, at);
        break;
    case FieldDescriptor::TYPE_STRING:
        parse_string(p, at);
        break;
    case FieldDescriptor::TYPE_BYTES:
        parse_bytes(p, at);
        break;
    case FieldDescriptor::TYPE_ENUM:
        return parse_enum(p, at, f);
    default:
        parse_number(p, at, f);
    }
    return true;
}

void json_parse_key(json_parser &p, const place &at, const field &f, const json_piece &text)
{
    if (f.type == FieldDescriptor::TYPE_STRING) {
        lua_pushlstring(p.d.L, text.at, json_length(text));
    } else if (f.type == FieldDescriptor::TYPE_BOOL) {
        if (!says(text, "true") && !says(text, "false"))
            json_fail(p.in, at, text.from, "the keys are \"true\" and \"false\"");
        lua_pushboolean(p.d.L, *text.at == 't');
    } else {
        if (!is_number(text))
            json_fail(p.in, at, text.from, "the keys are integers in strings");
        push_integer(p, at, f, text);
    }
}

} // namespace codec

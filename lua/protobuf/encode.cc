#include "lua/protobuf/encode.h"

#include "lua/protobuf/buffer.h"
#include "lua/protobuf/fields.h"
#include "lua/protobuf/scalar.h"

extern "C" {
#include "lua/modules/utf8.h"
}

#include <cstring>
#include <google/protobuf/wire_format_lite.h>
#include <type_traits>

namespace codec
{

using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

enum { SMALL = 1024 /* bytes of the buffer on the C stack */ };

/* A Lua error skips destructors. */
static_assert(std::is_trivially_destructible<encoder>::value);
static_assert(std::is_trivially_destructible<place>::value);

/* Fields. */

static void put_bits(encoder &e, const place &at, const field &f, uint64_t bits)
{
    if (f.wire == WireFormatLite::WIRETYPE_VARINT)
        buffer_put_varint(e, at, bits);
    else if (f.wire == WireFormatLite::WIRETYPE_FIXED32)
        CodedOutputStream::WriteLittleEndian32ToArray((uint32_t)bits, buffer_extend(e, at, 4));
    else
        CodedOutputStream::WriteLittleEndian64ToArray(bits, buffer_extend(e, at, 8));
}

static void put_message(encoder &e, const place &at, const message &m);

static void put_string(encoder &e, const place &at, const field &f)
{
    size_t n;
    if (lua_type(e.L, at.value) != LUA_TSTRING)
        place_fail_type(e.L, at, "a string");
    const char *text = lua_tolstring(e.L, at.value, &n);
    if (n == 0 && f.implicit)
        return;
    if (f.type == FieldDescriptor::TYPE_STRING && utf8_length(text, n) < n)
        place_fail(e.L, at, "not UTF-8");
    memcpy(buffer_extend(e, at, n), text, n);
    buffer_put_varint(e, at, n);
    buffer_put_varint(e, at, f.tag);
}

static void put_bits_field(encoder &e, const place &at, const field &f)
{
    uint64_t bits = scalar_to_bits(e.L, at, f);
    if (bits == 0 && f.implicit)
        return;
    put_bits(e, at, f, bits);
    buffer_put_varint(e, at, f.tag);
}

/* The value with the field's tag. */
static void put_single(encoder &e, const place &at, const field &f)
{
    if (f.type == FieldDescriptor::TYPE_MESSAGE) {
        size_t before = buffer_written(e);
        put_message(e, at, *f.type_message);
        buffer_put_length(e, at, f.tag, before);
    } else if (f.type == FieldDescriptor::TYPE_STRING || f.type == FieldDescriptor::TYPE_BYTES) {
        put_string(e, at, f);
    } else {
        put_bits_field(e, at, f);
    }
}

static void put_list(encoder &e, place &at, const field &f)
{
    if (!lua_istable(e.L, at.value))
        place_fail_type(e.L, at, "a list");
    size_t before = buffer_written(e);
    lua_Integer n = fields_count_elements(e.pace, at);
    int list = at.value;
    at.value = lua_gettop(e.L) + 1;
    for (at.element = n; at.element > 0; at.element--) {
        lua_rawgeti(e.L, list, at.element);
        pace_step(e.pace);
        if (f.packed)
            put_bits(e, at, f, scalar_to_bits(e.L, at, f));
        else
            put_single(e, at, f);
        lua_pop(e.L, 1);
    }
    if (f.packed && n > 0)
        buffer_put_length(e, at, f.tag, before);
}

static void put_map(encoder &e, place &at, const field &f)
{
    if (!lua_istable(e.L, at.value))
        place_fail_type(e.L, at, "a map");
    int map = at.value;
    at.key = lua_gettop(e.L) + 1;
    for (lua_pushnil(e.L); lua_next(e.L, map); lua_pop(e.L, 1)) {
        size_t before = buffer_written(e);
        pace_step(e.pace);
        at.value = at.key + 1;
        put_single(e, at, f.type_message->fields[1]);
        at.value = at.key;
        put_single(e, at, f.type_message->fields[0]);
        buffer_put_length(e, at, f.tag, before);
    }
}

static void put_field(encoder &e, const place &up, const field &f, int value)
{
    place at = {&up, nullptr, &f, 0, 0, value};
    if (f.shape == SINGLE)
        put_single(e, at, f);
    else if (f.shape == LIST)
        put_list(e, at, f);
    else
        put_map(e, at, f);
}

/* Messages. */

/* Puts the fields, last ones first. */
static void put_fields(encoder &e, const place &at, const message &m, const fields &present)
{
    for (size_t word = m.filled.size(); word-- > 0;) {
        for (uint64_t left = present.set[word]; left;) {
            unsigned bit = 63 - (unsigned)__builtin_clzll(left);
            const field &f = m.fields[64 * word + bit];
            left ^= (uint64_t)1 << bit;
            put_field(e, at, f, present.slots[f.index]);
        }
    }
}

/* [-0, +0], may longjmp, as may all of the above */
static void put_message(encoder &e, const place &at, const message &m)
{
    fields_few few;
    int top = lua_gettop(e.L);
    if (++e.depth > DEPTH_MAX)
        place_fail(e.L, at, "more than %d levels", DEPTH_MAX);
    fields present = fields_push(e.pace, at, m, few);
    put_fields(e, at, m, present);
    lua_settop(e.L, top);
    e.depth--;
}

void encode_push(lua_State *L, const message &m, int table)
{
    uint8_t small[SMALL];
    const place_root root = {m, 0};
    const place at = {nullptr, &root, nullptr, 0, 0, table};
    lua_pushnil(L);
    encoder e = {L, lua_gettop(L), 0, pace_of(L, 0), small, small + SMALL, small + SMALL};
    put_message(e, at, m);
    lua_pushlstring(L, (const char *)e.at, buffer_written(e));
    buffer_keep(e);
}

} // namespace codec

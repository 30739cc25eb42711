#include "lua/protobuf_encode.h"

extern "C" {
#include "lua/utf8.h"
}

#include <climits>
#include <cmath>
#include <cstring>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <type_traits>

namespace codec
{

using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

enum {
    SMALL = 1024,       /* bytes of the buffer on the C stack */
    KEEP_MAX = 1 << 18, /* the largest buffer that is kept for the next message */
    FEW = 128,          /* fields that a message may have and need no more memory */
    STACK = 8,          /* slots that a level takes of the Lua stack */
    SPARE_UPVALUE = 1
};

static const size_t size_max = INT_MAX; /* of a message, by the format's definition */

struct encoder {
    lua_State *L;
    int buffer; /* where the userdata with the bytes lies on the stack */
    int depth;
    uint8_t *begin; /* of the buffer */
    uint8_t *at;    /* the first byte written */
    uint8_t *end;
};

/* A Lua error skips destructors. */
static_assert(std::is_trivially_destructible<encoder>::value);
static_assert(std::is_trivially_destructible<place>::value);

/* The buffer. */

static size_t written(const encoder &e)
{
    return (size_t)(e.end - e.at);
}

/* Moves what is written to the end of a larger buffer, which goes to the stack. may longjmp */
static void grow(encoder &e, const place &at, size_t n)
{
    size_t used = written(e), size = 2 * (size_t)(e.end - e.begin);
    if (n > size_max - used)
        fail(e.L, at, "a message of more than 2 GiB");
    while (size < used + n)
        size *= 2;
    void *spare = lua_touserdata(e.L, lua_upvalueindex(SPARE_UPVALUE));
    if (spare && lua_rawlen(e.L, lua_upvalueindex(SPARE_UPVALUE)) >= size) {
        lua_pushvalue(e.L, lua_upvalueindex(SPARE_UPVALUE));
        lua_pushnil(e.L); /* a finalizer that encodes shall not use the same one */
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

/* Makes room for n bytes in front of what is written; gives where they go. */
static inline uint8_t *extend(encoder &e, const place &at, size_t n)
{
    if ((size_t)(e.at - e.begin) < n)
        grow(e, at, n);
    return e.at -= n;
}

static inline void put_varint(encoder &e, const place &at, uint64_t v)
{
    if (v < 0x80)
        *extend(e, at, 1) = (uint8_t)v;
    else
        CodedOutputStream::WriteVarint64ToArray(
            v, extend(e, at, CodedOutputStream::VarintSize64(v)));
}

/* Puts the tag and the length in front of what was written since. */
static inline void put_length(encoder &e, const place &at, uint32_t tag, size_t before)
{
    put_varint(e, at, written(e) - before);
    put_varint(e, at, tag);
}

/* Scalars: the value of the place to what goes on the wire. */

static lua_Integer to_integer(encoder &e, const place &at)
{
    int exact;
    lua_Integer v = lua_tointegerx(e.L, at.value, &exact);
    if (lua_type(e.L, at.value) != LUA_TNUMBER)
        fail_type(e.L, at, "an integer");
    if (!exact)
        fail(e.L, at, "%.14g is not an integer of 64 bits", lua_tonumber(e.L, at.value));
    return v;
}

static lua_Integer to_integer_in(encoder &e, const place &at, lua_Integer min, lua_Integer max)
{
    lua_Integer v = to_integer(e, at);
    if (v < min || v > max)
        fail(e.L, at, "%lld is not within %lld..%lld", v, min, max);
    return v;
}

static int32_t to_int32(encoder &e, const place &at)
{
    return (int32_t)to_integer_in(e, at, INT32_MIN, INT32_MAX);
}

static uint32_t to_uint32(encoder &e, const place &at)
{
    return (uint32_t)to_integer_in(e, at, 0, UINT32_MAX);
}

/* Integers from 2^63 are the negative ones of Lua; a float may be as large too. */
static uint64_t to_uint64(encoder &e, const place &at)
{
    if (!lua_isinteger(e.L, at.value) && lua_type(e.L, at.value) == LUA_TNUMBER) {
        lua_Number v = lua_tonumber(e.L, at.value);
        if (v >= 0x1p63 && v < 0x1p64)
            return (uint64_t)v;
    }
    return (uint64_t)to_integer(e, at);
}

static lua_Number to_number(encoder &e, const place &at)
{
    if (lua_type(e.L, at.value) != LUA_TNUMBER)
        fail_type(e.L, at, "a number");
    return lua_tonumber(e.L, at.value);
}

static uint64_t to_boolean(encoder &e, const place &at)
{
    if (!lua_isboolean(e.L, at.value))
        fail_type(e.L, at, "a boolean");
    return (uint64_t)lua_toboolean(e.L, at.value);
}

static int32_t to_enum(encoder &e, const place &at, const field &f)
{
    if (lua_type(e.L, at.value) == LUA_TNUMBER)
        return to_int32(e, at);
    if (lua_type(e.L, at.value) != LUA_TSTRING)
        fail_type(e.L, at, "the name or number of a value");
    const char *text = lua_tostring(e.L, at.value);
    const names::entry *found = look_up(f.type_enum->by_name, text);
    if (found)
        return (int32_t)found->value;
    fail(e.L, at, "%s has no value \"%.60s\"", f.type_enum->descriptor->full_name().c_str(), text);
}

/* The bits of the scalar: what a varint says, or the 4 or 8 bytes. */
static uint64_t to_bits(encoder &e, const place &at, const field &f)
{
    switch (f.type) {
    case FieldDescriptor::TYPE_INT32:
        return (uint64_t)to_int32(e, at);
    case FieldDescriptor::TYPE_SFIXED32:
        return (uint32_t)to_int32(e, at);
    case FieldDescriptor::TYPE_SINT32:
        return WireFormatLite::ZigZagEncode32(to_int32(e, at));
    case FieldDescriptor::TYPE_UINT32:
    case FieldDescriptor::TYPE_FIXED32:
        return to_uint32(e, at);
    case FieldDescriptor::TYPE_INT64:
    case FieldDescriptor::TYPE_SFIXED64:
        return (uint64_t)to_integer(e, at);
    case FieldDescriptor::TYPE_SINT64:
        return WireFormatLite::ZigZagEncode64(to_integer(e, at));
    case FieldDescriptor::TYPE_UINT64:
    case FieldDescriptor::TYPE_FIXED64:
        return to_uint64(e, at);
    case FieldDescriptor::TYPE_BOOL:
        return to_boolean(e, at);
    case FieldDescriptor::TYPE_ENUM:
        return (uint64_t)to_enum(e, at, f);
    case FieldDescriptor::TYPE_FLOAT:
        return WireFormatLite::EncodeFloat((float)to_number(e, at));
    default: /* TYPE_DOUBLE */
        return WireFormatLite::EncodeDouble(to_number(e, at));
    }
}

static void put_bits(encoder &e, const place &at, const field &f, uint64_t bits)
{
    if (f.wire == WireFormatLite::WIRETYPE_VARINT)
        put_varint(e, at, bits);
    else if (f.wire == WireFormatLite::WIRETYPE_FIXED32)
        CodedOutputStream::WriteLittleEndian32ToArray((uint32_t)bits, extend(e, at, 4));
    else
        CodedOutputStream::WriteLittleEndian64ToArray(bits, extend(e, at, 8));
}

/* Fields. */

static void put_message(encoder &e, const place &at, const message &m);

static void put_string(encoder &e, const place &at, const field &f)
{
    size_t n;
    if (lua_type(e.L, at.value) != LUA_TSTRING)
        fail_type(e.L, at, "a string");
    const char *text = lua_tolstring(e.L, at.value, &n);
    if (n == 0 && f.implicit)
        return;
    if (f.type == FieldDescriptor::TYPE_STRING && utf8_length(text, n) < n)
        fail(e.L, at, "not UTF-8");
    memcpy(extend(e, at, n), text, n);
    put_varint(e, at, n);
    put_varint(e, at, f.tag);
}

static void put_bits_field(encoder &e, const place &at, const field &f)
{
    uint64_t bits = to_bits(e, at, f);
    if (bits == 0 && f.implicit)
        return;
    put_bits(e, at, f, bits);
    put_varint(e, at, f.tag);
}

/* The value with the field's tag. */
static void put_single(encoder &e, const place &at, const field &f)
{
    if (f.type == FieldDescriptor::TYPE_MESSAGE) {
        size_t before = written(e);
        put_message(e, at, *f.type_message);
        put_length(e, at, f.tag, before);
    } else if (f.type == FieldDescriptor::TYPE_STRING || f.type == FieldDescriptor::TYPE_BYTES) {
        put_string(e, at, f);
    } else {
        put_bits_field(e, at, f);
    }
}

/* The number of elements of the list, which has the keys 1..n and no others: what lies beyond a
 * hole would be lost. */
static lua_Integer count_elements(encoder &e, const place &at)
{
    lua_Integer keys = 0, n = (lua_Integer)lua_rawlen(e.L, at.value);
    for (lua_pushnil(e.L); lua_next(e.L, at.value); lua_pop(e.L, 1))
        keys++;
    if (keys != n)
        fail(e.L, at, "the keys of a list are 1..n");
    return n;
}

static void put_list(encoder &e, place &at, const field &f)
{
    if (!lua_istable(e.L, at.value))
        fail_type(e.L, at, "a list");
    size_t before = written(e);
    lua_Integer n = count_elements(e, at);
    int list = at.value;
    at.value = lua_gettop(e.L) + 1;
    for (at.element = n; at.element > 0; at.element--) {
        lua_rawgeti(e.L, list, at.element);
        if (f.packed)
            put_bits(e, at, f, to_bits(e, at, f));
        else
            put_single(e, at, f);
        lua_pop(e.L, 1);
    }
    if (f.packed && n > 0)
        put_length(e, at, f.tag, before);
}

static void put_map(encoder &e, place &at, const field &f)
{
    if (!lua_istable(e.L, at.value))
        fail_type(e.L, at, "a map");
    int map = at.value;
    at.key = lua_gettop(e.L) + 1;
    for (lua_pushnil(e.L); lua_next(e.L, map); lua_pop(e.L, 1)) {
        size_t before = written(e);
        at.value = at.key + 1;
        put_single(e, at, f.type_message->fields[1]);
        at.value = at.key;
        put_single(e, at, f.type_message->fields[0]);
        put_length(e, at, f.tag, before);
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

/* Which fields a table has. */
struct found {
    uint64_t *set; /* bits of the fields, by index */
    int *slots;    /* where their values lie on the stack, by index */
};

[[noreturn]] static void fail_key(encoder &e, const place &at)
{
    if (lua_type(e.L, -2) == LUA_TSTRING)
        fail(e.L, at, "there is no field \"%.60s\"", lua_tostring(e.L, -2));
    fail(e.L, at, "the keys of a message are names of fields, not a %s", luaL_typename(e.L, -2));
}

/* The field that the key below the top names. */
static const field &to_field(encoder &e, const place &at, const message &m)
{
    if (lua_type(e.L, -2) != LUA_TSTRING)
        fail_key(e, at);
    const names::entry *entry = look_up(m.by_name, lua_tostring(e.L, -2));
    if (!entry)
        fail_key(e, at);
    return m.fields[entry->value];
}

static bool has(const found &present, uint32_t index)
{
    return present.set[index / 64] >> index % 64 & 1;
}

/* Another member of the field's oneof may not be there. */
static void check_oneof(
    encoder &e, const place &at, const message &m, const field &f, const found &present)
{
    for (uint32_t i = f.next_in_oneof; i != f.index; i = m.fields[i].next_in_oneof)
        if (has(present, i))
            fail(e.L, at, "both %s and %s of the oneof %s are set", f.name, m.fields[i].name,
                f.descriptor->containing_oneof()->name().c_str());
}

/* Pushes the values of all fields that the table has. */
static void push_fields(encoder &e, const place &at, const message &m, found &present)
{
    int slot = lua_gettop(e.L);
    lua_pushnil(e.L);
    while (lua_next(e.L, at.value)) {
        const field &f = to_field(e, at, m);
        if (f.next_in_oneof != f.index)
            check_oneof(e, at, m, f, present);
        present.set[f.index / 64] |= (uint64_t)1 << f.index % 64;
        present.slots[f.index] = ++slot;
        lua_insert(e.L, -2);
    }
}

static void check_required(encoder &e, const place &up, const message &m, const found &present)
{
    for (const field &f : m.fields) {
        place at = {&up, nullptr, &f, 0, 0, 0};
        if (f.required && !has(present, f.index))
            fail(e.L, at, "required, but missing");
    }
}

/* Puts the fields, last ones first. */
static void put_fields(encoder &e, const place &at, const message &m, const found &present)
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

/* Makes room for what is found in a message of many fields; it lies on the stack. */
static void push_found(encoder &e, const message &m, found &present)
{
    size_t set = m.filled.size() * sizeof *present.set;
    size_t slots = m.fields.size() * sizeof *present.slots;
    present.set = (uint64_t *)memset(lua_newuserdatauv(e.L, set + slots, 0), 0, set);
    present.slots = (int *)(present.set + m.filled.size());
}

/* [-0, +0], may longjmp, as may all of the above */
static void put_message(encoder &e, const place &at, const message &m)
{
    uint64_t set[FEW / 64] = {0};
    int slots[FEW], top = lua_gettop(e.L);
    found present = {set, slots};
    if (!lua_istable(e.L, at.value))
        fail_type(e.L, at, "a table");
    if (++e.depth > DEPTH_MAX)
        fail(e.L, at, "more than %d levels", DEPTH_MAX);
    luaL_checkstack(e.L, (int)m.fields.size() + STACK, "protobuf");
    if (m.fields.size() > FEW)
        push_found(e, m, present);
    push_fields(e, at, m, present);
    if (m.requires_own)
        check_required(e, at, m, present);
    put_fields(e, at, m, present);
    lua_settop(e.L, top);
    e.depth--;
}

/* Keeps a buffer that grew, unless it is huge. */
static void keep_buffer(encoder &e)
{
    if (lua_isnil(e.L, e.buffer) || e.end - e.begin > KEEP_MAX)
        return;
    lua_pushvalue(e.L, e.buffer);
    lua_replace(e.L, lua_upvalueindex(SPARE_UPVALUE));
}

void push_encoded(lua_State *L, const message &m, int table)
{
    uint8_t small[SMALL];
    place root = {nullptr, &m, nullptr, 0, 0, table};
    lua_pushnil(L);
    encoder e = {L, lua_gettop(L), 0, small, small + SMALL, small + SMALL};
    put_message(e, root, m);
    lua_pushlstring(L, (const char *)e.at, written(e));
    keep_buffer(e);
}

} // namespace codec

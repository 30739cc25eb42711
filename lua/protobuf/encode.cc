#include "lua/protobuf/encode.h"

#include "lua/protobuf/buffer.h"
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

enum {
    SMALL = 1024, /* bytes of the buffer on the C stack */
    FEW = 128,    /* fields that a message may have and need no more memory */
    STACK = 8     /* slots that a level takes of the Lua stack besides its fields */
};

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

/* The number of elements of the list, which has the keys 1..n and no others: what lies beyond a
 * hole would be lost. */
static lua_Integer count_elements(encoder &e, const place &at)
{
    lua_Integer keys = 0, n = (lua_Integer)lua_rawlen(e.L, at.value);
    for (lua_pushnil(e.L); lua_next(e.L, at.value); lua_pop(e.L, 1))
        keys++;
    if (keys != n)
        place_fail(e.L, at, "the keys of a list are 1..n");
    return n;
}

static void put_list(encoder &e, place &at, const field &f)
{
    if (!lua_istable(e.L, at.value))
        place_fail_type(e.L, at, "a list");
    size_t before = buffer_written(e);
    lua_Integer n = count_elements(e, at);
    int list = at.value;
    at.value = lua_gettop(e.L) + 1;
    for (at.element = n; at.element > 0; at.element--) {
        lua_rawgeti(e.L, list, at.element);
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

/* Which fields a table has. */
struct found {
    uint64_t *set; /* bits of the fields, by index */
    int *slots;    /* where their values lie on the stack, by index */
};

[[noreturn]] static void fail_key(encoder &e, const place &at)
{
    if (lua_type(e.L, -2) == LUA_TSTRING)
        place_fail(e.L, at, "there is no field \"%.60s\"", lua_tostring(e.L, -2));
    place_fail(
        e.L, at, "the keys of a message are names of fields, not a %s", luaL_typename(e.L, -2));
}

/* The field that the key below the top names. */
static const field &to_field(encoder &e, const place &at, const message &m)
{
    if (lua_type(e.L, -2) != LUA_TSTRING)
        fail_key(e, at);
    const names::entry *entry = table_find_name(m.by_name, lua_tostring(e.L, -2));
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
            place_fail(e.L, at, "both %s and %s of the oneof %s are set", f.name, m.fields[i].name,
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
            place_fail(e.L, at, "required, but missing");
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
        place_fail_type(e.L, at, "a table");
    if (++e.depth > DEPTH_MAX)
        place_fail(e.L, at, "more than %d levels", DEPTH_MAX);
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

void encode_push(lua_State *L, const message &m, int table)
{
    uint8_t small[SMALL];
    place root = {nullptr, &m, nullptr, 0, 0, table};
    lua_pushnil(L);
    encoder e = {L, lua_gettop(L), 0, small, small + SMALL, small + SMALL};
    put_message(e, root, m);
    lua_pushlstring(L, (const char *)e.at, buffer_written(e));
    buffer_keep(e);
}

} // namespace codec

#include "lua/protobuf/decode.h"

#include "lua/protobuf/fill.h"
#include "lua/protobuf/int_map.h"
#include "lua/protobuf/required.h"

#include <algorithm>
#include <google/protobuf/wire_format_lite.h>
#include <type_traits>

namespace codec
{

using google::protobuf::internal::WireFormatLite;

enum {
    ENTRY_ROOM = 64, /* entries of a map that it gets room for at once: their keys may be equal */
    STACK = 12       /* slots that a level takes of the Lua stack */
};

/* A message being decoded. */
struct target {
    const message &m;
    int table; /* where it lies on the stack */
    presence has;
};

/* A Lua error skips destructors. */
static_assert(std::is_trivially_destructible<decoder>::value);
static_assert(std::is_trivially_destructible<target>::value);
static_assert(std::is_trivially_destructible<input>::value);

/* Whether the table has the field. */
static bool has(decoder &d, const target &t, const field &f)
{
    if (presence_has(t.has, f.index))
        return true;
    if (t.has.known)
        return false;
    value_push_constant(d, f.key);
    bool found = lua_rawget(d.L, t.table) != LUA_TNIL;
    lua_pop(d.L, 1);
    return found;
}

/* Messages: each works on the table on the top. [-0, +0], may longjmp */

static void decode_message(decoder &d, const place &at, const message &m, input in, bool fresh);

/* Reads a message with its length into the table on the top. */
static void read_message(decoder &d, const place &at, const field &f, input &in, bool fresh)
{
    input bytes;
    if (!wire_bytes(in, bytes))
        value_fail(d, at);
    decode_message(d, at, *f.type_message, bytes, fresh);
}

/* Pushes a value of any kind. */
static void push_any(decoder &d, const place &at, const field &f, input &in)
{
    if (f.type_message) {
        fill_push(d, *f.type_message);
        read_message(d, at, f, in, true);
    } else {
        value_push(d, at, f, in);
    }
}

/* Removes the member of the field's oneof that came before it. Where members take turns, Lua sorts
 * the table anew now and then. */
static void choose(decoder &d, const place &at, target &t, const field &f)
{
    uint32_t &chosen = t.has.chosen[f.oneof - 1];
    if (chosen == f.index + 1)
        return;
    if (chosen) {
        const field &other = t.m.fields[chosen - 1];
        pace_make(d.pace, at, 1 + (size_t)t.m.room / 4);
        value_push_constant(d, other.key);
        lua_pushnil(d.L);
        lua_rawset(d.L, t.table);
        presence_remove(t.has, other.index);
    }
    chosen = f.index + 1;
}

/* The last of several scalars counts; several messages become one. */
static void read_single(decoder &d, const place &at, target &t, const field &f, input &in)
{
    if (f.oneof)
        choose(d, at, t, f);
    value_push_constant(d, f.key);
    if (f.type_message && has(d, t, f)) {
        lua_rawget(d.L, t.table);
        read_message(d, at, f, in, false);
        lua_pop(d.L, 1);
    } else {
        push_any(d, at, f, in);
        lua_rawset(d.L, t.table);
        presence_add(t.has, f.index);
    }
}

/* Lists. */

static size_t count_varints(const input &in)
{
    return (size_t)std::count_if(in.at, in.end, [](uint8_t byte) { return byte < 0x80; });
}

static size_t count_packed(const field &f, const input &in)
{
    if (f.wire == WireFormatLite::WIRETYPE_FIXED32)
        return wire_left(in) / 4;
    if (f.wire == WireFormatLite::WIRETYPE_FIXED64)
        return wire_left(in) / 8;
    return count_varints(in);
}

/* Pushes the list or map that the field has. */
static void push_old(decoder &d, target &t, const field &f)
{
    value_push_constant(d, f.key);
    lua_rawget(d.L, t.table);
}

/* Pushes a new list or map with that much room, which the field has from now on. */
static void push_new(decoder &d, target &t, const field &f, size_t elements, size_t entries)
{
    lua_createtable(d.L, (int)std::min(elements, (size_t)INT32_MAX), (int)entries);
    value_push_constant(d, f.key);
    lua_pushvalue(d.L, -2);
    lua_rawset(d.L, t.table);
    presence_add(t.has, f.index);
}

static void read_packed(decoder &d, place &at, target &t, const field &f, input &in)
{
    input packed;
    if (!wire_bytes(in, packed))
        value_fail(d, at);
    if (has(d, t, f))
        push_old(d, t, f);
    else
        push_new(d, t, f, count_packed(f, packed), 0);
    lua_Integer n = (lua_Integer)lua_rawlen(d.L, -1);
    while (packed.at < packed.end) {
        pace_step(d.pace);
        at.element = n + 1;
        value_push(d, at, f, packed);
        lua_rawseti(d.L, -2, ++n);
    }
    lua_pop(d.L, 1);
}

/* Whether the same tag comes next; moves past it then. */
static bool read_same_tag(input &in, uint32_t tag)
{
    input ahead = in;
    uint32_t next;
    if (ahead.at == ahead.end || !wire_tag(ahead, next) || next != tag)
        return false;
    in = ahead;
    return true;
}

/* How many values with the same tag follow each other. */
static size_t count_run(input in, uint32_t tag)
{
    size_t n = 0;
    do
        n++;
    while (wire_skip(in, tag, DEPTH_MAX) && read_same_tag(in, tag));
    return n;
}

/* Reads the elements behind the tag, and those that follow with the same tag. */
static void read_list(decoder &d, place &at, target &t, const field &f, uint32_t tag, input &in)
{
    if (has(d, t, f))
        push_old(d, t, f);
    else
        push_new(d, t, f, count_run(in, tag), 0);
    lua_Integer n = (lua_Integer)lua_rawlen(d.L, -1);
    do {
        pace_step(d.pace);
        at.element = n + 1;
        push_any(d, at, f, in);
        lua_rawseti(d.L, -2, ++n);
    } while (read_same_tag(in, tag));
    lua_pop(d.L, 1);
}

/* Maps. */

/* Reads the key or value of an entry over what lies at the index. */
static void read_part(decoder &d, const place &at, const field &f, input &in, int index)
{
    if (lua_istable(d.L, index)) {
        lua_pushvalue(d.L, index);
        read_message(d, at, f, in, false);
    } else {
        push_any(d, at, f, in);
    }
    lua_replace(d.L, index);
}

/* Puts what a part that is not there reads as at the index. */
static void fill_part(decoder &d, const place &at, const field &f, int index)
{
    if (!lua_isnil(d.L, index))
        return;
    if (f.type_message) {
        fill_push(d, *f.type_message);
        decode_message(d, at, *f.type_message, {nullptr, nullptr}, true);
    } else {
        value_push_constant(d, f.absent);
    }
    lua_replace(d.L, index);
}

/* Pushes the key and the value of an entry. */
static void push_entry(decoder &d, const place &at, const message &entry, input in)
{
    lua_pushnil(d.L);
    lua_pushnil(d.L);
    int key = lua_gettop(d.L) - 1;
    while (in.at < in.end) {
        uint32_t tag;
        if (!wire_tag(in, tag))
            value_fail(d, at);
        const field *f = table_find_field(entry, tag >> 3);
        if (f && f->wire == (tag & 7))
            read_part(d, at, *f, in, key + (int)f->index);
        else if (!wire_skip(in, tag, DEPTH_MAX))
            value_fail(d, at);
    }
    fill_part(d, at, entry.fields[0], key);
    fill_part(d, at, entry.fields[1], key + 1);
}

/* Pushes the key and the value of the next entry. */
static void read_entry(decoder &d, const place &at, const field &f, input &in)
{
    input bytes;
    pace_step(d.pace);
    if (!wire_bytes(in, bytes))
        value_fail(d, at);
    push_entry(d, at, *f.type_message, bytes);
}

/* Each reads the entries behind the tag, and those that follow with the same tag, into the map on
 * the top, and pops it. */

static void read_int_entries(
    decoder &d, const place &at, target &t, const field &f, uint32_t tag, input &in, bool fresh)
{
    int_map m = int_map_begin(d, fresh);
    do {
        read_entry(d, at, f, in);
        int_map_set(d, at, m);
    } while (read_same_tag(in, tag));
    value_push_constant(d, f.key);
    lua_pushvalue(d.L, m.table);
    lua_rawset(d.L, t.table);
    lua_pop(d.L, 2);
}

static void read_entries(decoder &d, const place &at, const field &f, uint32_t tag, input &in)
{
    do {
        read_entry(d, at, f, in);
        lua_rawset(d.L, -3);
    } while (read_same_tag(in, tag));
    lua_pop(d.L, 1);
}

static void read_map(
    decoder &d, const place &at, target &t, const field &f, uint32_t tag, input &in)
{
    bool integers = int_map_is_for(f), fresh = !has(d, t, f);
    size_t room = integers ? (size_t)INT_MAP_SMALL : (size_t)ENTRY_ROOM;
    if (fresh)
        push_new(d, t, f, 0, std::min(count_run(in, tag), room));
    else
        push_old(d, t, f);
    if (integers)
        read_int_entries(d, at, t, f, tag, in, fresh);
    else
        read_entries(d, at, f, tag, in);
}

/* Fields. */

/* Reads the field behind the tag, whose type of the wire says how; false when it does not fit. */
static bool read_field(
    decoder &d, const place &up, target &t, const field &f, uint32_t tag, input &in)
{
    place at = {&up, nullptr, &f, 0, 0, 0};
    uint32_t wire = tag & 7;
    if (f.shape == SINGLE && wire == f.wire)
        read_single(d, at, t, f, in);
    else if (f.shape == LIST && wire == f.wire)
        read_list(d, at, t, f, tag, in);
    else if (f.shape == LIST && wire == WireFormatLite::WIRETYPE_LENGTH_DELIMITED)
        read_packed(d, at, t, f, in);
    else if (f.shape == MAP && wire == f.wire)
        read_map(d, at, t, f, tag, in);
    else
        return false;
    return true;
}

static void read_fields(decoder &d, const place &at, target &t, input in)
{
    while (in.at < in.end) {
        uint32_t tag;
        pace_step(d.pace);
        if (!wire_tag(in, tag))
            value_fail(d, at);
        const field *f = table_find_field(t.m, tag >> 3);
        if (f && read_field(d, at, t, *f, tag, in))
            continue;
        if (!wire_skip(in, tag, DEPTH_MAX))
            value_fail(d, at);
    }
}

static void decode_message(decoder &d, const place &at, const message &m, input in, bool fresh)
{
    uint64_t few[PRESENCE_FEW] = {0};
    if (++d.depth > DEPTH_MAX)
        place_fail(d.L, at, "more than %d levels", DEPTH_MAX);
    luaL_checkstack(d.L, STACK, "protobuf");
    int table = lua_gettop(d.L);
    target t = {m, table, presence_push(d, at, m, few, fresh)};
    read_fields(d, at, t, in);
    if (fresh)
        fill_finish(d, at, m, t.has, table);
    lua_settop(d.L, table);
    d.depth--;
}

void decode_push(lua_State *L, const message &m, int constants, input in, int fail)
{
    const place_root root = {m, fail};
    const place at = {nullptr, &root, nullptr, 0, 0, 0};
    decoder d = {L, constants, 0, 0, pace_of(L, wire_left(in))};
    lua_pushnil(L);
    d.notes = lua_gettop(L);
    fill_push(d, m);
    decode_message(d, at, m, in, true);
    required_check(d, at, m);
}

} // namespace codec

#include "lua/protobuf/int_map.h"

#include "lua/protobuf/presence.h"

#include <cstring>

namespace codec
{

enum { FIRST_ROOM = 32, SPARSE = 4 /* times the keys: no table grows larger to separate slots */ };

/* How the keys are distributed in a table of that size. */
struct int_slots {
    size_t room;  /* a power of two */
    size_t count; /* of the keys */
    uint8_t taken[];
};

/* The hash of Lua 5.4. */
static uint8_t &slot_of(int_slots *s, lua_Integer key)
{
    return s->taken[(lua_Unsigned)key % ((s->room - 1) | 1)];
}

static int_slots *push_slots(decoder &d, size_t room)
{
    size_t size = sizeof(int_slots) + room;
    auto s = (int_slots *)memset(lua_newuserdatauv(d.L, size, 0), 0, size);
    s->room = room;
    return s;
}

/* Counts the keys of the table at the index by slot; false if too many share a slot. */
static bool count_slots(decoder &d, int table, int_slots *s)
{
    for (lua_pushnil(d.L); lua_next(d.L, table); lua_pop(d.L, 1)) {
        pace_step(d.pace);
        if (++slot_of(s, lua_tointeger(d.L, -2)) > INT_MAP_CHAIN) {
            lua_pop(d.L, 2);
            return false;
        }
    }
    return true;
}

static bool is_sparse(const int_map &m, size_t room)
{
    return room > SPARSE * (m.count + FIRST_ROOM);
}

[[noreturn]] static void fail(decoder &d, const place &at)
{
    place_fail(d.L, at, "more than %d keys are alike to a table", INT_MAP_CHAIN);
}

/* Pushes the slot counts of the smallest table, of at least that room, that separates the keys. */
static int_slots *push_fitting(decoder &d, const place &at, const int_map &m, size_t room)
{
    for (; !is_sparse(m, room); room *= 2) {
        int_slots *s = push_slots(d, room);
        if (count_slots(d, m.table, s))
            return s;
        lua_pop(d.L, 1);
    }
    fail(d, at);
}

/* Moves the entries to a table with that room, or a larger one. */
static void grow(decoder &d, const place &at, int_map &m, size_t room)
{
    luaL_checkstack(d.L, LUA_MINSTACK, "protobuf");
    m.slots = push_fitting(d, at, m, room);
    lua_replace(d.L, m.table + 1);
    pace_make(d.pace, at, m.slots->room - m.count);
    lua_createtable(d.L, 0, (int)m.slots->room);
    for (lua_pushnil(d.L); lua_next(d.L, m.table);) {
        pace_step(d.pace);
        lua_pushvalue(d.L, -2);
        lua_insert(d.L, -2);
        lua_rawset(d.L, -4);
    }
    presence_forget(d, m.table);
    lua_replace(d.L, m.table);
    lua_pushvalue(d.L, m.table + 1);
    presence_note(d, m.table);
    lua_pop(d.L, 1);
}

/* Makes room for another key, and in its slot too. */
static void take_slot(decoder &d, const place &at, int_map &m, lua_Integer key)
{
    if (!m.slots && m.count < INT_MAP_SMALL)
        return;
    if (!m.slots || m.count == m.slots->room)
        grow(d, at, m, m.slots ? 2 * m.slots->room : (size_t)FIRST_ROOM);
    while (slot_of(m.slots, key) == INT_MAP_CHAIN)
        grow(d, at, m, 2 * m.slots->room);
    slot_of(m.slots, key)++;
}

static size_t count_keys(decoder &d, int table)
{
    size_t n = 0;
    for (lua_pushnil(d.L); lua_next(d.L, table); lua_pop(d.L, 1))
        n++;
    return n;
}

bool int_map_is_for(const field &map)
{
    using google::protobuf::FieldDescriptor;
    uint8_t key = map.type_message->fields[0].type;
    return key != FieldDescriptor::TYPE_STRING && key != FieldDescriptor::TYPE_BOOL;
}

int_map int_map_begin(decoder &d, bool fresh)
{
    int_map m = {lua_gettop(d.L), 0, nullptr};
    if (fresh) {
        lua_pushnil(d.L);
        return m;
    }
    presence_recall(d, m.table);
    m.slots = (int_slots *)lua_touserdata(d.L, -1);
    m.count = m.slots ? m.slots->count : count_keys(d, m.table);
    return m;
}

bool int_map_has(decoder &d, const int_map &m, int key)
{
    lua_pushvalue(d.L, key);
    bool found = lua_rawget(d.L, m.table) != LUA_TNIL;
    lua_pop(d.L, 1);
    return found;
}

void int_map_set(decoder &d, const place &at, int_map &m)
{
    if (!int_map_has(d, m, lua_gettop(d.L) - 1)) {
        take_slot(d, at, m, lua_tointeger(d.L, -2));
        m.count++;
        if (m.slots)
            m.slots->count = m.count;
    }
    lua_rawset(d.L, m.table);
}

} // namespace codec

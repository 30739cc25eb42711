#include "lua/protobuf/fields.h"

#include <cstring>
#include <type_traits>

namespace codec
{

/* A Lua error skips destructors. */
static_assert(std::is_trivially_destructible<fields_few>::value);

[[noreturn]] static void fail_key(lua_State *L, const place &at)
{
    if (lua_type(L, -2) == LUA_TSTRING)
        place_fail(L, at, "there is no field \"%.60s\"", lua_tostring(L, -2));
    place_fail(L, at, "the keys of a message are names of fields, not a %s", luaL_typename(L, -2));
}

/* The field whose name is the key below the top. */
static const field &to_field(lua_State *L, const place &at, const message &m)
{
    if (lua_type(L, -2) != LUA_TSTRING)
        fail_key(L, at);
    const names::entry *entry = table_find_name(m.by_name, lua_tostring(L, -2));
    if (!entry)
        fail_key(L, at);
    return m.fields[entry->value];
}

/* Raises if another member of the field's oneof is set. */
static void choose(lua_State *L, const place &at, const message &m, const field &f, fields &found)
{
    uint32_t &chosen = found.chosen[f.oneof - 1];
    if (chosen)
        place_fail(L, at, "both %s and %s of the oneof %s are set", f.name,
            m.fields[chosen - 1].name, f.descriptor->containing_oneof()->name().c_str());
    chosen = f.index + 1;
}

static void push_values(pace &p, const place &at, const message &m, fields &found)
{
    int slot = lua_gettop(p.L);
    lua_pushnil(p.L);
    while (lua_next(p.L, at.value)) {
        const field &f = to_field(p.L, at, m);
        pace_step(p);
        if (f.oneof)
            choose(p.L, at, m, f, found);
        found.set[f.index / 64] |= (uint64_t)1 << f.index % 64;
        found.slots[f.index] = ++slot;
        lua_insert(p.L, -2);
    }
}

static void check_required(lua_State *L, const place &up, const message &m, const fields &found)
{
    for (uint32_t index : m.checked) {
        const field &f = m.fields[index];
        place at = {&up, nullptr, &f, 0, 0, 0};
        if (f.required && !fields_has(found, index))
            place_fail(L, at, "required, but missing");
    }
}

/* For a message of many fields, the result is stored in userdata on the stack. */
static fields push_many(lua_State *L, const message &m)
{
    size_t set = m.filled.size() * sizeof(uint64_t);
    size_t slots = m.fields.size() * sizeof(int), chosen = m.oneofs * sizeof(uint32_t);
    void *room = memset(lua_newuserdatauv(L, set + slots + chosen, 0), 0, set + slots + chosen);
    fields found = {(uint64_t *)room, (int *)((char *)room + set), nullptr};
    found.chosen = (uint32_t *)(found.slots + m.fields.size());
    return found;
}

fields fields_push(pace &p, const place &at, const message &m, fields_few &few)
{
    if (!lua_istable(p.L, at.value))
        place_fail_type(p.L, at, "a table");
    luaL_checkstack(p.L, (int)m.fields.size() + FIELDS_STACK, "protobuf");
    fields found = {few.set, few.slots, few.chosen};
    if (m.fields.size() > FIELDS_FEW || m.oneofs > FIELDS_FEW_ONEOFS) {
        found = push_many(p.L, m);
    } else {
        memset(few.set, 0, sizeof few.set);
        memset(few.chosen, 0, m.oneofs * sizeof *few.chosen);
    }
    push_values(p, at, m, found);
    if (m.requires_own)
        check_required(p.L, at, m, found);
    return found;
}

lua_Integer fields_count_elements(pace &p, const place &at)
{
    lua_Integer keys = 0, n = (lua_Integer)lua_rawlen(p.L, at.value);
    for (lua_pushnil(p.L); lua_next(p.L, at.value); lua_pop(p.L, 1)) {
        pace_step(p);
        keys++;
    }
    if (keys != n)
        place_fail(p.L, at, "the keys of a list are 1..n");
    return n;
}

} // namespace codec

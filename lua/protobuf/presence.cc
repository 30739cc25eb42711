#include "lua/protobuf/presence.h"

#include <cstring>

namespace codec
{

static presence lay_out(const message &m, uint64_t *words, bool known)
{
    return {words, (uint32_t *)(words + m.filled.size()), known};
}

static uint64_t *push_words(decoder &d, const message &m)
{
    size_t size = m.presence_words * sizeof(uint64_t);
    return (uint64_t *)memset(lua_newuserdatauv(d.L, size, 0), 0, size);
}

void presence_recall(decoder &d, int table)
{
    if (lua_isnil(d.L, d.notes)) {
        lua_pushnil(d.L);
        return;
    }
    lua_pushvalue(d.L, table);
    lua_rawget(d.L, d.notes);
}

void presence_note(decoder &d, int table)
{
    if (lua_isnil(d.L, d.notes)) {
        lua_newtable(d.L);
        lua_replace(d.L, d.notes);
    }
    lua_pushvalue(d.L, table);
    lua_pushvalue(d.L, -2);
    lua_rawset(d.L, d.notes);
}

void presence_forget(decoder &d, int table)
{
    if (lua_isnil(d.L, d.notes))
        return;
    lua_pushvalue(d.L, table);
    lua_pushnil(d.L);
    lua_rawset(d.L, d.notes);
}

/* Notes the fields that the table at the index has. */
static void search(decoder &d, const place &at, const message &m, int table, presence &p)
{
    for (lua_pushnil(d.L); lua_next(d.L, table); lua_pop(d.L, 1)) {
        const names::entry *name = table_find_name(m.by_name, lua_tostring(d.L, -2));
        const field &f = m.fields[name->value];
        pace_make(d.pace, at, 1);
        presence_add(p, f.index);
        if (f.oneof)
            p.chosen[f.oneof - 1] = f.index + 1;
    }
}

/* For a table that is filled again. */
static presence push_again(decoder &d, const place &at, const message &m)
{
    int table = lua_gettop(d.L);
    presence_recall(d, table);
    if (!lua_isnil(d.L, -1))
        return lay_out(m, (uint64_t *)lua_touserdata(d.L, -1), true);
    lua_pop(d.L, 1);
    presence p = lay_out(m, push_words(d, m), true);
    presence_note(d, table);
    search(d, at, m, table, p);
    return p;
}

presence presence_push(decoder &d, const place &at, const message &m, uint64_t *few, bool fresh)
{
    if (!fresh && m.oneofs)
        return push_again(d, at, m);
    bool fits = m.presence_words <= PRESENCE_FEW;
    return lay_out(m, fits ? few : push_words(d, m), fresh);
}

} // namespace codec

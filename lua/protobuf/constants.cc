#include "lua/protobuf/constants.h"

namespace codec
{

static void push_constant(lua_State *L, const constant &c)
{
    switch (c.kind) {
    case constant::STRING:
        lua_pushlstring(L, c.text.data(), c.text.size());
        break;
    case constant::INTEGER:
        lua_pushinteger(L, c.integer);
        break;
    case constant::NUMBER:
        lua_pushnumber(L, c.number);
        break;
    case constant::BOOLEAN:
        lua_pushboolean(L, c.integer != 0);
        break;
    case constant::METATABLE:
        lua_newtable(L);
    }
}

/* Sets the addresses of the names' strings. The constants are on the top. */
static void fill_names(lua_State *L, names &n)
{
    for (names::entry &entry : n.listed) {
        lua_rawgeti(L, -1, entry.constant);
        n.fill(entry, lua_tostring(L, -1));
        lua_pop(L, 1);
    }
}

/* Puts its defaults into a message's metatable. The constants are on the top. */
static void fill_metatable(lua_State *L, const message &m)
{
    lua_rawgeti(L, -1, m.metatable);
    lua_newtable(L);
    for (size_t i = 0; i < m.defaults.size(); i += 2) {
        lua_rawgeti(L, -3, m.defaults[i]);
        lua_rawgeti(L, -4, m.defaults[i + 1]);
        lua_rawset(L, -3);
    }
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

void constants_fill(lua_State *L, tables &t)
{
    for (; t.constants_pushed < t.constants.size(); t.constants_pushed++) {
        push_constant(L, t.constants[t.constants_pushed]);
        lua_rawseti(L, -2, (lua_Integer)t.constants_pushed + 1);
    }
    for (; t.enums_pushed < t.enums.size(); t.enums_pushed++)
        fill_names(L, t.enums[t.enums_pushed].by_name);
    for (; t.messages_pushed < t.messages.size(); t.messages_pushed++) {
        message &m = t.messages[t.messages_pushed];
        fill_names(L, m.by_name);
        if (m.metatable)
            fill_metatable(L, m);
    }
}

} // namespace codec

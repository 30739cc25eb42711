#include "lua/protobuf/required.h"

namespace codec
{

/* Checks the messages in the list or map on the top. */
static void check_elements(lua_State *L, place &at, const message &m, int constants)
{
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        at.key = lua_gettop(L) - 1;
        required_check(L, at, m, constants);
    }
    at.key = 0;
}

/* The field's value lies on the top. */
static void check_field(lua_State *L, place &at, const field &f, int constants)
{
    if (f.required && lua_isnil(L, -1))
        place_fail(L, at, "required, but missing");
    if (!f.type_message || !f.type_message->requires_some || lua_isnil(L, -1))
        return;
    if (f.shape == SINGLE)
        required_check(L, at, *f.type_message, constants);
    else if (f.shape == LIST)
        check_elements(L, at, *f.type_message, constants);
    else if (f.type_message->fields[1].type_message)
        check_elements(L, at, *f.type_message->fields[1].type_message, constants);
}

void required_check(lua_State *L, const place &up, const message &m, int constants)
{
    if (!m.requires_some)
        return;
    luaL_checkstack(L, LUA_MINSTACK, "protobuf");
    for (const field &f : m.fields) {
        place at = {&up, nullptr, &f, 0, 0, 0};
        lua_rawgeti(L, constants, f.key);
        lua_rawget(L, -2);
        check_field(L, at, f, constants);
        lua_pop(L, 1);
    }
}

} // namespace codec

#include "lua/protobuf/required.h"

namespace codec
{

/* Checks the messages in the list or map on the top. */
static void check_elements(decoder &d, place &at, const message &m)
{
    for (lua_pushnil(d.L); lua_next(d.L, -2); lua_pop(d.L, 1)) {
        at.key = lua_gettop(d.L) - 1;
        required_check(d, at, m);
    }
    at.key = 0;
}

void required_check_field(decoder &d, place &at, const field &f)
{
    if (f.required && lua_isnil(d.L, -1))
        place_fail(d.L, at, "required, but missing");
    if (!f.type_message || lua_isnil(d.L, -1))
        return;
    if (f.shape == SINGLE)
        required_check(d, at, *f.type_message);
    else if (f.shape == LIST)
        check_elements(d, at, *f.type_message);
    else if (f.type_message->fields[1].type_message)
        check_elements(d, at, *f.type_message->fields[1].type_message);
}

void required_check(decoder &d, const place &up, const message &m)
{
    if (!m.requires_some)
        return;
    luaL_checkstack(d.L, LUA_MINSTACK, "protobuf");
    pace_make(d.pace, up, m.checked.size());
    for (uint32_t index : m.checked) {
        const field &f = m.fields[index];
        place at = {&up, nullptr, &f, 0, 0, 0};
        value_push_constant(d, f.key);
        lua_rawget(d.L, -2);
        required_check_field(d, at, f);
        lua_pop(d.L, 1);
    }
}

} // namespace codec

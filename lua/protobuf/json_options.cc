#include "lua/protobuf/json_options.h"

#include <cstring>

namespace codec
{

namespace
{

/* An option, and its only valid value besides nil. */
struct known_option {
    const char *name;
    const char *value; /* NULL for true */
    bool json_options::*member;
};

} // namespace

static const known_option known[] = {{"defaults", nullptr, &json_options::defaults},
    {"names", "proto", &json_options::proto_names},
    {"enums", "number", &json_options::enum_numbers},
    {"unknown", "ignore", &json_options::ignore_unknown},
    {"partial", nullptr, &json_options::partial}};

/* Whether the value on the top switches the option on. Raises if it is not a value of the
 * option. */
static bool is_on(lua_State *L, const known_option &o)
{
    if (lua_type(L, -1) == LUA_TBOOLEAN && !o.value)
        return lua_toboolean(L, -1);
    if (lua_type(L, -1) == LUA_TSTRING && o.value && strcmp(lua_tostring(L, -1), o.value) == 0)
        return true;
    if (o.value)
        luaL_error(L, "protobuf: the option %s is \"%s\" or nil", o.name, o.value);
    luaL_error(L, "protobuf: the option %s is true or false", o.name);
    return false;
}

json_options json_options_take(lua_State *L, int index)
{
    json_options options = {};
    if (lua_isnoneornil(L, index))
        return options;
    luaL_checktype(L, index, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : nullptr;
        const known_option *found = nullptr;
        for (const known_option &o : known)
            if (name && strcmp(o.name, name) == 0)
                found = &o;
        if (!found)
            luaL_error(L, "protobuf: there is no option %s", name ? name : luaL_typename(L, -2));
        options.*found->member = is_on(L, *found);
    }
    return options;
}

} // namespace codec

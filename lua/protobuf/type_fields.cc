#include "lua/protobuf/type_fields.h"

#include "lua/protobuf/type.h"

namespace codec
{

static void set_string(lua_State *L, const char *key, const std::string &text)
{
    lua_pushlstring(L, text.data(), text.size());
    lua_setfield(L, -2, key);
}

static void set_true(lua_State *L, const char *key, bool value)
{
    if (!value)
        return;
    lua_pushboolean(L, true);
    lua_setfield(L, -2, key);
}

/* The names of an enum's values, as declared. */
static void push_values(lua_State *L, const google::protobuf::EnumDescriptor *d)
{
    lua_createtable(L, d->value_count(), 0);
    for (int i = 0; i < d->value_count(); i++) {
        lua_pushlstring(L, d->value(i)->name().data(), d->value(i)->name().size());
        lua_rawseti(L, -2, i + 1);
    }
}

static void push_field(lua_State *L, const schema_handle *owner, const field &f);

/* What the field holds. */
static void set_kind(lua_State *L, const schema_handle *owner, const field &f)
{
    set_string(L, "type", f.descriptor->type_name());
    if (f.type_enum) {
        set_string(L, "enum", f.type_enum->descriptor->full_name());
        push_values(L, f.type_enum->descriptor);
        lua_setfield(L, -2, "values");
    }
    if (f.shape == MAP) {
        push_field(L, owner, f.type_message->fields[0]);
        lua_setfield(L, -2, "key");
        push_field(L, owner, f.type_message->fields[1]);
        lua_setfield(L, -2, "value");
    } else if (f.type_message) {
        type_push(L, owner, f.type_message);
        lua_setfield(L, -2, "message");
    }
}

static void push_field(lua_State *L, const schema_handle *owner, const field &f)
{
    luaL_checkstack(L, LUA_MINSTACK, "protobuf");
    lua_createtable(L, 0, 8);
    set_string(L, "name", f.descriptor->name());
    set_string(L, "json_name", f.descriptor->json_name());
    lua_pushinteger(L, f.number);
    lua_setfield(L, -2, "number");
    set_true(L, "repeated", f.shape == LIST);
    set_true(L, "map", f.shape == MAP);
    set_true(L, "required", f.required);
    set_true(L, "deprecated", f.descriptor->options().deprecated());
    if (f.oneof)
        set_string(L, "oneof", f.descriptor->containing_oneof()->name());
    set_kind(L, owner, f);
}

int type_list_fields(lua_State *L)
{
    const type_handle *t = handle_check_type(L, 1);
    const message &m = *t->m;
    const schema_handle *owner = t->owner;
    lua_settop(L, 1);
    lua_getiuservalue(L, 1, TYPE_SCHEMA);
    lua_replace(L, 1); /* it keeps the type */
    lua_createtable(L, (int)m.fields.size(), 0);
    for (const field &f : m.fields) {
        push_field(L, owner, f);
        lua_rawseti(L, 2, (lua_Integer)f.index + 1);
    }
    return 1;
}

} // namespace codec

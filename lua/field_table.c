#include "lua/field_table.h"

#include "http/field.h"

void field_table_push_str(lua_State *L, struct str s)
{
    if (s.p)
        lua_pushlstring(L, s.p, s.n);
    else
        lua_pushnil(L);
}

static const char *separator_of(struct str name)
{
    return field_same_name(name, STR("cookie")) ? "; " : ", ";
}

/* Adds a value to the one that the table on top has for the name. */
static void join_field(lua_State *L, const struct field *f)
{
    field_table_push_str(L, f->name);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) == LUA_TNIL) {
        lua_pop(L, 1);
        field_table_push_str(L, f->value);
    } else {
        lua_pushstring(L, separator_of(f->name));
        field_table_push_str(L, f->value);
        lua_concat(L, 3);
    }
    lua_rawset(L, -3);
}

void field_table_push(lua_State *L, const struct fields *fields)
{
    lua_createtable(L, 0, (int)fields->count);
    for (size_t i = 0; i < fields->count; i++)
        join_field(L, &fields->list[i]);
}

void field_table_push_list(lua_State *L, const struct fields *fields)
{
    lua_createtable(L, (int)fields->count, 0);
    for (size_t i = 0; i < fields->count; i++) {
        lua_createtable(L, 2, 0);
        field_table_push_str(L, fields->list[i].name);
        lua_rawseti(L, -2, 1);
        field_table_push_str(L, fields->list[i].value);
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

void field_table_push_values(lua_State *L, const struct fields *fields, struct str name)
{
    const struct field *first = fields_find(fields, name);
    field_table_push_str(L, first ? first->value : (struct str){NULL, 0});
    if (!first)
        return;
    for (const struct field *f = first + 1; f < fields->list + fields->count; f++) {
        if (!field_same_name(f->name, name))
            continue;
        lua_pushstring(L, separator_of(name));
        field_table_push_str(L, f->value);
        lua_concat(L, 3);
    }
}

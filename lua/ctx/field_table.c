#include "lua/ctx/field_table.h"

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

/* Whether a field of its name stands before the one at the index. */
static bool is_repeated(const struct fields *fields, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (str_eq(fields->list[i].name, fields->list[at].name))
            return true;
    return false;
}

/* Pushes the value behind the one that the table has for the name, which is on top of it. */
static void push_joined(lua_State *L, const struct field *f)
{
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    lua_pushstring(L, separator_of(f->name));
    field_table_push_str(L, f->value);
    lua_concat(L, 3);
}

/* Fields are few, and seldom repeated: to look for that here costs less than in the table. */
void field_table_push(lua_State *L, const struct fields *fields)
{
    lua_createtable(L, 0, (int)fields->count);
    for (size_t i = 0; i < fields->count; i++) {
        const struct field *f = &fields->list[i];
        field_table_push_str(L, f->name);
        if (is_repeated(fields, i))
            push_joined(L, f);
        else
            field_table_push_str(L, f->value);
        lua_rawset(L, -3);
    }
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

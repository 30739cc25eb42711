#include "lua/ctx/field_table.h"

#include "http/field.h"

#include <lauxlib.h>
#include <stdint.h>

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

static void add_str(luaL_Buffer *b, struct str s)
{
    luaL_addlstring(b, s.n ? s.p : "", s.n);
}

/* The fields of a message. Each links to the next field of the same name; 0 means none, since field
 * 0 is never next. */
struct chains {
    const struct fields *fields;
    uint32_t *next;
    bool *is_later; /* whether an earlier field has the same name */
};

/* Pushes the values of a chain of at least two fields, as one string. */
static void push_joined(lua_State *L, const struct chains *c, size_t first)
{
    luaL_Buffer b;
    struct str separator = str_of(separator_of(c->fields->list[first].name));
    luaL_buffinit(L, &b);
    add_str(&b, c->fields->list[first].value);
    for (size_t i = c->next[first]; i; i = c->next[i]) {
        add_str(&b, separator);
        add_str(&b, c->fields->list[i].value);
    }
    luaL_pushresult(&b);
}

static void push_chains(lua_State *L, const struct chains *c)
{
    for (size_t i = 0; i < c->fields->count; i++) {
        const struct field *f = &c->fields->list[i];
        if (c->is_later[i])
            continue;
        field_table_push_str(L, f->name);
        if (c->next[i])
            push_joined(L, c, i);
        else
            field_table_push_str(L, f->value);
        lua_rawset(L, -3);
    }
}

enum { FEW = 24 }; /* up to so many fields are compared each with each */

/* With few fields, comparing names is cheaper than a table. */
static void link_few(const struct chains *c)
{
    for (size_t i = 1; i < c->fields->count; i++)
        for (size_t j = i; j--;)
            if (str_eq(c->fields->list[j].name, c->fields->list[i].name)) {
                c->next[j] = (uint32_t)i;
                c->is_later[i] = true;
                break;
            }
}

static void push_few(lua_State *L, const struct fields *fields)
{
    uint32_t next[FEW] = {0};
    bool is_later[FEW] = {false};
    const struct chains c = {fields, next, is_later};
    link_few(&c);
    push_chains(L, &c);
}

/* The table on top maps each name to the position of its last field so far, and in the end to its
 * value. */
static void link_many(lua_State *L, const struct chains *c)
{
    for (size_t i = 0; i < c->fields->count; i++) {
        field_table_push_str(L, c->fields->list[i].name);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, -3) == LUA_TNUMBER) {
            c->next[lua_tointeger(L, -1)] = (uint32_t)i;
            c->is_later[i] = true;
        }
        lua_pop(L, 1);
        lua_pushinteger(L, (lua_Integer)i);
        lua_rawset(L, -3);
    }
}

/* The memory of the chains lies below the table on the stack. */
static void push_many(lua_State *L, const struct fields *fields)
{
    size_t n = fields->count;
    uint32_t *next = lua_newuserdatauv(L, n * (sizeof *next + sizeof(bool)), 0);
    memset(next, 0, n * (sizeof *next + sizeof(bool)));
    lua_insert(L, -2);
    const struct chains c = {fields, next, (bool *)(next + n)};
    link_many(L, &c);
    push_chains(L, &c);
    lua_remove(L, -2);
}

void field_table_push(lua_State *L, const struct fields *fields)
{
    lua_createtable(L, 0, (int)fields->count);
    if (fields->count <= FEW)
        push_few(L, fields);
    else
        push_many(L, fields);
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
    const struct field *first = fields_find(fields, name), *end = fields->list + fields->count;
    const struct field *f = first ? first + 1 : end;
    while (f < end && !field_same_name(f->name, name))
        f++;
    if (f == end) {
        field_table_push_str(L, first ? first->value : (struct str){NULL, 0});
        return;
    }
    luaL_Buffer b;
    struct str separator = str_of(separator_of(name));
    luaL_buffinit(L, &b);
    add_str(&b, first->value);
    for (; f < end; f++) {
        if (!field_same_name(f->name, name))
            continue;
        add_str(&b, separator);
        add_str(&b, f->value);
    }
    luaL_pushresult(&b);
}

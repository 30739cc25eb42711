#include "lua/ctx/proxied_head.h"

#include "http/exchange.h"
#include "lua/ctx/ctx.h"

#include <lauxlib.h>

/* Adds the value on top to what the table below it has of the name. [-1, +0] */
static void add_value(lua_State *L, struct str name, bool is_array)
{
    lua_pushlstring(L, name.p, name.n);
    lua_pushvalue(L, -1);
    int has = lua_rawget(L, -4);
    if (has == LUA_TNIL && !is_array) {
        lua_pop(L, 1);
        lua_insert(L, -2);
        lua_rawset(L, -3);
        return;
    }
    if (has != LUA_TTABLE) {
        lua_createtable(L, 2, 0);
        lua_insert(L, -2);
        if (has == LUA_TNIL)
            lua_pop(L, 1);
        else
            lua_rawseti(L, -2, 1);
    }
    lua_pushvalue(L, -3);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    lua_rawset(L, -4);
    lua_pop(L, 1);
}

void proxied_head_push(lua_State *L, const struct fields *head)
{
    lua_createtable(L, 0, (int)head->count);
    for (size_t i = 0; i < head->count; i++) {
        struct field f = head->list[i];
        lua_pushlstring(L, f.value.p, f.value.n);
        add_value(L, f.name, str_eq(f.name, STR("set-cookie")));
    }
}

static void check_rc(lua_State *L, enum rc rc, struct str name, struct str value)
{
    const char *problem = field_header_problem(name);
    if (!problem)
        problem = field_value_problem(value);
    if (rc)
        luaL_error(L, "header \"%s\" %s", name.p, problem ? problem : rc_text(rc));
}

/* Adds the string or number on top of the stack. */
static void add(lua_State *L, struct outgoing *o, struct str name)
{
    struct str value;
    if (!lua_isstring(L, -1))
        luaL_error(L, "header \"%s\" has a %s as its value, not a string or a list of them", name.p,
            luaL_typename(L, -1));
    value.p = lua_tolstring(L, -1, &value.n);
    check_rc(L, outgoing_add_header(o, name, value), name, value);
}

/* Sets the fields of a name to the value on top of the stack. */
static void set(lua_State *L, struct outgoing *o, struct str name)
{
    check_rc(L, outgoing_remove_header(o, name), name, STR(""));
    if (lua_isnil(L, -1))
        return;
    if (!lua_istable(L, -1)) {
        add(L, o, name);
        return;
    }
    for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
        add(L, o, name);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static bool is_string(lua_State *L, struct str text)
{
    size_t n;
    const char *p = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &n) : NULL;
    return p && str_eq((struct str){p, n}, text);
}

/* Sets a field that came, by the value on top of the stack. */
static void set_old(lua_State *L, struct outgoing *o, const struct field *f)
{
    if (is_string(L, f->value))
        return;
    if (str_eq(f->name, STR("content-length")) && !lua_isnil(L, -1))
        luaL_error(L, "header \"content-length\" is the server's to set");
    set(L, o, f->name);
}

/* The names that there were, each once, in their order. */
static void take_old(lua_State *L, struct outgoing *o, const struct fields *before, int table)
{
    for (size_t i = 0; i < before->count; i++) {
        const struct field *f = &before->list[i];
        if (fields_find(before, f->name) != f)
            continue;
        lua_pushlstring(L, f->name.p, f->name.n);
        lua_rawget(L, table);
        set_old(L, o, f);
        lua_pop(L, 1);
    }
}

static void take_new(lua_State *L, struct outgoing *o, const struct fields *before, int table)
{
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        struct str name;
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "a header's name is a string, not a %s", luaL_typename(L, -2));
        name.p = lua_tolstring(L, -2, &name.n);
        if (field_same_name(name, STR("content-length")) && !fields_find(before, name))
            luaL_error(L, "header \"content-length\" is the server's to set");
        if (!fields_find(before, name))
            set(L, o, name);
    }
}

static struct fields copy(lua_State *L, struct exchange *x)
{
    struct fields of = x->response.out.head;
    struct field *list = arena_alloc(&x->arena, of.count * sizeof *list);
    if (!list)
        luaL_error(L, "%s", rc_text(RC_NOMEM));
    if (of.count)
        memcpy(list, of.list, of.count * sizeof *list);
    return (struct fields){.list = list, .count = of.count};
}

void proxied_head_take(lua_State *L, struct ctx *c, int status, int table)
{
    struct response *r = &c->x->response;
    if (!lua_isnil(L, status)) {
        lua_Integer n = lua_isinteger(L, status) ? lua_tointeger(L, status) : 0;
        if (n < 200 || n > 599)
            luaL_error(L, "response returns a final status, 200 to 599, or nothing");
        if (response_set_status(r, (int)n))
            luaL_error(L, "%s", rc_text(RC_STATE));
    }
    const struct fields before = copy(L, c->x);
    take_old(L, &r->out, &before, table);
    take_new(L, &r->out, &before, table);
}

/* What a handler reads in decoded form: the arguments of the query, and those of a form's body. */
#include "http/exchange.h"
#include "http/urlencoded.h"
#include "lua/ctx/ctx.h"
#include "lua/ctx/ctx_private.h"
#include "lua/ctx/request.h"
#include "lua/runtime/error_value.h"

enum { ARGUMENTS_MAX = 1000 };

static void push_decoded(lua_State *L, struct str s)
{
    if (!urlencoded_has_escapes(s)) {
        lua_pushlstring(L, s.n ? s.p : "", s.n);
        return;
    }
    luaL_Buffer b;
    char *out = luaL_buffinitsize(L, &b, s.n);
    luaL_pushresultsize(&b, urlencoded_decode(s, out));
}

/* Adds the value on top to those that its name already has: below it lies the first value, or the
 * table of them. [-2, +1] */
static void join_value(lua_State *L)
{
    if (lua_type(L, -2) == LUA_TSTRING) {
        lua_createtable(L, 2, 0);
        lua_pushvalue(L, -3);
        lua_rawseti(L, -2, 1);
        lua_replace(L, -3);
    }
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

/* Adds an argument to the table on top. */
static void add_argument(lua_State *L, struct str name, struct str value)
{
    push_decoded(L, name);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) == LUA_TNIL) {
        lua_pop(L, 1);
        push_decoded(L, value);
    } else {
        push_decoded(L, value);
        join_value(L);
    }
    lua_rawset(L, -3);
}

static int refuse_arguments(lua_State *L, int status)
{
    error_value_push_here(L, KIND_LIMIT, "more than %d arguments", ARGUMENTS_MAX);
    error_value_set(L, "limit", "arguments");
    error_value_set_number(L, "status", status);
    return lua_error(L);
}

/* Pushes a table of the text's arguments. Too many are answered with the status. */
static int push_arguments(lua_State *L, struct str text, int status)
{
    struct str name, value;
    lua_newtable(L);
    for (int count = 0; urlencoded_next(&text, &name, &value); count++) {
        if (count == ARGUMENTS_MAX)
            return refuse_arguments(L, status);
        add_argument(L, name, value);
    }
    return 1;
}

/* args() */
static int l_args(lua_State *L)
{
    const struct ctx *c = ctx_live(L);
    return push_arguments(L, c->x->request.query, 400);
}

/* A content-type without its parameters. */
static struct str media_type(struct str type)
{
    const char *end = type.n ? memchr(type.p, ';', type.n) : NULL;
    return field_trim((struct str){type.p, end ? (size_t)(end - type.p) : type.n});
}

static void refuse_type(lua_State *L)
{
    error_value_push_here(
        L, KIND_PROTOCOL, "the request's content-type is not application/x-www-form-urlencoded");
    error_value_set_number(L, "status", 415);
    lua_error(L);
}

static void check_form(lua_State *L, const struct request *r)
{
    const struct field *f = fields_find(&r->fields, STR("content-type"));
    if (!f || !field_same_name(media_type(f->value), STR("application/x-www-form-urlencoded")))
        refuse_type(L);
}

static int form_on(lua_State *L, struct ctx *c);

static int k_form(lua_State *L, int status, lua_KContext handle)
{
    (void)status;
    return form_on(L, ctx_resumed(L, handle));
}

static int form_on(lua_State *L, struct ctx *c)
{
    if (!ctx_push_body(L, c))
        return ctx_wait_body(L, c, k_form);
    struct str body;
    body.p = lua_tolstring(L, -1, &body.n);
    return push_arguments(L, body, 413);
}

/* form([limit]) */
static int l_form(lua_State *L)
{
    struct ctx *c = ctx_live(L);
    check_form(L, &c->x->request);
    ctx_start_body(L, c);
    return form_on(L, c);
}

const luaL_Reg ctx_form_functions[] = {
    {"args", l_args},
    {"form", l_form},
    {NULL, NULL},
};

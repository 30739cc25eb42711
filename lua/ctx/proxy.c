/* Passing the exchange on to another server. */
#include "http/exchange.h"
#include "http/forwarder.h"
#include "lua/ctx/args.h"
#include "lua/ctx/ctx.h"
#include "lua/ctx/ctx_private.h"
#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"

static struct ctx *of_lender(struct lender *l)
{
    return container_of(l, struct ctx, lender);
}

static void on_returned(struct lender *l)
{
    task_wake(of_lender(l)->reader);
}

void ctx_take_back(struct ctx *c)
{
    if (c->lender.forward)
        c->vm->options.forwarder->ops->cancel(c->vm->options.forwarder, &c->lender);
}

static void cancel_proxy(struct task *t)
{
    ctx_take_back(t->data);
}

/* The order. Its strings are kept in the exchange's arena. */

static struct str keep(lua_State *L, struct ctx *c, struct str text)
{
    const char *copy = arena_copy(&c->x->arena, text.p, text.n);
    if (!copy)
        luaL_error(L, "%s", rc_text(RC_NOMEM));
    return (struct str){copy, text.n};
}

/* Adds the key and the value on top of the stack, and leaves them there. false as the value removes
 * a field. */
static void add_field(lua_State *L, struct ctx *c, struct fields *list)
{
    bool drops = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
    if (lua_type(L, -2) != LUA_TSTRING)
        luaL_error(L, "a header's name is a string, not a %s", luaL_typename(L, -2));
    struct str name = ctx_check_str(L, lua_absindex(L, -2)), value = {NULL, 0};
    if (!drops && !lua_isstring(L, -1))
        luaL_error(L, "header \"%s\" has a %s as its value, not a string or false", name.p,
            luaL_typename(L, -1));
    if (!drops)
        value = ctx_check_str(L, lua_absindex(L, -1));
    const char *problem = field_header_problem(name);
    if (!problem && field_same_name(name, STR("content-length")))
        problem = "is the server's to set";
    if (!problem && !drops)
        problem = field_value_problem(value);
    if (problem)
        luaL_error(L, "header \"%s\" %s", name.p, problem);
    if (!drops)
        value = keep(L, c, field_trim(value));
    if (field_lower(&c->x->arena, name, &name) || fields_add(list, &c->x->arena, name, value))
        luaL_error(L, "%s", rc_text(RC_NOMEM));
}

static void take_headers(lua_State *L, struct ctx *c, struct forward_order *order)
{
    if (lua_getfield(L, 3, "headers") == LUA_TNIL)
        return;
    if (!lua_istable(L, -1))
        luaL_error(L, "headers is a table, not a %s", luaL_typename(L, -1));
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        add_field(L, c, &order->fields);
}

static void take_path(lua_State *L, struct ctx *c, struct forward_order *order)
{
    if (lua_getfield(L, 3, "path") == LUA_TNIL)
        return;
    if (lua_type(L, -1) != LUA_TSTRING || lua_tostring(L, -1)[0] != '/')
        luaL_error(L, "path is a string that begins with a slash");
    order->target = keep(L, c, ctx_check_str(L, lua_absindex(L, -1)));
}

static void take_timeout(lua_State *L, struct forward_order *order)
{
    if (lua_getfield(L, 3, "timeout") == LUA_TNIL)
        return;
    order->timeout = lua_tonumber(L, -1);
    if (!lua_isnumber(L, -1) || !(order->timeout > 0))
        luaL_error(L, "timeout is a number of seconds above 0");
}

/* Refuses unknown options: a misspelled one would go unnoticed. */
static void check_options(lua_State *L)
{
    static const char *const names[] = {"headers", "path", "timeout", NULL};
    for (lua_pushnil(L); lua_next(L, 3); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        const char *const *known = names;
        while (*known && strcmp(*known, name) != 0)
            known++;
        if (!*known)
            luaL_error(L, "option \"%s\" is unknown: there are headers, path and timeout", name);
    }
}

static struct forward_order check_order(lua_State *L, struct ctx *c)
{
    struct forward_order order = {.url = ctx_check_str(L, 2)};
    lua_settop(L, 3);
    if (lua_isnil(L, 3))
        return order;
    ctx_check_type(L, 3, LUA_TTABLE);
    check_options(L);
    take_headers(L, c, &order);
    take_path(L, c, &order);
    take_timeout(L, &order);
    return order;
}

static void check_state(lua_State *L, const struct ctx *c)
{
    if (!c->vm->options.forwarder)
        luaL_error(L, "no other server can be reached from here");
    if (c->x->response.out.state != OUTGOING_OPEN)
        luaL_error(L, "ctx:proxy: a response was sent already");
    if (c->reader)
        luaL_error(L, "another task is reading this request");
    if (c->writer)
        luaL_error(L, "another task is writing to this request");
}

static int k_proxy(lua_State *L, int status, lua_KContext handle)
{
    (void)status;
    const struct ctx *c = ctx_resumed(L, handle);
    lua_pushinteger(L, c->x->response.status);
    return 1;
}

/* proxy(url [, options]) */
static int l_proxy(lua_State *L)
{
    struct ctx *c = ctx_live(L);
    char why[FORWARDER_WHY];
    check_state(L, c);
    struct forward_order order = check_order(L, c);
    struct task *t = task_waiter(L);
    struct forwarder *f = c->vm->options.forwarder;
    c->lender.returned = on_returned;
    if (f->ops->begin(f, c->x, &order, &c->lender, why))
        return luaL_error(L, "%s", why);
    c->reader = c->writer = t;
    return task_wait(L, t, cancel_proxy, c, (lua_KContext)c->handle, k_proxy);
}

const luaL_Reg ctx_proxy_functions[] = {
    {"proxy", l_proxy},
    {NULL, NULL},
};

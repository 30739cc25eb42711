/* Passing the exchange on to another server. */
#include "http/code.h"
#include "http/exchange.h"
#include "http/forwarder.h"
#include "lua/ctx/args.h"
#include "lua/ctx/ctx.h"
#include "lua/ctx/ctx_private.h"
#include "lua/ctx/proxied_head.h"
#include "lua/runtime/pcall.h"
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

/* response stays on the stack, at its index. */
static void take_response(lua_State *L)
{
    int type = lua_getfield(L, 3, "response");
    if (type != LUA_TNIL && type != LUA_TFUNCTION)
        luaL_error(L, "response is a function, not a %s", luaL_typename(L, -1));
    lua_replace(L, 4);
}

static void take_statuses(lua_State *L, struct forward_retry *retry)
{
    if (lua_getfield(L, -1, "statuses") != LUA_TNIL && !lua_istable(L, -1))
        luaL_error(L, "retry.statuses is a list, not a %s", luaL_typename(L, -1));
    lua_Integer n = lua_istable(L, -1) ? (lua_Integer)lua_rawlen(L, -1) : 0;
    if (n > FORWARDER_STATUSES)
        luaL_error(L, "retry.statuses has more than %d", FORWARDER_STATUSES);
    for (; retry->count < n; lua_pop(L, 1)) {
        lua_rawgeti(L, -1, retry->count + 1);
        lua_Integer status = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
        if (status < 400 || status > 599)
            luaL_error(L, "retry.statuses is a list of statuses of errors, 400 to 599");
        retry->statuses[retry->count++] = (int)status;
    }
    lua_pop(L, 1);
}

static void take_attempts(lua_State *L, struct forward_retry *retry)
{
    enum { ATTEMPTS_MAX = 10 };
    lua_Integer attempts = 2;
    if (lua_getfield(L, -1, "attempts") != LUA_TNIL)
        attempts = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
    if (attempts < 1 || attempts > ATTEMPTS_MAX)
        luaL_error(L, "retry.attempts is a whole number, 1 to %d", ATTEMPTS_MAX);
    retry->attempts = (int)attempts;
    lua_pop(L, 1);
}

static void take_retry(lua_State *L, struct forward_order *order)
{
    int type = lua_getfield(L, 3, "retry");
    if (type == LUA_TNIL)
        return;
    if (type != LUA_TTABLE)
        luaL_error(L, "retry is a table, not a %s", luaL_typename(L, -1));
    take_statuses(L, &order->retry);
    take_attempts(L, &order->retry);
}

/* Refuses unknown options: a misspelled one would go unnoticed. */
static void check_options(lua_State *L)
{
    static const char *const names[] = {"headers", "path", "response", "retry", "timeout", NULL};
    for (lua_pushnil(L); lua_next(L, 3); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        const char *const *known = names;
        while (*known && strcmp(*known, name) != 0)
            known++;
        if (!*known)
            luaL_error(L,
                "option \"%s\" is unknown: there are headers, path, response, retry and timeout",
                name);
    }
}

static struct forward_order check_order(lua_State *L, struct ctx *c)
{
    struct forward_order order = {.url = ctx_check_str(L, 2)};
    lua_settop(L, 4);
    lua_pushnil(L);
    lua_replace(L, 4);
    if (lua_isnil(L, 3))
        return order;
    ctx_check_type(L, 3, LUA_TTABLE);
    check_options(L);
    take_response(L);
    take_retry(L, &order);
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

static int k_proxy(lua_State *L, int status, lua_KContext handle);

/* Waits on, with the request to itself. */
static int wait(lua_State *L, struct ctx *c, struct task *t)
{
    c->reader = c->writer = t;
    return task_wait(L, t, cancel_proxy, c, (lua_KContext)c->handle, k_proxy);
}

static int k_page(lua_State *L, int status, lua_KContext handle)
{
    (void)status, (void)handle;
    lua_pushinteger(L, vm_of(L)->running->ctx->x->response.status);
    return 1;
}

/* There is no response: the page of the status takes its place, in this very task where that is the
 * request's. */
static int answer_page(lua_State *L, struct ctx *c)
{
    int status = c->lender.refused;
    char text[STATUS_TEXT_SIZE];
    c->lender.refused = 0;
    if (vm_of(L)->running->ctx != c) {
        exchange_respond(c->x, status, status_text(status, text), NULL);
        ctx_note_answer(L, c);
        lua_pushinteger(L, status);
        return 1;
    }
    lua_pushcfunction(L, c->vm->page);
    lua_pushinteger(L, status);
    lua_callk(L, 1, 0, (lua_KContext)c->handle, k_page);
    return k_page(L, LUA_OK, (lua_KContext)c->handle);
}

/* The head of the response. While the script has it, nothing else moves. */

/* Gives up, with the error on top of the stack: what came of the response is gone. */
static int give_up(lua_State *L, struct ctx *c)
{
    ctx_take_back(c);
    if (c->x && response_restart(&c->x->response))
        return luaL_error(L, "%s", rc_text(RC_NOMEM));
    return lua_error(L);
}

/* Called with the request, what response has returned, and its table of fields. */
static int l_settle(lua_State *L)
{
    struct ctx *c = lua_touserdata(L, 1);
    if (lua_istable(L, 3))
        proxied_head_take(L, c, 2, 3);
    ctx_before_head(L, c);
    return 0;
}

/* The values of the head's table and of what response has returned, or nil, are on top. */
static int settle(lua_State *L, struct ctx *c)
{
    struct forwarder *f = c->vm->options.forwarder;
    struct task *t = vm_of(L)->running;
    lua_pushcfunction(L, l_settle);
    lua_pushlightuserdata(L, c);
    lua_rotate(L, -4, 2);
    lua_insert(L, -2);
    if (lua_pcall(L, 3, 0, 0))
        return give_up(L, c);
    f->ops->proceed(f, &c->lender);
    return wait(L, c, t);
}

enum { RESPONSE = 4, OUTCOME }; /* the script's function, and what pcall gives of it */

/* The table of fields, and what the function has returned. */
static int k_respond(lua_State *L, int status, lua_KContext unused)
{
    (void)L, (void)status, (void)unused;
    return 2;
}

/* Called with the script's function and the request. */
static int l_respond(lua_State *L)
{
    const struct ctx *c = lua_touserdata(L, 2);
    lua_settop(L, 1);
    proxied_head_push(L, &c->x->response.out.head);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, c->x->response.status);
    lua_pushvalue(L, 2);
    lua_callk(L, 2, 1, 0, k_respond);
    return k_respond(L, LUA_OK, 0);
}

static int k_responded(lua_State *L, int unused, lua_KContext handle)
{
    (void)unused;
    struct ctx *c = handles_get(&vm_of(L)->requests, handle);
    if (!c)
        return luaL_error(L, "request has ended");
    c->reader = c->writer = NULL;
    ctx_check(L, c);
    bool ok = lua_toboolean(L, OUTCOME);
    lua_remove(L, OUTCOME);
    return ok ? settle(L, c) : give_up(L, c);
}

static int take_head(lua_State *L, struct ctx *c)
{
    lua_settop(L, RESPONSE);
    if (lua_isnil(L, RESPONSE)) {
        lua_settop(L, RESPONSE + 2);
        return settle(L, c);
    }
    c->reader = c->writer = vm_of(L)->running;
    lua_pushcfunction(L, pcall_call);
    lua_pushcfunction(L, l_respond);
    lua_pushvalue(L, RESPONSE);
    lua_pushlightuserdata(L, c);
    lua_callk(L, 3, LUA_MULTRET, (lua_KContext)c->handle, k_responded);
    return k_responded(L, LUA_OK, (lua_KContext)c->handle);
}

static int k_proxy(lua_State *L, int status, lua_KContext handle)
{
    (void)status;
    struct ctx *c = ctx_resumed(L, handle);
    if (c->lender.forward)
        return take_head(L, c);
    if (c->lender.refused)
        return answer_page(L, c);
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
    order.pauses = c->heads != LUA_NOREF || !lua_isnil(L, RESPONSE);
    order.tells = c->heads != LUA_NOREF || c->wrapped;
    struct task *t = task_waiter(L);
    struct forwarder *f = c->vm->options.forwarder;
    c->lender.returned = c->lender.headed = on_returned;
    if (f->ops->begin(f, c->x, &order, &c->lender, why))
        return luaL_error(L, "%s", why);
    return wait(L, c, t);
}

const luaL_Reg ctx_proxy_functions[] = {
    {"proxy", l_proxy},
    {NULL, NULL},
};

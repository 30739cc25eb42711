/* What a handler reads: the request's fields and its body. */
#include "lua/ctx/request.h"
#include "http/exchange.h"
#include "lua/ctx/args.h"
#include "lua/ctx/body.h"
#include "lua/ctx/ctx.h"
#include "lua/ctx/ctx_private.h"
#include "lua/ctx/field_table.h"
#include "lua/runtime/error_value.h"
#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"

#include <unistd.h>

/* Fields. */

static void push_method(lua_State *L, const struct ctx *c)
{
    field_table_push_str(L, c->x->request.method);
}

static void push_path(lua_State *L, const struct ctx *c)
{
    field_table_push_str(L, c->x->request.path);
}

static void push_query(lua_State *L, const struct ctx *c)
{
    field_table_push_str(L, c->x->request.query);
}

static void push_scheme(lua_State *L, const struct ctx *c)
{
    field_table_push_str(L, c->x->request.scheme);
}

static void push_authority(lua_State *L, const struct ctx *c)
{
    field_table_push_str(L, c->x->request.authority);
}

static void push_params(lua_State *L, const struct ctx *c)
{
    lua_createtable(L, 0, (int)c->match.count);
    for (size_t i = 0; i < c->match.count; i++) {
        field_table_push_str(L, c->match.params[i].name);
        field_table_push_str(L, c->match.params[i].value);
        lua_rawset(L, -3);
    }
}

static void push_remote(lua_State *L, const struct ctx *c)
{
    lua_pushstring(L, c->x->peer->remote);
}

static void push_id(lua_State *L, const struct ctx *c)
{
    lua_pushfstring(L, "%d-%I-%d", (int)getpid(), (LUAI_UACINT)c->conn, (int)c->stream);
}

static void push_headers(lua_State *L, const struct ctx *c)
{
    field_table_push(L, &c->x->request.fields);
}

static void push_field_list(lua_State *L, const struct ctx *c)
{
    field_table_push_list(L, &c->x->request.fields);
}

static void push_tls(lua_State *L, const struct ctx *c)
{
    const struct peer *peer = c->x->peer;
    if (!peer->tls_version) {
        lua_pushnil(L);
        return;
    }
    lua_createtable(L, 0, 3);
    lua_pushstring(L, peer->tls_version);
    lua_setfield(L, -2, "version");
    lua_pushstring(L, peer->tls_cipher);
    lua_setfield(L, -2, "cipher");
    lua_pushstring(L, peer->tls_sni);
    lua_setfield(L, -2, "sni");
}

const struct ctx_field ctx_fields[] = {
    {"method", push_method},
    {"path", push_path},
    {"query", push_query},
    {"scheme", push_scheme},
    {"authority", push_authority},
    {"params", push_params},
    {"remote", push_remote},
    {"id", push_id},
    {"headers", push_headers},
    {"fields", push_field_list},
    {"tls", push_tls},
    {NULL, NULL},
};

/* request_header(name, ...): the value of each. */
static int l_request_header(lua_State *L)
{
    const struct ctx *c = ctx_live(L);
    int count = lua_gettop(L);
    luaL_checkstack(L, count + 3, "too many names");
    if (count < 2)
        ctx_check_str(L, 2);
    for (int i = 2; i <= count; i++)
        field_table_push_values(L, &c->x->request.fields, ctx_check_str(L, i));
    return count - 1;
}

/* The body. */

static void cancel_read(struct task *t)
{
    const struct ctx *c = t->data;
    if (c->x)
        c->x->wants_body = false;
}

static void claim_reader(lua_State *L, const struct ctx *c)
{
    if (c->reader)
        luaL_error(L, "another task is reading this request");
}

int ctx_wait_body(lua_State *L, struct ctx *c, lua_KFunction k)
{
    struct task *t = task_waiter(L);
    claim_reader(L, c);
    c->reader = t;
    exchange_want_body(c->x);
    return task_wait(L, t, cancel_read, c, (lua_KContext)c->handle, k);
}

static void consume(void *exchange, size_t n)
{
    exchange_consume(exchange, n);
}

static struct body_source source_of(const struct ctx *c)
{
    return (struct body_source){&c->x->request.body, c->x->request.ended, consume, c->x};
}

static int k_read(lua_State *L, int status, lua_KContext handle);

/* If it has to wait, the maximum is kept at index 1. */
static int read_on(lua_State *L, struct ctx *c, lua_Integer max)
{
    const struct body_source source = source_of(c);
    if (body_push_piece(L, &source, (size_t)max))
        return 1;
    lua_settop(L, 0);
    lua_pushinteger(L, max);
    return ctx_wait_body(L, c, k_read);
}

static int k_read(lua_State *L, int status, lua_KContext handle)
{
    (void)status;
    struct ctx *c = ctx_resumed(L, handle);
    return read_on(L, c, lua_tointeger(L, 1));
}

static int l_read(lua_State *L)
{
    struct ctx *c = ctx_live(L);
    lua_Integer max = ctx_opt_integer(L, 2, LUA_MAXINTEGER);
    ctx_check_that(L, max > 0, 2, "not above 0");
    claim_reader(L, c);
    return read_on(L, c, max);
}

static int refuse_body(lua_State *L, const struct ctx *c)
{
    error_value_push_here(
        L, KIND_LIMIT, "the request's body is larger than %I bytes", (LUAI_UACINT)c->whole.limit);
    error_value_set(L, "limit", "body-limit");
    error_value_set_number(L, "status", 413);
    return lua_error(L);
}

void ctx_start_body(lua_State *L, struct ctx *c)
{
    lua_Integer limit = ctx_opt_integer(L, 2, (lua_Integer)c->vm->options.body_limit);
    ctx_check_that(L, limit >= 0, 2, "below 0");
    claim_reader(L, c);
    lua_settop(L, 0);
    body_start_whole(L, &c->whole, (size_t)limit);
    if (body_will_be_too_large(&c->whole, &c->x->request.fields, c->x->request.taken))
        refuse_body(L, c);
}

bool ctx_push_body(lua_State *L, struct ctx *c)
{
    const struct body_source source = source_of(c);
    lua_settop(L, 1);
    enum body_step step = body_push_whole(L, &c->whole, &source, 1);
    if (step == BODY_IS_TOO_LARGE)
        refuse_body(L, c);
    return step == BODY_IS_READ;
}

static int body_on(lua_State *L, struct ctx *c);

static int k_body(lua_State *L, int status, lua_KContext handle)
{
    (void)status;
    return body_on(L, ctx_resumed(L, handle));
}

static int body_on(lua_State *L, struct ctx *c)
{
    return ctx_push_body(L, c) ? 1 : ctx_wait_body(L, c, k_body);
}

static int l_body(lua_State *L)
{
    struct ctx *c = ctx_live(L);
    ctx_start_body(L, c);
    return body_on(L, c);
}

static int exactly_on(lua_State *L, struct ctx *c);

static int k_exactly(lua_State *L, int status, lua_KContext handle)
{
    (void)status;
    return exactly_on(L, ctx_resumed(L, handle));
}

static int exactly_on(lua_State *L, struct ctx *c)
{
    const struct body_source source = source_of(c);
    lua_settop(L, 2);
    return body_push_exactly(L, &source, 1) ? 1 : ctx_wait_body(L, c, k_exactly);
}

/* read_exactly(n) */
static int l_read_exactly(lua_State *L)
{
    struct ctx *c = ctx_live(L);
    lua_Integer n = ctx_check_integer(L, 2);
    ctx_check_that(L, n > 0, 2, "not above 0");
    claim_reader(L, c);
    lua_settop(L, 0);
    lua_pushinteger(L, n);
    lua_pushnil(L);
    return exactly_on(L, c);
}

/* request_trailers() */
static int l_request_trailers(lua_State *L)
{
    const struct ctx *c = ctx_live(L);
    const struct request *r = &c->x->request;
    if (!r->ended || r->body.len)
        return luaL_error(
            L, "the request's trailers come after its body, which is not read to its end");
    field_table_push(L, &r->trailers);
    return 1;
}

const luaL_Reg ctx_request_functions[] = {
    {"read", l_read},
    {"read_exactly", l_read_exactly},
    {"body", l_body},
    {"request_header", l_request_header},
    {"request_trailers", l_request_trailers},
    {NULL, NULL},
};

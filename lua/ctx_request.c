/* What a handler reads: the request's fields and its body. */
#include "lua/ctx_request.h"
#include "http/exchange.h"
#include "lua/ctx.h"
#include "lua/ctx_args.h"
#include "lua/ctx_functions.h"
#include "lua/task.h"
#include "lua/vm.h"

#include <unistd.h>

enum { SHORT_PIECE = 4096 }; /* bytes */

/* Fields. */

static void push_str(lua_State *L, struct str s)
{
    if (s.p)
        lua_pushlstring(L, s.p, s.n);
    else
        lua_pushnil(L);
}

static void push_method(lua_State *L, const struct ctx *c)
{
    push_str(L, c->x->request.method);
}

static void push_path(lua_State *L, const struct ctx *c)
{
    push_str(L, c->x->request.path);
}

static void push_query(lua_State *L, const struct ctx *c)
{
    push_str(L, c->x->request.query);
}

static void push_scheme(lua_State *L, const struct ctx *c)
{
    push_str(L, c->x->request.scheme);
}

static void push_authority(lua_State *L, const struct ctx *c)
{
    push_str(L, c->x->request.authority);
}

static void push_params(lua_State *L, const struct ctx *c)
{
    lua_createtable(L, 0, (int)c->match.count);
    for (size_t i = 0; i < c->match.count; i++) {
        push_str(L, c->match.params[i].name);
        push_str(L, c->match.params[i].value);
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

static const char *separator_of(struct str name)
{
    return field_same_name(name, STR("cookie")) ? "; " : ", ";
}

/* Adds a value to the one that the table on top has for the name. */
static void join_field(lua_State *L, const struct field *f)
{
    push_str(L, f->name);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) == LUA_TNIL) {
        lua_pop(L, 1);
        push_str(L, f->value);
    } else {
        lua_pushstring(L, separator_of(f->name));
        push_str(L, f->value);
        lua_concat(L, 3);
    }
    lua_rawset(L, -3);
}

static void push_fields(lua_State *L, const struct fields *fields)
{
    lua_createtable(L, 0, (int)fields->count);
    for (size_t i = 0; i < fields->count; i++)
        join_field(L, &fields->list[i]);
}

static void push_headers(lua_State *L, const struct ctx *c)
{
    push_fields(L, &c->x->request.fields);
}

/* An array of {name, value}, as they came. */
static void push_field_list(lua_State *L, const struct ctx *c)
{
    const struct fields *fields = &c->x->request.fields;
    lua_createtable(L, (int)fields->count, 0);
    for (size_t i = 0; i < fields->count; i++) {
        lua_createtable(L, 2, 0);
        push_str(L, fields->list[i].name);
        lua_rawseti(L, -2, 1);
        push_str(L, fields->list[i].value);
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
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

/* Pushes the values of a name's fields, joined as in ctx.headers, or nil. */
static void push_values(lua_State *L, const struct fields *fields, struct str name)
{
    const struct field *first = fields_find(fields, name);
    push_str(L, first ? first->value : (struct str){NULL, 0});
    if (!first)
        return;
    for (const struct field *f = first + 1; f < fields->list + fields->count; f++) {
        if (!field_same_name(f->name, name))
            continue;
        lua_pushstring(L, separator_of(name));
        push_str(L, f->value);
        lua_concat(L, 3);
    }
}

/* request_header(name, ...): the value of each. */
static int l_request_header(lua_State *L)
{
    const struct ctx *c = ctx_live(L);
    int count = lua_gettop(L);
    luaL_checkstack(L, count + 3, "too many names");
    ctx_check_str(L, 2);
    for (int i = 2; i <= count; i++)
        push_values(L, &c->x->request.fields, ctx_check_str(L, i));
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

/* Pushes the next piece of at most max bytes, or nil at the end; false where it is still to come.
 */
static bool push_piece(lua_State *L, struct ctx *c, size_t max)
{
    size_t n;
    const char *piece = exchange_peek(c->x, &n);
    if (n == 0) {
        lua_pushnil(L);
        return c->x->request.ended;
    }
    if (n > max)
        n = max;
    lua_pushlstring(L, piece, n);
    exchange_consume(c->x, n);
    return true;
}

static int read_on(lua_State *L, struct ctx *c);

static int k_read(lua_State *L, int status, lua_KContext handle)
{
    (void)status;
    return read_on(L, ctx_resumed(L, handle));
}

/* With the maximum at index 1. */
static int read_on(lua_State *L, struct ctx *c)
{
    lua_settop(L, 1);
    if (push_piece(L, c, (size_t)lua_tointeger(L, 1)))
        return 1;
    return ctx_wait_body(L, c, k_read);
}

static int l_read(lua_State *L)
{
    struct ctx *c = ctx_live(L);
    lua_Integer max = ctx_opt_integer(L, 2, LUA_MAXINTEGER);
    ctx_check_that(L, max > 0, 2, "not above 0");
    claim_reader(L, c);
    lua_settop(L, 0);
    lua_pushinteger(L, max);
    return read_on(L, c);
}

/* Answers 413, or resets where the head is out, and raises. */
static int refuse_body(lua_State *L, struct ctx *c)
{
    if (c->x->response.message.state != OUTGOING_OPEN) {
        struct exchange *x = c->x;
        ctx_abort(c, "reset");
        exchange_reset(x, ERROR_CANCEL);
        ctx_check(L, c);
    }
    c->over_limit = true;
    exchange_respond(c->x, 413, STR("Content Too Large\n"), NULL);
    /* Without the memory to respond it was reset. */
    if (!c->x->instance)
        ctx_abort(c, "reset");
    ctx_check(L, c);
    return luaL_error(L, "the request's body is larger than %I bytes", (LUAI_UACINT)c->body_limit);
}

/* Joins the pieces in the table at the index. */
static void push_joined(lua_State *L, int index)
{
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    lua_Integer count = (lua_Integer)lua_rawlen(L, index);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, index, i);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
}

void ctx_start_body(lua_State *L, struct ctx *c)
{
    lua_Integer limit = ctx_opt_integer(L, 2, (lua_Integer)c->vm->options.body_limit);
    ctx_check_that(L, limit >= 0, 2, "below 0");
    claim_reader(L, c);
    c->body_limit = (size_t)limit;
    c->body_size = 0;
    lua_settop(L, 0);
    lua_newtable(L);
}

bool ctx_push_body(lua_State *L, struct ctx *c)
{
    lua_settop(L, 1);
    while (push_piece(L, c, SIZE_MAX)) {
        if (lua_isnil(L, -1)) {
            push_joined(L, 1);
            return true;
        }
        c->body_size += lua_rawlen(L, -1);
        if (c->body_size > c->body_limit)
            refuse_body(L, c);
        lua_rawseti(L, 1, (lua_Integer)lua_rawlen(L, 1) + 1);
    }
    return false;
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

/* Pushes the next n bytes, which are queued. */
static void push_bytes(lua_State *L, struct ctx *c, size_t n)
{
    size_t front;
    const char *piece = exchange_peek(c->x, &front);
    if (front >= n) {
        lua_pushlstring(L, piece, n);
        exchange_consume(c->x, n);
        return;
    }
    luaL_Buffer b;
    char *out = luaL_buffinitsize(L, &b, n);
    for (size_t have = 0; have < n; have += front) {
        piece = exchange_peek(c->x, &front);
        if (front > n - have)
            front = n - have;
        memcpy(out + have, piece, front);
        exchange_consume(c->x, front);
    }
    luaL_pushresultsize(&b, n);
}

/* Adds the piece on top to the table at index 2, made for the first of them. Short ones are joined
 * at once, so that a body that trickles in takes no more memory than another. [-1, +0] */
static void keep_piece(lua_State *L)
{
    if (lua_isnil(L, 2)) {
        lua_newtable(L);
        lua_replace(L, 2);
    }
    lua_Integer count = (lua_Integer)lua_rawlen(L, 2);
    if (lua_rawgeti(L, 2, count) == LUA_TSTRING && lua_rawlen(L, -1) < SHORT_PIECE) {
        lua_insert(L, -2);
        lua_concat(L, 2);
        count--;
    } else {
        lua_pop(L, 1);
    }
    lua_rawseti(L, 2, count + 1);
}

/* Pushes as many bytes as index 1 says beside the pieces at index 2, or what there is up to the
 * body's end; false where more is to come. */
static bool push_exactly(lua_State *L, struct ctx *c)
{
    const struct request *r = &c->x->request;
    size_t missing = (size_t)lua_tointeger(L, 1);
    size_t n = missing < r->body.len ? missing : r->body.len;
    bool last = n == missing || r->ended;
    if (!last && !n)
        return false;
    if (n)
        push_bytes(L, c, n);
    else
        lua_pushnil(L);
    if (last && lua_isnil(L, 2))
        return true;
    if (n)
        keep_piece(L);
    lua_pushinteger(L, (lua_Integer)(missing - n));
    lua_replace(L, 1);
    if (last)
        push_joined(L, 2);
    return last;
}

static int exactly_on(lua_State *L, struct ctx *c);

static int k_exactly(lua_State *L, int status, lua_KContext handle)
{
    (void)status;
    return exactly_on(L, ctx_resumed(L, handle));
}

static int exactly_on(lua_State *L, struct ctx *c)
{
    lua_settop(L, 2);
    return push_exactly(L, c) ? 1 : ctx_wait_body(L, c, k_exactly);
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
    push_fields(L, &r->trailers);
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

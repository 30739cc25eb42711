/* How a script reads another server's response. */
#include "http/code.h"
#include "lua/client/call.h"
#include "lua/client/call_private.h"
#include "lua/ctx/body.h"
#include "lua/ctx/field_table.h"
#include "lua/runtime/error_value.h"

enum { BODY_LIMIT = 16 << 20 }; /* bytes that res:body takes by default */

/* Fields. */

static void push_status(lua_State *L, struct http_call *h)
{
    lua_pushnil(L);
    if (h->call.status)
        lua_pushinteger(L, h->call.status);
}

static void push_protocol(lua_State *L, struct http_call *h)
{
    lua_pushstring(L, h->call.protocol);
}

static void push_ended_by_head(lua_State *L, struct http_call *h)
{
    lua_pushnil(L);
    if (h->call.status)
        lua_pushboolean(L, h->call.ended_by_head);
}

static void push_failure(lua_State *L, struct http_call *h)
{
    lua_pushstring(L, http_failure_name(h->failure));
}

static void push_reset_code(lua_State *L, struct http_call *h)
{
    char name[CODE_NAME_SIZE];
    bool is_reset = h->failure == FAILURE_RESET;
    lua_pushstring(L, is_reset ? code_name(h->call.reset_code, name) : NULL);
}

/* Pushes a table of the response's fields, made at first use. */
static void push_table(lua_State *L, struct http_call *h, enum http_call_value kept,
    void (*push)(lua_State *L, const struct fields *fields))
{
    if (lua_getiuservalue(L, 1, kept) != LUA_TNIL || !h->call.status)
        return;
    http_call_live(L);
    push(L, &h->call.fields);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, kept);
}

static void push_headers(lua_State *L, struct http_call *h)
{
    push_table(L, h, HTTP_CALL_HEADERS, field_table_push);
}

static void push_fields(lua_State *L, struct http_call *h)
{
    push_table(L, h, HTTP_CALL_FIELDS, field_table_push_list);
}

const struct http_call_field http_response_fields[] = {
    {"status", push_status},
    {"protocol", push_protocol},
    {"ended_by_head", push_ended_by_head},
    {"failure", push_failure},
    {"reset_code", push_reset_code},
    {"headers", push_headers},
    {"fields", push_fields},
    {NULL, NULL},
};

/* The head. */

static int answer_on(lua_State *L, struct http_call *h);

static int k_answer(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    return answer_on(L, http_call_resumed(L));
}

static int answer_on(lua_State *L, struct http_call *h)
{
    lua_settop(L, 1);
    if (h->call.status)
        return 1;
    return http_call_wait_response(L, h, NULL, k_answer);
}

/* response(): returns the same call, after its head has come */
static int l_response(lua_State *L)
{
    return answer_on(L, http_call_live(L));
}

static int connected_on(lua_State *L, struct http_call *h);

static int k_connected(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    return connected_on(L, http_call_resumed(L));
}

static int connected_on(lua_State *L, struct http_call *h)
{
    lua_settop(L, 1);
    if (h->failure)
        return http_call_raise(L, h);
    if (!h->call.status && !h->call.host)
        return http_call_wait_room(L, h, k_connected);
    lua_pushstring(L, h->call.status ? h->call.protocol : h->call.host->protocol);
    return 1;
}

/* connected(): the protocol, once a connection has the request. */
static int l_connected(lua_State *L)
{
    return connected_on(L, http_call_live(L));
}

/* The body. */

static void consume(void *call, size_t n)
{
    struct http_call *h = call;
    h->taken += n;
    call_consume(&h->call, n);
}

static struct body_source source_of(struct http_call *h)
{
    return (struct body_source){&h->call.body, h->call.ended, consume, h};
}

static int read_on(lua_State *L, struct http_call *h);

static int k_read(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    return read_on(L, http_call_resumed(L));
}

/* The maximum is at index 2. */
static int read_on(lua_State *L, struct http_call *h)
{
    lua_settop(L, 2);
    const struct body_source source = source_of(h);
    if (body_push_piece(L, &source, (size_t)lua_tointeger(L, 2)))
        return 1;
    return http_call_wait_response(L, h, NULL, k_read);
}

/* read([max]) */
static int l_read(lua_State *L)
{
    struct http_call *h = http_call_live(L);
    lua_Integer max = luaL_optinteger(L, 2, LUA_MAXINTEGER);
    luaL_argcheck(L, max > 0, 2, "not above 0");
    http_call_claim_reader(L, h);
    lua_settop(L, 1);
    lua_pushinteger(L, max);
    return read_on(L, h);
}

static int refuse_body(lua_State *L, struct http_call *h)
{
    http_call_close(h);
    lua_getiuservalue(L, 1, HTTP_CALL_NAME);
    error_value_push_here(L, KIND_LIMIT, "%s: the response's body is larger than %I bytes",
        lua_tostring(L, -1), (LUAI_UACINT)h->whole.limit);
    error_value_set(L, "limit", "body-limit");
    return lua_error(L);
}

/* Whether the body is known in advance to be too large. Responses to HEAD, and 304, have a length
 * but no body. */
static bool will_be_too_large(const struct http_call *h)
{
    const struct call *c = &h->call;
    if (!c->status || c->ended || c->status == 304 || str_eq(c->method, STR("HEAD")))
        return false;
    return body_will_be_too_large(&h->whole, &c->fields, h->taken);
}

static int body_on(lua_State *L, struct http_call *h);

static int k_body(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    return body_on(L, http_call_resumed(L));
}

/* The table of pieces is at index 2. */
static int body_on(lua_State *L, struct http_call *h)
{
    const struct body_source source = source_of(h);
    lua_settop(L, 2);
    if (will_be_too_large(h))
        return refuse_body(L, h);
    enum body_step step = body_push_whole(L, &h->whole, &source, 2);
    if (step == BODY_IS_TOO_LARGE)
        return refuse_body(L, h);
    return step == BODY_IS_READ ? 1 : http_call_wait_response(L, h, NULL, k_body);
}

/* body([limit]) */
static int l_body(lua_State *L)
{
    struct http_call *h = http_call_live(L);
    lua_Integer limit = luaL_optinteger(L, 2, BODY_LIMIT);
    luaL_argcheck(L, limit >= 0, 2, "below 0");
    http_call_claim_reader(L, h);
    lua_settop(L, 1);
    body_start_whole(L, &h->whole, (size_t)limit);
    return body_on(L, h);
}

static int exactly_on(lua_State *L, struct http_call *h);

static int k_exactly(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    return exactly_on(L, http_call_resumed(L));
}

static int exactly_on(lua_State *L, struct http_call *h)
{
    const struct body_source source = source_of(h);
    lua_settop(L, 3);
    return body_push_exactly(L, &source, 2) ? 1 : http_call_wait_response(L, h, NULL, k_exactly);
}

/* read_exactly(n) */
static int l_read_exactly(lua_State *L)
{
    struct http_call *h = http_call_live(L);
    luaL_argcheck(L, luaL_checkinteger(L, 2) > 0, 2, "not above 0");
    http_call_claim_reader(L, h);
    lua_settop(L, 2);
    lua_pushinteger(L, lua_tointeger(L, 2));
    lua_replace(L, 2);
    return exactly_on(L, h);
}

/* trailers(): as res.headers, and as res.fields. */
static int l_trailers(lua_State *L)
{
    const struct http_call *h = http_call_live(L);
    if (!h->call.ended || h->call.body.len)
        return luaL_error(
            L, "the response's trailers come after its body, which is not read to its end");
    field_table_push(L, &h->call.trailers);
    field_table_push_list(L, &h->call.trailers);
    return 2;
}

static int l_close(lua_State *L)
{
    http_call_close(http_call_arg(L));
    return 0;
}

const luaL_Reg http_response_functions[] = {
    {"connected", l_connected},
    {"response", l_response},
    {"read", l_read},
    {"read_exactly", l_read_exactly},
    {"body", l_body},
    {"trailers", l_trailers},
    {"close", l_close},
    {NULL, NULL},
};

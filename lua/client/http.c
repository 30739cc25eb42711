#include "lua/client/http.h"

#include "lua/client/call.h"
#include "lua/client/options.h"
#include "lua/ctx/spawn.h"
#include "lua/runtime/vm.h"

#include <lauxlib.h>

/* Sending. */

/* fail(call, problem), for the upload: returns whether a task will get the error */
static int l_fail(lua_State *L)
{
    struct http_call *h = http_call_arg(L);
    lua_settop(L, 2);
    lua_pushboolean(L, http_call_fail(L, h));
    return 1;
}

/* Starts the task that writes the body at index 2 for the userdata at index 1. */
static void start_upload(lua_State *L, struct http_call *h)
{
    lua_settop(L, 2);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "moontrail.http.upload");
    lua_call(L, 1, 1);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_pushcfunction(L, l_fail);
    h->upload = spawn_start(L, 3);
    lua_setiuservalue(L, 1, HTTP_CALL_UPLOAD);
}

static void check_body(lua_State *L, enum rc rc)
{
    if (rc == RC_LIMIT)
        luaL_error(L, "the body has not the length that content-length says");
    if (rc)
        luaL_error(L, "%s", rc_text(rc));
}

/* Queues a body that fits into the queue before the call begins; for a larger one only sets the
 * length. */
static bool queue_body(lua_State *L, struct http_call *h, struct str body)
{
    size_t taken;
    struct outgoing *request = &h->call.request;
    if (body.n <= OUTGOING_QUEUE_HIGH) {
        if (body.n)
            check_body(L, call_write(&h->call, body.p, body.n, &taken));
        check_body(L, call_finish(&h->call));
        h->finished = true;
        return true;
    }
    if (!request->length_set) {
        lua_pushinteger(L, (lua_Integer)body.n);
        struct str digits = str_of(lua_tostring(L, -1));
        check_body(L, outgoing_set_header(request, STR("content-length"), digits));
        lua_pop(L, 1);
    }
    return false;
}

/* Takes the body at the index. Returns whether all of it is queued. */
static bool take_body(lua_State *L, int index, struct http_call *h)
{
    struct str body = STR("");
    int type = lua_type(L, index);
    if (type == LUA_TFUNCTION)
        return false;
    if (type != LUA_TNIL && type != LUA_TSTRING)
        luaL_error(L, "body is a string or a function, not a %s", luaL_typename(L, index));
    if (type == LUA_TSTRING)
        body.p = lua_tolstring(L, index, &body.n);
    return queue_body(L, h, body);
}

static void set_name(lua_State *L, int index, const struct connector_order *order)
{
    lua_pushlstring(L, order->method.p, order->method.n);
    lua_pushliteral(L, " ");
    lua_pushlstring(L, order->url.p, order->url.n);
    lua_pushlstring(L, order->target.p ? order->target.p : "", order->target.n);
    lua_concat(L, 4);
    lua_setiuservalue(L, index, HTTP_CALL_NAME);
}

/* Positions on the stack of what a call is made from. */
enum { URL = 1, BODY, OPTIONS, CALL };

/* Makes the call, and leaves only its userdata and the body on the stack. With open, the script
 * writes the body. */
static struct http_call *begin(lua_State *L, const char *method, bool open)
{
    struct http_call *h = http_call_new(L);
    struct http_options o = {.call = h};
    http_options_read(L, OPTIONS, &o);
    if (!o.order.method.p)
        o.order.method = str_of(method);
    if (!lua_isnil(L, URL))
        o.order.url.p = luaL_checklstring(L, URL, &o.order.url.n);
    if (!o.order.url.p)
        luaL_error(L, "url is missing");
    set_name(L, CALL, &o.order);
    bool queued = open || take_body(L, BODY, h);
    bool begun = http_call_begin(L, CALL, h, &o.order, o.timeout);
    lua_replace(L, URL);
    lua_settop(L, BODY);
    if (begun && (open || !queued))
        check_body(L, call_flush(&h->call));
    if (begun && !queued)
        start_upload(L, h);
    lua_settop(L, 1);
    return h;
}

/* Waiting for the response. */

static void cancel_call(struct task *t)
{
    http_call_close(t->data);
}

static int answer_on(lua_State *L, struct http_call *h);

static int k_answer(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    return answer_on(L, http_call_resumed(L));
}

static int answer_on(lua_State *L, struct http_call *h)
{
    if (h->call.status)
        return 1;
    if (h->failure)
        http_call_close(h);
    return http_call_wait_response(L, h, cancel_call, k_answer);
}

/* The functions. */

/* Moves the options from index 1 to the place where begin expects them. */
static void arrange(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_pushnil(L);
    lua_getfield(L, 1, "body");
    lua_rotate(L, 1, 2);
}

/* request{url=, …} → response */
static int l_request(lua_State *L)
{
    arrange(L);
    return answer_on(L, begin(L, "GET", false));
}

/* open{url=, …} → a call whose request the script writes */
static int l_open(lua_State *L)
{
    arrange(L);
    if (!lua_isnil(L, BODY))
        return luaL_error(L, "open takes no body: write it with call:write");
    begin(L, "GET", true);
    return 1;
}

/* get(url [, options]) → response */
static int l_get(lua_State *L)
{
    luaL_checkstring(L, 1);
    lua_settop(L, 2);
    lua_pushnil(L);
    lua_insert(L, 2);
    return answer_on(L, begin(L, "GET", false));
}

/* post(url, body [, options]) → response */
static int l_post(lua_State *L)
{
    luaL_checkstring(L, 1);
    lua_settop(L, 3);
    return answer_on(L, begin(L, "POST", false));
}

void http_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"request", l_request}, {"get", l_get}, {"post", l_post}, {"open", l_open}, {NULL, NULL}};
    http_call_open(L);
    luaL_newlib(L, functions);
}

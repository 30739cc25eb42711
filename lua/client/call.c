#include "lua/client/call.h"

#include "core/check.h"
#include "core/list.h"
#include "http/code.h"
#include "lua/client/call_private.h"
#include "lua/ctx/spawn.h"
#include "lua/runtime/error_text.h"
#include "lua/runtime/error_value.h"
#include "lua/runtime/vm.h"

#include <lauxlib.h>
#include <stdio.h>

enum { CALL_KIB = 16 }; /* about what a call holds outside of the collector's sight */

static const char metatable_key;

/* What the call reports. */

static struct http_call *of_call(struct call *c)
{
    return container_of(c, struct http_call, call);
}

static void on_interim(struct call *c, int status, const struct fields *fields)
{
    (void)c, (void)status, (void)fields;
}

static void on_response(struct call *c)
{
    task_wake(of_call(c)->reader);
}

static void on_writable(struct call *c)
{
    task_wake(of_call(c)->writer);
}

static void set_failure(struct http_call *h, enum http_failure failure, const char *why)
{
    h->failure = failure;
    snprintf(h->why, sizeof h->why, "%s", why);
}

/* The end of an upload is not awaited. */
static void on_done(struct call *c, enum call_end end, const char *why)
{
    struct http_call *h = of_call(c);
    timer_stop(&h->alarm);
    if (end != CALL_WHOLE && !c->ended)
        set_failure(h, http_failure_of(end), why);
    task_wake(h->reader);
    task_wake(h->writer);
}

static const struct call_ops call_ops = {
    .on_interim = on_interim,
    .on_head = on_response,
    .on_readable = on_response,
    .on_writable = on_writable,
    .on_done = on_done,
};

/* Life. */

static void on_alarm(struct timer *t)
{
    struct http_call *h = container_of(t, struct http_call, alarm);
    h->failure = FAILURE_LATE;
    call_expire(&h->call);
    task_wake(h->reader);
    task_wake(h->writer);
}

static void on_task_end(struct task_bond *b)
{
    http_call_close(container_of(b, struct http_call, bond));
}

struct http_call *http_call_new(lua_State *L)
{
    struct vm *vm = vm_of(L);
    if (lua_gc(L, LUA_GCISRUNNING))
        lua_gc(L, LUA_GCSTEP, CALL_KIB);
    struct http_call *h = lua_newuserdatauv(L, sizeof *h, HTTP_CALL_VALUES);
    h->vm = vm;
    h->made = true;
    h->open = h->finished = false;
    h->failure = FAILURE_NONE;
    h->why[0] = '\0';
    h->reader = h->writer = NULL;
    h->upload = NULL;
    h->seconds = 0;
    h->taken = 0;
    h->bond = (struct task_bond){.end = on_task_end};
    list_init(&h->bond.link);
    timer_init(&h->alarm, vm->ev, on_alarm);
    call_init(&h->call, &call_ops);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
    lua_setmetatable(L, -2);
    return h;
}

/* No connection will take the call. Tells the tasks that write it, or wait for its response. */
static void overload(struct http_call *h, const char *why)
{
    outgoing_abort(&h->call.request);
    set_failure(h, FAILURE_OVERLOAD, why);
}

bool http_call_begin(lua_State *L, int index, struct http_call *h,
    const struct connector_order *order, double seconds)
{
    char why[CONNECTOR_WHY];
    struct connector *connector = h->vm->options.connector;
    struct task *t = task_waiter(L);
    if (!connector)
        luaL_error(L, "no other server can be reached from here");
    enum rc rc = connector->ops->begin(connector, &h->call, order, why);
    if (rc && rc != RC_LIMIT) {
        http_call_close(h);
        lua_getiuservalue(L, index, HTTP_CALL_NAME);
        luaL_error(L, "%s: %s", lua_tostring(L, -1), why);
    }
    check(h->made && !h->open);
    h->open = true;
    task_bind(t, &h->bond);
    if (rc) {
        overload(h, why);
        return false;
    }
    h->seconds = seconds;
    if (seconds > 0)
        timer_start(&h->alarm, seconds);
    return true;
}

void http_call_close(struct http_call *h)
{
    if (!h->made)
        return;
    h->made = h->open = false;
    timer_stop(&h->alarm);
    list_remove(&h->bond.link);
    call_cancel(&h->call, h->call.ended ? ERROR_NO_ERROR : ERROR_CANCEL);
    call_fini(&h->call);
    if (h->upload)
        spawn_cancel(h->upload, SPAWN_CALL_ENDED);
    task_wake(h->reader);
    task_wake(h->writer);
}

/* Replaces the cause on top of the stack by the error of the upload, which has the cause's text. */
static void push_upload_error(lua_State *L)
{
    error_text_push(L, -1);
    error_value_push(L, KIND_UPLOAD, "%s", lua_tostring(L, -1));
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "cause");
    lua_replace(L, -3);
    lua_pop(L, 1);
}

bool http_call_fail(lua_State *L, struct http_call *h)
{
    if (!h->open || h->failure)
        return true;
    if (h->call.ended)
        return false;
    push_upload_error(L);
    lua_setiuservalue(L, 1, HTTP_CALL_PROBLEM);
    h->failure = FAILURE_UPLOAD;
    timer_stop(&h->alarm);
    call_cancel(&h->call, ERROR_CANCEL);
    task_wake(h->reader);
    task_wake(h->writer);
    return true;
}

/* From a script's value to its call. */

struct http_call *http_call_arg(lua_State *L)
{
    struct http_call *h = lua_touserdata(L, 1);
    bool is_call = false;
    if (h && lua_getmetatable(L, 1)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
        is_call = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    luaL_argexpected(L, is_call, 1, "response");
    return h;
}

static void check_open(lua_State *L, const struct http_call *h)
{
    if (h->open)
        return;
    lua_getiuservalue(L, 1, HTTP_CALL_NAME);
    luaL_error(L, "%s: the response is closed", lua_tostring(L, -1));
}

struct http_call *http_call_live(lua_State *L)
{
    struct http_call *h = http_call_arg(L);
    check_open(L, h);
    return h;
}

int http_call_raise(lua_State *L, const struct http_call *h)
{
    if (lua_getiuservalue(L, 1, HTTP_CALL_PROBLEM) != LUA_TNIL)
        return lua_error(L);
    lua_getiuservalue(L, 1, HTTP_CALL_NAME);
    http_failure_push(L, h, lua_tostring(L, -1));
    return lua_error(L);
}

/* Waits. */

static void cancel_nothing(struct task *t)
{
    (void)t;
}

void http_call_claim_reader(lua_State *L, const struct http_call *h)
{
    if (h->reader)
        luaL_error(L, "another task is reading this response");
}

void http_call_claim_writer(lua_State *L, const struct http_call *h)
{
    if (h->writer)
        luaL_error(L, "another task is writing this request");
}

int http_call_wait_response(
    lua_State *L, struct http_call *h, void (*cancel)(struct task *t), lua_KFunction k)
{
    struct task *t = task_waiter(L);
    http_call_claim_reader(L, h);
    if (h->failure)
        return http_call_raise(L, h);
    check_hot(h->open);
    h->reader = t;
    return task_wait(L, t, cancel ? cancel : cancel_nothing, h, 0, k);
}

int http_call_wait_room(lua_State *L, struct http_call *h, lua_KFunction k)
{
    struct task *t = task_waiter(L);
    http_call_claim_writer(L, h);
    check_hot(h->open);
    h->writer = t;
    return task_wait(L, t, cancel_nothing, h, 0, k);
}

struct http_call *http_call_resumed(lua_State *L)
{
    struct http_call *h = lua_touserdata(L, 1);
    const struct task *t = vm_of(L)->running;
    if (h->reader == t)
        h->reader = NULL;
    if (h->writer == t)
        h->writer = NULL;
    task_resumed(L);
    check_open(L, h);
    return h;
}

/* The metatable. Its __index has one upvalue: a table that maps each name to its method, or to the
 * light userdata of its struct http_call_field. */

static int l_index(lua_State *L)
{
    struct http_call *h = http_call_arg(L);
    lua_settop(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TLIGHTUSERDATA)
        ((const struct http_call_field *)lua_touserdata(L, -1))->push(L, h);
    return 1;
}

static int l_gc(lua_State *L)
{
    http_call_close(http_call_arg(L));
    return 0;
}

static void push_names(lua_State *L)
{
    lua_newtable(L);
    luaL_setfuncs(L, http_response_functions, 0);
    luaL_setfuncs(L, http_request_functions, 0);
    for (const struct http_call_field *f = http_response_fields; f->name; f++) {
        lua_pushlightuserdata(L, (void *)f);
        lua_setfield(L, -2, f->name);
    }
}

void http_call_open(lua_State *L)
{
    static const luaL_Reg ends[] = {{"__gc", l_gc}, {"__close", l_gc}, {NULL, NULL}};
    lua_newtable(L);
    luaL_setfuncs(L, ends, 0);
    push_names(L);
    lua_pushcclosure(L, l_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "response");
    lua_setfield(L, -2, "__name");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
}

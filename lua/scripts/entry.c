#include "lua/scripts/entry.h"

#include "http/exchange.h"
#include "http/rpc.h"
#include "lua/ctx/ctx.h"
#include "lua/ctx/missed.h"
#include "lua/ctx/report.h"
#include "lua/runtime/pcall.h"
#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"
#include "lua/scripts/answer.h"
#include "lua/scripts/around.h"
#include "lua/scripts/mistakes.h"

#include <assert.h>
#include <lauxlib.h>

enum { ENTERED_TASK = 1, ENTERED_CTX }; /* what stays on the stack of an entry */

static struct ctx *running(lua_State *L)
{
    return vm_of(L)->running->ctx;
}

/* Handlers around which nothing goes. */

/* A head that nobody has fixed is about to be, by the end of the task. */
static int k_returned(lua_State *L, int status, lua_KContext task)
{
    (void)status;
    ctx_before_head(L, ((const struct task *)task)->ctx);
    return 0;
}

/* Calls the handler with a new ctx. The ctx stays on the stack below the handler, so that no other
 * reference need keep it. */
int entry_handler(lua_State *L)
{
    struct task *t = lua_touserdata(L, ENTERED_TASK);
    ctx_push(L, t->ctx);
    lua_rawgeti(L, LUA_REGISTRYINDEX, t->ctx->handler);
    lua_pushvalue(L, -2);
    lua_callk(L, 1, 0, (lua_KContext)t, k_returned);
    return k_returned(L, LUA_OK, (lua_KContext)t);
}

static int k_returned_in_dev(lua_State *L, int status, lua_KContext task)
{
    struct ctx *c = ((const struct task *)task)->ctx;
    if (!mistakes_look_at_values(L, c, ENTERED_CTX))
        mistakes_look_at_response(c);
    return k_returned(L, status, task);
}

int entry_handler_in_dev(lua_State *L)
{
    struct task *t = lua_touserdata(L, ENTERED_TASK);
    ctx_push(L, t->ctx);
    lua_rawgeti(L, LUA_REGISTRYINDEX, t->ctx->handler);
    lua_pushvalue(L, -2);
    lua_callk(L, 1, LUA_MULTRET, (lua_KContext)t, k_returned_in_dev);
    return k_returned_in_dev(L, LUA_OK, (lua_KContext)t);
}

/* What goes around. Each function is a level, which is entered once; next at a level goes on to the
 * one inside of it. */

enum { LEVEL_OVER = VM_LEVELS }; /* nothing more is entered */

static_assert((int)VM_LEVELS > (int)AROUND_MAX, "one more may go around, by mt.wrap");

/* The function at the request's level, LUA_NOREF inside of all. */
static int function_of(const struct ctx_wrap *w)
{
    bool has_outer = w->outer != LUA_NOREF;
    if (has_outer && w->level == 0)
        return w->outer;
    size_t i = w->level - has_outer;
    return w->around && i < w->around->count ? w->around->functions[i] : LUA_NOREF;
}

/* The results of the handler follow the ctx, which alone is left below them. */
static int k_handled(lua_State *L, int status, lua_KContext at)
{
    (void)status;
    if (vm_of(L)->options.dev)
        mistakes_look_at_values(L, running(L), (int)at);
    return 0;
}

/* What is inside of all: the handler, or a page. The fields that were set on the way to it stay
 * whatever becomes of it. The ctx is at the index, the top. */
static int go_inside(lua_State *L, struct ctx *c, int at)
{
    c->wrap.inside = true;
    if (outgoing_keep_head(&c->x->response.out))
        return luaL_error(L, "%s", rc_text(RC_NOMEM));
    if (c->wrap.status) {
        lua_pushcfunction(L, entry_write_page);
        lua_pushinteger(L, c->wrap.status);
        lua_callk(L, 1, 0, at, k_handled);
        return k_handled(L, LUA_OK, at);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->handler);
    lua_pushvalue(L, at);
    lua_callk(L, 1, c->vm->options.dev ? LUA_MULTRET : 0, at, k_handled);
    return k_handled(L, LUA_OK, at);
}

/* A function that has returned, or was left by an error, goes on with nothing inside of it. */
static int k_left(lua_State *L, int status, lua_KContext at)
{
    (void)status, (void)at;
    struct ctx *c = running(L);
    if (c)
        c->wrap.level = LEVEL_OVER;
    return 0;
}

/* Pushes the function of the request's level, and its arguments. */
static void push_call(lua_State *L, const struct ctx *c, int function, int ctx_at)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, function);
    lua_pushvalue(L, ctx_at);
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->vm->nexts[c->wrap.level]);
}

/* Enters the request's level. The ctx is at the index, the top. */
static int enter(lua_State *L, struct ctx *c, int at)
{
    int function = function_of(&c->wrap);
    if (function == LUA_NOREF)
        return go_inside(L, c, at);
    push_call(L, c, function, at);
    lua_callk(L, 2, 0, at, k_left);
    return k_left(L, LUA_OK, at);
}

static int refuse_next(lua_State *L, const struct ctx *c)
{
    if (!c)
        return luaL_error(L, "next is for the task of its request alone");
    return luaL_error(L, "next was called already, or its middleware has returned");
}

/* next(): the level of its middleware is its upvalue, a light userdata. */
static int l_next(lua_State *L)
{
    const struct task *t = vm_of(L)->running;
    struct ctx *c = t ? t->ctx : NULL;
    if (!c || !c->wrapped || c->wrap.level != (size_t)lua_touserdata(L, lua_upvalueindex(1)))
        return refuse_next(L, c);
    ctx_check(L, c);
    c->wrap.level++;
    if (lua_gettop(L))
        lua_settop(L, 0);
    lua_rawgeti(L, LUA_REGISTRYINDEX, t->shelf);
    return enter(L, c, 1);
}

void entry_open(lua_State *L)
{
    for (size_t level = 0; level < VM_LEVELS; level++) {
        lua_pushlightuserdata(L, (void *)level);
        lua_pushcclosure(L, l_next, 1);
        vm_of(L)->nexts[level] = luaL_ref(L, LUA_REGISTRYINDEX);
    }
}

static int k_wrapped(lua_State *L, int status, lua_KContext task)
{
    (void)status;
    struct ctx *c = ((const struct task *)task)->ctx;
    if (c->vm->options.dev)
        mistakes_look_at_response(c);
    ctx_before_head(L, c);
    return 0;
}

/* What is inside of all is entered by a function of its own, so that it is followed by the end. */
static int l_enter(lua_State *L)
{
    return enter(L, running(L), 1);
}

int entry_wrapped(lua_State *L)
{
    struct task *t = lua_touserdata(L, ENTERED_TASK);
    ctx_push(L, t->ctx);
    lua_pushvalue(L, ENTERED_CTX);
    lua_rawseti(L, LUA_REGISTRYINDEX, t->shelf);
    int function = function_of(&t->ctx->wrap);
    if (function != LUA_NOREF) {
        push_call(L, t->ctx, function, ENTERED_CTX);
        lua_callk(L, 2, 0, (lua_KContext)t, k_wrapped);
    } else {
        lua_pushcfunction(L, l_enter);
        lua_pushvalue(L, ENTERED_CTX);
        lua_callk(L, 1, 0, (lua_KContext)t, k_wrapped);
    }
    return k_wrapped(L, LUA_OK, (lua_KContext)t);
}

/* Pages. */

static void begin_page(lua_State *L, struct ctx *c, int status)
{
    struct response *r = &c->x->response;
    enum rc rc = response_restart(r);
    if (!rc)
        rc = response_set_status(r, status);
    if (!rc && c->wrapped && c->wrap.allow && c->wrap.status == status)
        rc = outgoing_set_header(&r->out, STR("allow"), str_of(c->wrap.allow));
    if (rc)
        luaL_error(L, "the page of status %d cannot be written: %s", status, rc_text(rc));
    c->status_set = false;
}

/* The server's own page, in the caller's terms where it is a call. */
static int write_plainly(lua_State *L, struct ctx *c, int status)
{
    bool is_routed = c->wrapped && c->wrap.status == status;
    begin_page(L, c, status);
    ctx_before_head(L, c);
    if (c->stage == CTX_HANDLED || c->shown == LUA_NOREF) {
        answer_status(c->vm, c->x, status, is_routed ? c->wrap.allow : NULL);
        ctx_note_answer(L, c);
        return 0;
    }
    size_t len;
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->shown);
    const char *text = lua_tolstring(L, -1, &len);
    answer_failure(c->vm, c->x, (struct str){text, len});
    ctx_note_answer(L, c);
    return 0;
}

/* Whether the function for the page has left all to the server. */
static bool is_untouched(const struct ctx *c)
{
    const struct outgoing *o = &c->x->response.out;
    size_t fields = (o->stays ? o->stays->count : 0) + (c->wrap.allow && c->wrap.status != 0);
    return o->state == OUTGOING_OPEN && !c->status_set && o->head.count <= fields;
}

/* Logs the error of the function for the page, on top of the stack. */
static void log_failure(lua_State *L, const struct ctx *c)
{
    missed_push_text(L, -1);
    report_event(c, LOG_ERROR, "error page failed", log_str("error", lua_tostring(L, -1)));
    lua_pop(L, 1);
}

/* After pcall of the function. */
static int k_page(lua_State *L, int unused, lua_KContext status)
{
    (void)unused;
    struct ctx *c = running(L);
    bool ok = lua_toboolean(L, -2);
    ctx_check(L, c);
    if (ok)
        return is_untouched(c) ? write_plainly(L, c, (int)status) : 0;
    if (c->x->response.out.head_taken)
        return lua_error(L);
    log_failure(L, c);
    return write_plainly(L, c, (int)status);
}

/* Whether _error.lua tells of it: not where a call has its own terms. */
static bool has_page(const struct ctx *c, int status)
{
    return c->wrapped && c->wrap.around && c->wrap.around->page != LUA_NOREF && status >= 400 &&
           !rpc_protocol_of(&c->x->request);
}

/* Has _error.lua write a page. */
static int write_page(lua_State *L, struct ctx *c, int status, int problem)
{
    begin_page(L, c, status);
    lua_pushcfunction(L, pcall_call);
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->wrap.around->page);
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->task->shelf);
    lua_pushinteger(L, status);
    if (problem == LUA_NOREF)
        lua_pushnil(L);
    else
        lua_rawgeti(L, LUA_REGISTRYINDEX, problem);
    lua_callk(L, 4, 2, status, k_page);
    return k_page(L, LUA_OK, status);
}

int entry_write_page(lua_State *L)
{
    struct ctx *c = running(L);
    int status = (int)lua_tointeger(L, 1);
    if (has_page(c, status))
        return write_page(L, c, status, LUA_NOREF);
    return write_plainly(L, c, status);
}

/* After a failure. */

static int tell_failure(lua_State *L, struct ctx *c)
{
    if (c->stage == CTX_FAILED && has_page(c, c->failure))
        return write_page(L, c, c->failure, c->problem);
    return write_plainly(L, c, c->failure);
}

static int l_tell_failure(lua_State *L)
{
    return tell_failure(L, running(L));
}

static int k_told(lua_State *L, int status, lua_KContext task)
{
    return k_returned(L, status, task);
}

static int go_on_telling(lua_State *L, struct task *t)
{
    lua_pushcfunction(L, l_tell_failure);
    lua_callk(L, 0, 0, (lua_KContext)t, k_told);
    return k_told(L, LUA_OK, (lua_KContext)t);
}

/* After the function of mt.wrap for failures, which returns whether it has answered. */
static int k_failed(lua_State *L, int status, lua_KContext task)
{
    struct task *t = (struct task *)task;
    ctx_check(L, t->ctx);
    if (lua_toboolean(L, -1))
        return k_told(L, status, task);
    return go_on_telling(L, t);
}

int entry_page(lua_State *L)
{
    struct task *t = lua_touserdata(L, ENTERED_TASK);
    struct ctx *c = t->ctx;
    if (!c->x)
        return 0;
    if (!c->wrapped)
        return go_on_telling(L, t);
    ctx_push_again(L, c);
    if (c->wrap.failed == LUA_NOREF || c->stage != CTX_FAILED || c->problem == LUA_NOREF)
        return go_on_telling(L, t);
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->wrap.failed);
    lua_pushvalue(L, ENTERED_CTX);
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->problem);
    lua_callk(L, 2, 1, (lua_KContext)t, k_failed);
    return k_failed(L, LUA_OK, (lua_KContext)t);
}

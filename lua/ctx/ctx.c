#include "lua/ctx/ctx.h"

#include "core/check.h"
#include "core/clock.h"
#include "core/list.h"
#include "core/mem.h"
#include "http/exchange.h"
#include "lua/ctx/ctx_private.h"
#include "lua/ctx/missed.h"
#include "lua/ctx/report.h"
#include "lua/runtime/error_text.h"
#include "lua/runtime/error_value.h"
#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"

#include <lauxlib.h>

/* A task that keeps running after its request was aborted is ended after so many raised errors, or
 * seconds. */
enum { ABORT_ERRORS = 100, ABORT_SECONDS = 5 };

/* Their addresses are keys in ctx tables: for the handle, and for fields whose value is nil. */
static const char handle_key, nil_key;

/* Life. */

enum rc ctx_new(struct vm *vm, struct exchange *x, struct ctx **out)
{
    struct ctx *c = mem_get(sizeof *c);
    if (!c)
        return RC_NOMEM;
    if (handles_put(&vm->requests, c, &c->handle)) {
        mem_put(c, sizeof *c);
        return RC_NOMEM;
    }
    c->vm = vm;
    c->task = NULL;
    c->x = x;
    c->kept = NULL;
    c->table = NULL;
    c->attached = false;
    c->reader = c->writer = NULL;
    c->lender = (struct lender){.forward = NULL};
    c->callbacks = c->heads = LUA_NOREF;
    c->status_set = c->aborted = c->expired = c->wrapped = false;
    c->stage = CTX_HANDLED;
    c->abort_errors = 0;
    c->ended = false;
    c->followers = 0;
    c->deadline = 0;
    c->conn = x->peer->conn;
    c->stream = x->stream;
    *out = c;
    return RC_OK;
}

/* Interrupts the tasks that wait for the request, except its own. */
static void interrupt_others(struct ctx *c)
{
    struct task *reader = c->reader, *writer = c->writer;
    if (reader && reader != c->task)
        task_interrupt(reader);
    if (writer && writer != c->task)
        task_interrupt(writer);
}

static void drop(struct ctx *c)
{
    report_drop(c);
    handles_drop(&c->vm->requests, c->handle);
    mem_put(c, sizeof *c);
}

void ctx_free(struct ctx *c)
{
    check_hot(!c->lender.forward);
    interrupt_others(c);
    ctx_set_deadline(c, -1);
    luaL_unref(c->vm->L, LUA_REGISTRYINDEX, c->callbacks);
    if (c->heads != LUA_NOREF)
        luaL_unref(c->vm->L, LUA_REGISTRYINDEX, c->heads);
    if (c->stage != CTX_HANDLED) {
        luaL_unref(c->vm->L, LUA_REGISTRYINDEX, c->problem);
        luaL_unref(c->vm->L, LUA_REGISTRYINDEX, c->shown);
    }
    if (!c->aborted || !c->followers) {
        drop(c);
        return;
    }
    c->callbacks = LUA_NOREF;
    c->task = NULL;
    c->table = NULL;
    c->ended = true;
    handles_retire(&c->vm->requests, c->handle);
}

void ctx_follow(const struct task *t)
{
    struct ctx *c = handles_get(&t->vm->requests, t->request);
    if (c)
        c->followers++;
}

void ctx_unfollow(const struct task *t)
{
    struct ctx *c = handles_get(&t->vm->requests, t->request);
    if (c && --c->followers == 0 && c->ended)
        drop(c);
}

void ctx_abort(struct ctx *c, struct cut cut)
{
    check(c->x && !c->aborted);
    report_keep(c);
    c->x = NULL;
    c->aborted = true;
    c->aborted_at = clock_monotonic();
    c->cut = cut;
    interrupt_others(c);
    if (c->task)
        task_interrupt(c->task);
}

/* Deadlines. */

/* The wait raises even if a script moves the deadline before the task runs. The timer's clock may
 * be a little ahead: for whoever asks what is left, too, the time is then over. */
static void on_deadline(struct timer *t)
{
    struct ctx *c = container_of(t, struct ctx, alarm);
    double now = clock_monotonic();
    check(c->task);
    if (c->deadline > now)
        c->deadline = now;
    c->expired = c->task->state == TASK_WAITING;
    task_interrupt(c->task);
}

void ctx_set_deadline(struct ctx *c, double seconds)
{
    if (c->deadline > 0)
        timer_stop(&c->alarm);
    c->deadline = 0;
    if (seconds < 0)
        return;
    c->deadline = clock_monotonic() + seconds;
    timer_init(&c->alarm, c->vm->ev, on_deadline);
    timer_start(&c->alarm, seconds);
}

/* Gives the table that ctx_push made last its handle. [-0, +0, may longjmp] */
static void attach(lua_State *L, struct ctx *c)
{
    if (c->attached)
        return;
    luaL_checkstack(L, 2, "no room to wait");
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->vm->ctx_begun);
    lua_pushinteger(L, c->handle);
    lua_rawsetp(L, -2, &handle_key);
    lua_pop(L, 1);
    c->attached = true;
}

static void raise_late(lua_State *L)
{
    error_value_push_here(L, KIND_TIMEOUT, "timeout: deadline exceeded");
    lua_error(L);
}

void ctx_check_task(lua_State *L, struct task *t)
{
    struct ctx *c = t->ctx;
    ctx_check(L, c);
    attach(L, c);
    bool expired = c->expired;
    c->expired = false;
    if (expired || (c->deadline > 0 && clock_monotonic() >= c->deadline))
        raise_late(L);
}

/* Aborts. */

static void raise_aborted(lua_State *L, const struct ctx *c)
{
    char text[CODE_NAME_SIZE];
    const char *reason = cut_text(c->cut, text);
    error_value_push(L, KIND_ABORT, "request aborted: %s", reason);
    error_value_set(L, "reason", reason);
    lua_error(L);
}

bool ctx_is_abort_error(lua_State *L, int index, const struct task *t)
{
    return t->met_abort && error_value_is(L, index, KIND_ABORT);
}

/* Called with the request and the error of one of its callbacks. */
static int l_log_callback(lua_State *L)
{
    size_t len;
    const struct ctx *c = lua_touserdata(L, 1);
    missed_push_text(L, 2);
    const char *text = lua_tolstring(L, -1, &len);
    report_event(c, LOG_ERROR, "on_abort failed", log_bytes("error", text, len));
    return 0;
}

void ctx_call_callbacks(lua_State *L, struct ctx *c)
{
    if (!c->aborted || c->callbacks == LUA_NOREF || !lua_checkstack(L, 8))
        return;
    int callbacks = c->callbacks;
    c->callbacks = LUA_NOREF;
    lua_rawgeti(L, LUA_REGISTRYINDEX, callbacks);
    luaL_unref(L, LUA_REGISTRYINDEX, callbacks);
    lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
    char text[CODE_NAME_SIZE];
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, -1, i);
        lua_pushstring(L, cut_text(c->cut, text));
        if (lua_pcall(L, 1, 0, 0)) {
            error_text_report(L, l_log_callback, c, "on_abort failed");
            lua_pop(L, 1);
        }
    }
    lua_pop(L, 1);
}

static int l_call_callbacks(lua_State *L)
{
    ctx_call_callbacks(L, lua_touserdata(L, 1));
    return 0;
}

void ctx_call_callbacks_at_end(struct ctx *c)
{
    if (c->callbacks != LUA_NOREF && !vm_call(c->vm, l_call_callbacks, c, 0))
        lua_pop(c->vm->L, 1);
}

void ctx_check(lua_State *L, struct ctx *c)
{
    if (!c->aborted)
        return;
    ctx_call_callbacks(L, c);
    struct task *t = vm_of(L)->running; /* NULL in a finalizer between tasks */
    bool too_many = ++c->abort_errors > ABORT_ERRORS;
    if (t && !c->ended && (too_many || clock_monotonic() - c->aborted_at > ABORT_SECONDS))
        task_kill(L, "went on after its request was aborted");
    if (t)
        t->met_abort = true;
    raise_aborted(L, c);
}

/* From a ctx table to its request. */

static int raise_ended(lua_State *L)
{
    return luaL_error(L, "request has ended");
}

static bool is_ctx(lua_State *L, int index)
{
    if (!lua_getmetatable(L, index))
        return false;
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm_of(L)->ctx_metatable);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

/* The running task's request if the table at the index belongs to it; else NULL. */
static struct ctx *own(lua_State *L, int index)
{
    const struct task *t = vm_of(L)->running;
    struct ctx *c = t ? t->ctx : NULL;
    return c && lua_topointer(L, index) == c->table ? c : NULL;
}

/* The request of a ctx table; NULL if it has ended. */
static struct ctx *of_table(lua_State *L, int index)
{
    struct ctx *c = own(L, index);
    if (c)
        return c;
    if (lua_rawgetp(L, index, &handle_key) == LUA_TNUMBER)
        c = handles_get(&vm_of(L)->requests, lua_tointeger(L, -1));
    lua_pop(L, 1);
    return c;
}

/* The request that the running task serves, or was started for. */
static struct ctx *of_task(lua_State *L, const struct task *t)
{
    if (!t || (!t->ctx && !t->request))
        luaL_error(L, "no request here: call it as ctx:name(...)");
    return t->ctx ? t->ctx : handles_get(&vm_of(L)->requests, t->request);
}

struct ctx *ctx_arg(lua_State *L)
{
    struct ctx *c = own(L, 1);
    if (c)
        return c;
    if (is_ctx(L, 1)) {
        c = of_table(L, 1);
    } else {
        c = of_task(L, vm_of(L)->running);
        lua_pushnil(L);
        lua_insert(L, 1);
    }
    if (!c)
        raise_ended(L);
    return c;
}

int64_t ctx_running(const struct vm *vm)
{
    const struct task *t = vm->running;
    if (!t)
        return 0;
    return t->ctx ? t->ctx->handle : t->request;
}

struct ctx *ctx_live(lua_State *L)
{
    struct ctx *c = ctx_arg(L);
    ctx_check(L, c);
    return c;
}

/* Frees the slots of the running task, whose wait is over. */
static void leave_slots(struct ctx *c, const struct task *t)
{
    if (c->reader == t)
        c->reader = NULL;
    if (c->writer == t)
        c->writer = NULL;
}

struct ctx *ctx_resumed(lua_State *L, lua_KContext handle)
{
    struct vm *vm = vm_of(L);
    struct ctx *c = handles_get(&vm->requests, handle);
    if (c)
        leave_slots(c, vm->running);
    task_resumed(L);
    if (c)
        ctx_check(L, c);
    else
        raise_ended(L);
    return c;
}

/* The metatable. Its functions have one upvalue: a table that maps each name of the API to its
 * function, or to the light userdata of its struct ctx_field. */

/* A field is computed once and then kept in the table, with the address of its description as key.
 * It can thus still be read after an abort. */
static int push_field(lua_State *L, const struct ctx_field *f)
{
    int kept = lua_rawgetp(L, 1, f);
    if (kept == LUA_TLIGHTUSERDATA && lua_touserdata(L, -1) == &nil_key)
        lua_pushnil(L);
    if (kept != LUA_TNIL)
        return 1;
    struct ctx *c = of_table(L, 1);
    if (!c)
        return raise_ended(L);
    ctx_check(L, c);
    f->push(L, c);
    if (lua_isnil(L, -1))
        lua_pushlightuserdata(L, (void *)&nil_key);
    else
        lua_pushvalue(L, -1);
    lua_rawsetp(L, 1, f);
    return 1;
}

static int l_index(lua_State *L)
{
    int type = lua_gettable(L, lua_upvalueindex(1));
    return type == LUA_TLIGHTUSERDATA ? push_field(L, lua_touserdata(L, -1)) : 1;
}

static bool is_status(lua_State *L, int index)
{
    lua_Integer n = lua_isinteger(L, index) ? lua_tointeger(L, index) : 0;
    return n >= 200 && n <= 599;
}

/* Scripts that assign to ctx.status or ctx.text expect the way of other frameworks to make a
 * response: the error tells the way that works here. */
static int refuse_assignment(lua_State *L, bool is_function)
{
    const char *name = lua_tostring(L, 2), *call = "";
    if (is_function && strcmp(name, "status") == 0 && is_status(L, 3))
        call = lua_pushfstring(L, ": call ctx:status(%d)", (int)lua_tointeger(L, 3));
    else if (is_function && (lua_type(L, 3) == LUA_TSTRING || lua_istable(L, 3)))
        call = lua_pushfstring(L, ": call ctx:%s(...)", name);
    return luaL_error(L, "ctx.%s cannot be assigned: the name is the server's%s", name, call);
}

static int l_newindex(lua_State *L)
{
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return refuse_assignment(L, lua_isfunction(L, -1));
    lua_pop(L, 1);
    lua_rawset(L, 1);
    return 0;
}

/* next() without this file's own keys. */
static int l_next(lua_State *L)
{
    lua_settop(L, 2);
    while (lua_next(L, 1)) {
        if (lua_type(L, -2) != LUA_TLIGHTUSERDATA)
            return 2;
        lua_pop(L, 1);
    }
    lua_pushnil(L);
    return 1;
}

/* Attaches the handle first: a wait within the loop would add it to the table that the loop
 * traverses. */
static int l_pairs(lua_State *L)
{
    struct ctx *c = own(L, 1);
    if (c)
        attach(L, c);
    lua_pushcfunction(L, l_next);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

void ctx_push_functions(lua_State *L)
{
    lua_newtable(L);
    luaL_setfuncs(L, ctx_stream_functions, 0);
    luaL_setfuncs(L, ctx_request_functions, 0);
    luaL_setfuncs(L, ctx_form_functions, 0);
    luaL_setfuncs(L, ctx_cookie_functions, 0);
    luaL_setfuncs(L, ctx_response_functions, 0);
    luaL_setfuncs(L, ctx_proxy_functions, 0);
    luaL_setfuncs(L, ctx_life_functions, 0);
    luaL_setfuncs(L, ctx_head_functions, 0);
}

static void push_names(lua_State *L)
{
    ctx_push_functions(L);
    for (const struct ctx_field *f = ctx_fields; f->name; f++) {
        lua_pushlightuserdata(L, (void *)f);
        lua_setfield(L, -2, f->name);
    }
}

void ctx_open(lua_State *L)
{
    static const luaL_Reg metamethods[] = {
        {"__index", l_index}, {"__newindex", l_newindex}, {"__pairs", l_pairs}, {NULL, NULL}};
    lua_newtable(L);
    push_names(L);
    missed_watch(L);
    luaL_setfuncs(L, metamethods, 1);
    lua_pushliteral(L, "moontrail.ctx");
    lua_setfield(L, -2, "__name");
    vm_of(L)->ctx_metatable = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushboolean(L, false);
    vm_of(L)->ctx_begun = luaL_ref(L, LUA_REGISTRYINDEX);
}

void ctx_push(lua_State *L, struct ctx *c)
{
    lua_newtable(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->vm->ctx_metatable);
    lua_setmetatable(L, -2);
    c->table = lua_topointer(L, -1);
    lua_pushvalue(L, -1);
    lua_rawseti(L, LUA_REGISTRYINDEX, c->vm->ctx_begun);
}

void ctx_push_again(lua_State *L, struct ctx *c)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->task->shelf);
    lua_pushinteger(L, c->handle);
    lua_rawsetp(L, -2, &handle_key);
    c->attached = true;
}

/* Overwrites the reference in place: that needs no memory. */
void ctx_let_go(struct vm *vm)
{
    lua_pushboolean(vm->L, false);
    lua_rawseti(vm->L, LUA_REGISTRYINDEX, vm->ctx_begun);
}

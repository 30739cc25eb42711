#include "lua/scripts/handler_error.h"

#include "http/code.h"
#include "http/exchange.h"
#include "lua/ctx/ctx.h"
#include "lua/ctx/missed.h"
#include "lua/ctx/report.h"
#include "lua/runtime/error_text.h"
#include "lua/runtime/error_value.h"
#include "lua/runtime/script_file.h"
#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"
#include "lua/scripts/answer.h"

#include <inttypes.h>
#include <lauxlib.h>
#include <stdio.h>

/* The values that l_describe leaves on the main state's stack, from the bottom up. */
enum { MESSAGE = 1, TRACEBACK, PAGE, IS_ABORT, STATUS, RESULTS = STATUS };

struct error {
    struct task *task;
    int status;
};

/* Whether a task is to write the page: a script may have a say in it. */
static bool wants_task(const struct ctx *c)
{
    return c->x && (c->wrapped || c->heads != LUA_NOREF) && c->stage != CTX_GIVEN_UP &&
           !c->x->response.out.head_taken;
}

static void push_error(lua_State *L, const struct error *e)
{
    if (e->task->state == TASK_KILLED)
        lua_pushstring(L, e->task->killed);
    else if (e->status == LUA_YIELD)
        lua_pushliteral(L, "a C function yielded out of the handler");
    else
        task_push_error(L, e->task);
}

static void push_name(lua_State *L, int status)
{
    char text[STATUS_TEXT_SIZE];
    struct str name = status_text(status, text);
    lua_pushlstring(L, name.p, name.n);
}

/* Keeps what a page needs, unless it is known from a failure before. The values of the enum are on
 * top. */
static void note(lua_State *L, const struct error *e, int problem)
{
    struct ctx *c = e->task->ctx;
    if (!wants_task(c) || c->stage != CTX_HANDLED)
        return;
    int status = (int)lua_tointeger(L, -1);
    lua_pushvalue(L, problem);
    c->problem = luaL_ref(L, LUA_REGISTRYINDEX);
    if (c->vm->options.dev && !status) {
        lua_pushvalue(L, -3);
        c->shown = luaL_ref(L, LUA_REGISTRYINDEX);
    }
}

/* Describes the error by the values of the enum above. */
static int l_describe(lua_State *L)
{
    const struct error *e = lua_touserdata(L, 1);
    const struct ctx *c = e->task->ctx;
    push_error(L, e);
    bool is_abort = ctx_is_abort_error(L, -1, e->task);
    int problem = lua_gettop(L), status = error_value_status(L, -1);
    missed_push_text(L, -1);
    int message = lua_gettop(L);
    luaL_traceback(L, task_innermost(e->task), NULL, 0);
    if (c->vm->options.dev && !status)
        lua_pushfstring(L, "%s\n\n%s\n", lua_tostring(L, message), lua_tostring(L, -1));
    else
        push_name(L, status ? status : 500);
    lua_pushboolean(L, is_abort);
    lua_pushinteger(L, status);
    note(L, e, problem);
    return RESULTS;
}

static struct str str_at(lua_State *L, int index)
{
    struct str s;
    s.p = lua_tolstring(L, index, &s.n);
    return s;
}

static void log_failure(lua_State *L, const struct task *t)
{
    const struct ctx *c = t->ctx;
    struct str message = str_at(L, MESSAGE), traceback = str_at(L, TRACEBACK);
    if (lua_toboolean(L, IS_ABORT) || lua_tointeger(L, STATUS))
        report_event(c, LOG_DEBUG, "handler stopped", log_bytes("error", message.p, message.n));
    else
        report_failure(t, "handler failed", message, traceback);
}

/* If the response was sent already, an error changes nothing. Returns whether a task is to write
 * the page. */
static bool answer(struct ctx *c, int status, struct str page)
{
    if (!c->x || outgoing_over(&c->x->response.out))
        return false;
    if (c->stage == CTX_HANDLED)
        c->failure = status;
    else
        status = c->failure;
    if (wants_task(c))
        return true;
    if (status != 500 && c->x->response.out.head_taken)
        exchange_reset(c->x, ERROR_CANCEL);
    else if (status == 500)
        answer_failure(c->vm, c->x, page);
    else
        answer_status(c->vm, c->x, status, NULL);
    return false;
}

/* What only a page would need. */
static void forget(const struct ctx *c)
{
    if (c->stage != CTX_HANDLED)
        return;
    luaL_unref(c->vm->L, LUA_REGISTRYINDEX, c->problem);
    luaL_unref(c->vm->L, LUA_REGISTRYINDEX, c->shown);
}

static void on_close_error(lua_State *L, struct task *t)
{
    report_close_error(L, t, false);
}

bool handler_error_handle(struct task *t, int status)
{
    lua_State *L = t->vm->L;
    struct ctx *c = t->ctx;
    struct error e = {t, status};
    struct str page = STR("Internal Server Error\n");
    int answered = 500;
    if (c->stage == CTX_HANDLED)
        c->problem = c->shown = LUA_NOREF;
    bool described = vm_call(t->vm, l_describe, &e, RESULTS);
    if (described) {
        log_failure(L, t);
        page = str_at(L, PAGE);
        answered = lua_tointeger(L, STATUS) ? (int)lua_tointeger(L, STATUS) : answered;
    } else {
        report_event(
            c, LOG_ERROR, "handler failed", log_str("error", "one that cannot be described"));
    }
    task_close(t, on_close_error);
    bool goes_on = answer(c, answered, page);
    if (!goes_on)
        forget(c);
    lua_settop(L, 0);
    return goes_on;
}

static void answer_short(const struct ctx *c, const char *problem)
{
    enum { PATH_SHOWN = 200 };
    const struct outgoing *o = &c->x->response.out;
    struct str path = c->x->request.path;
    char page[1024];
    snprintf(page, sizeof page, "%.400s: %.*s: %s: %" PRIu64 " of %" PRIu64 " bytes\n",
        ctx_script(c)->path, path.n < PATH_SHOWN ? (int)path.n : PATH_SHOWN, path.p, problem,
        o->written, o->length);
    answer_failure(c->vm, c->x, str_of(page));
}

bool handler_error_short_body(struct ctx *c)
{
    static const char problem[] = "less is written than content-length says";
    const struct outgoing *o = &c->x->response.out;
    report_event(c, LOG_ERROR, "handler failed", log_str("error", problem),
        log_int("written", (int64_t)o->written), log_int("content_length", (int64_t)o->length));
    if (c->stage == CTX_HANDLED)
        c->problem = c->shown = LUA_NOREF;
    if (!c->vm->options.dev || wants_task(c))
        return answer(c, 500, STR("Internal Server Error\n"));
    answer_short(c, problem);
    return false;
}

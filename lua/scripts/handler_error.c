#include "lua/scripts/handler_error.h"

#include "http/exchange.h"
#include "lua/ctx/ctx.h"
#include "lua/ctx/missed.h"
#include "lua/ctx/report.h"
#include "lua/runtime/error_text.h"
#include "lua/runtime/script_file.h"
#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"
#include "lua/scripts/answer.h"

#include <inttypes.h>
#include <lauxlib.h>
#include <stdio.h>

/* What l_describe leaves on the main state's stack, from the bottom. */
enum { MESSAGE = 1, TRACEBACK, PAGE, IS_ABORT, RESULTS = IS_ABORT };

struct error {
    struct task *task;
    int status;
};

static void push_error(lua_State *L, const struct error *e)
{
    if (e->task->state == TASK_KILLED)
        lua_pushstring(L, e->task->killed);
    else if (e->status == LUA_YIELD)
        lua_pushliteral(L, "a C function yielded out of the handler");
    else
        task_push_error(L, e->task);
}

/* Describes the failure in four values: see above. */
static int l_describe(lua_State *L)
{
    const struct error *e = lua_touserdata(L, 1);
    const struct ctx *c = e->task->ctx;
    push_error(L, e);
    bool is_abort = ctx_is_abort_error(L, -1, e->task);
    missed_push_text(L, -1);
    int message = lua_gettop(L);
    luaL_traceback(L, task_innermost(e->task), NULL, 0);
    if (c->vm->options.dev)
        lua_pushfstring(L, "%s\n\n%s\n", lua_tostring(L, message), lua_tostring(L, -1));
    else
        lua_pushliteral(L, "Internal Server Error\n");
    lua_pushboolean(L, is_abort);
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
    if (lua_toboolean(L, IS_ABORT) || c->over_limit)
        report_event(c, LOG_DEBUG, "handler stopped", log_bytes("error", message.p, message.n));
    else
        report_failure(t, "handler failed", message, traceback);
}

/* An error after the response was sent, or one that was answered already, changes nothing. */
static void answer(struct ctx *c, struct str page)
{
    if (c->x && !c->over_limit && !outgoing_over(&c->x->response.out))
        answer_failure(c->vm, c->x, page);
}

static void on_close_error(lua_State *L, struct task *t)
{
    report_close_error(L, t, false);
}

void handler_error_handle(struct task *t, int status)
{
    lua_State *L = t->vm->L;
    struct ctx *c = t->ctx;
    struct error e = {t, status};
    struct str page = STR("Internal Server Error\n");
    bool described = vm_call(t->vm, l_describe, &e, RESULTS);
    if (described) {
        log_failure(L, t);
        page = str_at(L, PAGE);
    } else {
        report_event(
            c, LOG_ERROR, "handler failed", log_str("error", "one that cannot be described"));
    }
    task_close(t, on_close_error);
    answer(c, page);
    lua_settop(L, 0);
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

void handler_error_short_body(struct ctx *c)
{
    static const char problem[] = "less is written than content-length says";
    const struct outgoing *o = &c->x->response.out;
    report_event(c, LOG_ERROR, "handler failed", log_str("error", problem),
        log_int("written", (int64_t)o->written), log_int("content_length", (int64_t)o->length));
    if (c->vm->options.dev)
        answer_short(c, problem);
    else
        answer_failure(c->vm, c->x, STR("Internal Server Error\n"));
}

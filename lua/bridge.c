#include "lua/bridge.h"

#include "core/log.h"
#include "core/mem.h"
#include "http/exchange.h"
#include "http/handler.h"
#include "lua/ctx.h"
#include "lua/failure.h"
#include "lua/folder.h"
#include "lua/spawn.h"
#include "lua/task.h"
#include "lua/vm.h"

#include <lauxlib.h>

struct bridge {
    struct handler base;
    struct vm *vm;
    struct scripts *scripts;
};

/* The task. */

static int k_returned(lua_State *L, int status, lua_KContext unused)
{
    (void)L, (void)status, (void)unused;
    return 0;
}

/* Calls the handler with a new ctx, which stays on the stack below it: nothing else need hold it.
 */
static int l_enter(lua_State *L)
{
    const struct task *t = lua_touserdata(L, 1);
    ctx_push(L, t->ctx);
    lua_rawgeti(L, LUA_REGISTRYINDEX, t->ctx->handler);
    lua_pushvalue(L, -2);
    lua_callk(L, 1, 0, 0, k_returned);
    return k_returned(L, LUA_OK, 0);
}

/* The handler has returned; the response ends with it. */
static enum rc complete(struct ctx *c)
{
    if (!c->x || c->x->response.state >= RESPONSE_FINISHED)
        return RC_OK;
    return exchange_finish(c->x);
}

static void finish_request(struct task *t, int status)
{
    struct ctx *c = t->ctx;
    if (status != LUA_OK)
        failure_handle(t, status);
    else if (complete(c))
        failure_short_body(c);
    ctx_call_callbacks_at_end(c);
    if (c->x)
        exchange_detach(c->x);
    ctx_free(c);
}

/* The handler's operations. */

static void respond(struct exchange *x, struct script_answer a)
{
    char text[STATUS_TEXT_SIZE];
    exchange_respond(x, a.status, a.status == 204 ? STR("") : status_text(a.status, text), a.allow);
}

static enum rc begin(struct bridge *b, struct ctx *c)
{
    static const struct task_kind kind = {l_enter, ctx_check_task, finish_request};
    enum rc rc = task_new(b->vm, &kind, c, &c->task);
    if (rc)
        return rc;
    c->task->ctx = c;
    c->x->instance = c;
    return RC_OK;
}

static void on_start(struct handler *h, struct exchange *x)
{
    struct bridge *b = container_of(h, struct bridge, base);
    struct script_answer answer = {.status = 503};
    struct ctx *c;
    if (ctx_new(b->vm, x, &c)) {
        respond(x, answer);
        return;
    }
    answer = scripts_route(b->scripts, &x->request, &x->arena, &c->match);
    c->handler = answer.handler;
    if (!answer.status && begin(b, c))
        answer.status = 503;
    if (answer.status) {
        ctx_free(c);
        respond(x, answer);
    }
}

/* Empties a slot, and wakes the task that waited in it. */
static void wake(struct task **slot)
{
    struct task *t = *slot;
    *slot = NULL;
    if (t)
        task_wake(t);
}

static void on_readable(struct exchange *x)
{
    wake(&((struct ctx *)x->instance)->reader);
}

static void on_writable(struct exchange *x)
{
    wake(&((struct ctx *)x->instance)->writer);
}

/* A task that has not begun never does. */
static void on_abort(struct exchange *x, const char *reason)
{
    struct ctx *c = x->instance;
    struct task *t = c->task;
    if (t->entry) {
        task_drop(t);
        ctx_free(c);
        return;
    }
    ctx_abort(c, reason);
}

static bool on_run(struct handler *h)
{
    return vm_run(container_of(h, struct bridge, base)->vm);
}

static void on_tick(struct handler *h)
{
    budget_tick(&container_of(h, struct bridge, base)->vm->budget);
}

static const struct handler_ops handler_ops = {
    .start = on_start,
    .on_readable = on_readable,
    .on_writable = on_writable,
    .on_abort = on_abort,
    .run = on_run,
    .tick = on_tick,
};

/* Life. */

enum rc bridge_new(struct ev_loop *ev, const char *path, const struct vm_options *options,
    struct bridge **out, char why[SCRIPT_WHY])
{
    char folder[SCRIPT_WHY];
    folder_of(path, folder, sizeof folder);
    struct bridge *b = mem_get_zeroed(sizeof *b);
    snprintf(why, SCRIPT_WHY, "%s", rc_text(RC_NOMEM));
    if (!b)
        return RC_NOMEM;
    b->base.ops = &handler_ops;
    enum rc rc = vm_new(ev, options, folder, &b->vm);
    if (!rc)
        rc = scripts_load(b->vm, path, &b->scripts, why);
    if (rc)
        bridge_free(b);
    else
        *out = b;
    return rc;
}

/* It ends: each wait raises, and who swallows that is killed. */
void bridge_stop(struct bridge *b)
{
    spawn_cancel_all(b->vm, "shutdown");
    while (!list_empty(&b->vm->ready))
        vm_run(b->vm);
}

void bridge_free(struct bridge *b)
{
    if (b->vm)
        bridge_stop(b);
    if (b->scripts)
        scripts_free(b->scripts);
    if (b->vm)
        vm_free(b->vm);
    mem_put(b, sizeof *b);
}

struct handler *bridge_handler(struct bridge *b)
{
    return &b->base;
}

void bridge_print_routes(const struct bridge *b, FILE *out)
{
    scripts_print(b->scripts, out);
}

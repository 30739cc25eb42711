#include "lua/runtime/task.h"

#include "core/activity.h"
#include "core/check.h"
#include "core/live.h"
#include "core/mem.h"
#include "lua/runtime/vm.h"

#include <lauxlib.h>

enum { SPARE_MAX = 1024 };

static bool may_go(enum task_state from, enum task_state to)
{
    switch (to) {
    case TASK_READY:
        return from == TASK_OVER || from == TASK_WAITING;
    case TASK_RUNNING:
        return from == TASK_READY;
    case TASK_WAITING:
    case TASK_KILLED:
        return from == TASK_RUNNING;
    case TASK_CLOSING:
        return from == TASK_RUNNING || from == TASK_KILLED || from == TASK_CLOSING;
    case TASK_OVER:
        return from == TASK_READY || from == TASK_CLOSING;
    }
    return false;
}

static void set_state(struct task *t, enum task_state state)
{
    check_hot(may_go(t->state, state));
    t->state = state;
}

/* Called in protected mode: makes a coroutine, which a reference in the registry keeps. */
static int l_new_coroutine(lua_State *L)
{
    struct task *t = lua_touserdata(L, 1);
    t->co = lua_newthread(L);
    t->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushboolean(L, false);
    t->shelf = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static void on_timer(struct timer *timer)
{
    task_wake(container_of(timer, struct task, timer));
}

static void free_task(struct task *t)
{
    mem_put(t->chain, t->room * sizeof *t->chain);
    luaL_unref(t->vm->L, LUA_REGISTRYINDEX, t->ref);
    luaL_unref(t->vm->L, LUA_REGISTRYINDEX, t->shelf);
    mem_put(t, sizeof *t);
}

static enum rc make(struct vm *vm, struct task **out)
{
    struct task *t = mem_get_zeroed(sizeof *t);
    if (!t)
        return RC_NOMEM;
    t->vm = vm;
    t->ref = t->shelf = LUA_NOREF;
    t->state = TASK_OVER;
    list_init(&t->queue);
    list_init(&t->link);
    list_init(&t->bonds);
    timer_init(&t->timer, vm->ev, on_timer);
    if (!vm_call(vm, l_new_coroutine, t, 0)) {
        lua_settop(vm->L, 0);
        free_task(t);
        return RC_NOMEM;
    }
    *out = t;
    return RC_OK;
}

void task_free_spare(struct vm *vm)
{
    struct list *node;
    while ((node = list_shift(&vm->spare)))
        free_task(container_of(node, struct task, link));
    vm->spare_count = 0;
}

enum rc task_new(struct vm *vm, const struct task_kind *kind, void *owner, struct task **out)
{
    struct list *node = list_shift(&vm->spare);
    if (node) {
        *out = container_of(node, struct task, link);
        vm->spare_count--;
    } else {
        enum rc rc = make(vm, out);
        if (rc)
            return rc;
    }
    struct task *t = *out;
    set_state(t, TASK_READY);
    t->cancel = NULL;
    t->entry = kind->entry;
    t->permit = kind->permit;
    t->done = kind->done;
    t->owner = owner;
    t->ctx = NULL;
    t->request = 0;
    t->met_abort = false;
    t->killed = NULL;
    t->overran = false;
    list_append(&vm->tasks, &t->link);
    list_append(&vm->ready, &t->queue);
    live.tasks++;
    return RC_OK;
}

void task_bind(struct task *t, struct task_bond *b)
{
    list_append(&t->bonds, &b->link);
}

void task_bequeath(struct task *t, struct task *heir)
{
    struct list *node;
    while ((node = list_shift(&t->bonds))) {
        struct task_bond *b = container_of(node, struct task_bond, link);
        if (heir && !b->stays)
            list_append(&heir->bonds, node);
        else if (b->stays || b->strict)
            b->end(b);
    }
}

static void end_bonds(struct task *t)
{
    struct list *node;
    while ((node = list_shift(&t->bonds))) {
        struct task_bond *b = container_of(node, struct task_bond, link);
        b->end(b);
    }
}

/* Whether the coroutine may be reused. It may not if it has yielded out of an xpcall or may have
 * lost its hooks, nor if it failed: its stack may be as large as whatever made it fail. */
static bool is_good(const struct task *t, int status)
{
    return status == LUA_OK && !vm_has_mark(t->co, VM_HANDLER | VM_NO_HOOKS);
}

/* Keeps the task for later use. */
static void retire(struct task *t, int status)
{
    live.tasks--;
    set_state(t, TASK_OVER);
    end_bonds(t);
    list_remove(&t->queue);
    list_remove(&t->link);
    lua_settop(t->co, 0);
    if (t->vm->spare_count >= SPARE_MAX || !is_good(t, status)) {
        free_task(t);
        return;
    }
    /* Last in, first out: the processor's caches still have it. If tasks are used in turn, a hello
     * after a burst of 1,000 requests takes 4.2 us instead of 2.9. */
    list_prepend(&t->vm->spare, &t->link);
    t->vm->spare_count++;
}

void task_drop(struct task *t)
{
    retire(t, LUA_OK);
}

/* Enters the coroutine into the chain meanwhile, if there is memory, so that a spent budget can
 * interrupt it. */
int task_close_coroutine(lua_State *co)
{
    struct vm *vm = vm_of(co);
    lua_State *outer = vm->budget.innermost;
    bool entered = task_enter(vm->running, co) == RC_OK;
    vm->closing++;
    vm->budget.innermost = co;
    vm_set_mark(co, VM_WAITING, false);
    int status = lua_resetthread(co);
    vm->budget.innermost = outer;
    vm->closing--;
    if (entered)
        task_leave(vm->running);
    return status;
}

/* Closes a coroutine that ended with an error. The error is on top of the main state, nil if there
 * is none. [main: -0, +0] */
static void close_after(
    struct task *t, lua_State *co, void (*on_error)(lua_State *L, struct task *t))
{
    lua_State *L = t->vm->L;
    if (!task_close_coroutine(co))
        return;
    lua_xmove(co, L, 1);
    if (!lua_rawequal(L, -1, -2))
        on_error(L, t);
    lua_pop(L, 1);
}

void task_close(struct task *t, void (*on_error)(lua_State *L, struct task *t))
{
    lua_State *L = t->vm->L;
    int status = lua_status(t->co);
    set_state(t, TASK_CLOSING);
    budget_begin_closing(&t->vm->budget);
    lua_pushnil(L);
    while (t->depth)
        close_after(t, t->chain[--t->depth], on_error);
    if (status != LUA_OK && status != LUA_YIELD)
        task_push_error(L, t);
    close_after(t, t->co, on_error);
}

void task_push_error(lua_State *L, struct task *t)
{
    lua_xmove(t->co, L, 1);
    lua_pushvalue(L, -1);
    lua_xmove(L, t->co, 1);
}

enum rc task_enter(struct task *t, lua_State *co)
{
    if (!t)
        return RC_OK;
    if (t->depth == t->room) {
        size_t room = t->room ? 2 * t->room : 8;
        lua_State **chain = mem_resize(t->chain, t->room * sizeof *chain, room * sizeof *chain);
        if (!chain)
            return RC_NOMEM;
        t->chain = chain;
        t->room = room;
    }
    t->chain[t->depth++] = co;
    return RC_OK;
}

void task_leave(struct task *t)
{
    if (!t)
        return;
    check_hot(t->depth > 0);
    t->depth--;
}

void task_run(struct task *t)
{
    struct vm *vm = t->vm;
    int results, args = 0;
    check_hot(!vm->running);
    set_state(t, TASK_RUNNING);
    vm->running = t;
    if (t->entry) {
        lua_pushcfunction(t->co, t->entry);
        lua_pushlightuserdata(t->co, t);
        t->entry = NULL;
        args = 1;
    }
    vm_set_mark(t->co, VM_WAITING, false);
    budget_begin(&vm->budget);
    vm->budget.innermost = t->co;
    activity_begin();
    int status = lua_resume(t->co, vm->L, args, &results);
    vm->budget.innermost = vm->L;
    if (activity_end())
        vm->blocked(t);
    if (status != LUA_YIELD || t->state != TASK_WAITING) {
        if (t->state == TASK_RUNNING)
            set_state(t, TASK_CLOSING);
        t->done(t, status);
        retire(t, status);
    }
    vm->budget.innermost = NULL;
    vm->running = NULL;
}

/* A wait yields through every coroutine of the chain, so each must be able to yield. */
bool task_can_wait(const struct task *t)
{
    if (t->vm->closing)
        return false;
    for (size_t i = 0; i < t->depth; i++)
        if (!lua_isyieldable(t->chain[i]))
            return false;
    return lua_isyieldable(t->co);
}

struct task *task_waiter(lua_State *L)
{
    struct task *t = vm_of(L)->running;
    if (!t)
        luaL_error(L, "cannot wait while a script loads");
    if (t->state != TASK_RUNNING)
        luaL_error(L, "cannot wait while the request is being closed");
    if (t->vm->closing)
        luaL_error(L, "cannot wait while a coroutine is being closed");
    if (L != task_innermost(t))
        luaL_error(L, "cannot wait inside a coroutine that a C function runs");
    if (!task_can_wait(t))
        luaL_error(L, "cannot wait inside a callback of a C function (table.sort, string.gsub "
                      "and the like)");
    t->permit(L, t);
    return t;
}

void task_resumed(lua_State *L)
{
    struct task *t = vm_of(L)->running;
    t->permit(L, t);
}

/* If a task yielded out of an xpcall and was never resumed, Lua would keep a message handler that
 * no longer exists. */
static bool has_handler(const struct task *t)
{
    for (size_t i = 0; i < t->depth; i++)
        if (vm_has_mark(t->chain[i], VM_HANDLER))
            return true;
    return vm_has_mark(t->co, VM_HANDLER);
}

int task_kill(lua_State *L, const char *why)
{
    struct task *t = vm_of(L)->running;
    if (t->state != TASK_RUNNING)
        return luaL_error(L, "%s", why);
    if (!t->killed)
        budget_begin_closing(&t->vm->budget); /* gives time to the variables that are closed */
    t->killed = why;
    if (!task_can_wait(t) || L != task_innermost(t) || has_handler(t))
        return luaL_error(L, "%s", why);
    set_state(t, TASK_KILLED);
    return lua_yield(L, 0);
}

void task_go_on_dying(lua_State *L)
{
    struct task *t = vm_of(L)->running;
    if (t && t->killed && t->state == TASK_RUNNING)
        task_kill(L, t->killed);
}

int task_wait(lua_State *L, struct task *t, void (*cancel)(struct task *t), void *data,
    lua_KContext context, lua_KFunction k)
{
    check_hot(t == vm_of(L)->running && !t->cancel);
    set_state(t, TASK_WAITING);
    t->cancel = cancel;
    t->data = data;
    live.waits++;
    vm_set_mark(t->co, VM_WAITING, true);
    return lua_yieldk(L, 0, context, k);
}

void task_wake(struct task *t)
{
    if (!t || t->state != TASK_WAITING)
        return;
    live.waits--;
    set_state(t, TASK_READY);
    t->cancel = NULL;
    list_append(&t->vm->ready, &t->queue);
}

void task_interrupt(struct task *t)
{
    if (t->state != TASK_WAITING)
        return;
    check_hot(t->cancel);
    t->cancel(t);
    task_wake(t);
}

#include "lua/ctx/spawn.h"

#include "core/check.h"
#include "core/log.h"
#include "core/mem.h"
#include "lua/ctx/ctx.h"
#include "lua/ctx/missed.h"
#include "lua/ctx/report.h"
#include "lua/runtime/error_value.h"
#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"

#include <lauxlib.h>

/*
 * What a script holds is a userdata, made before the task and emptied when the task is over; the
 * task keeps it alive until then. Its user values are the function with its arguments, and then the
 * results or the error.
 */
struct spawn {
    struct task *task; /* NULL once it is over */
    int self;          /* the registry's reference to the userdata while the task lives */
    int count;         /* of arguments, the function included; later of results */
    bool failed;       /* the value is an error */
    bool parting;      /* it ends what another task has left open */
    enum spawn_cause cancelled;
    int cancel_errors;     /* raised since then */
    struct spawn_end *end; /* NULL if nobody is to be told */
    struct task *watcher;  /* a task in mt.all that waits for this one; NULL if there is none */
    struct list joiners;   /* tasks that wait for this one, by task.queue */
};

/* A task that keeps running after it was cancelled is ended after so many raised errors. */
enum { CANCEL_ERRORS = 100 };

static const char metatable_key;

static struct spawn *check_spawn(lua_State *L, int index)
{
    struct spawn *s = lua_touserdata(L, index);
    bool is_spawn = false;
    if (s && lua_getmetatable(L, index)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
        is_spawn = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    luaL_argexpected(L, is_spawn, index, "task");
    return s;
}

/* The task's side. */

/* Packs the count values on top of the stack into the user value of the userdata at the index. */
static void keep_values(lua_State *L, int index, struct spawn *s, int count)
{
    lua_createtable(L, count, 0);
    lua_insert(L, -count - 1);
    for (int i = count; i >= 1; i--)
        lua_rawseti(L, -1 - i, i);
    lua_setiuservalue(L, index, 1);
    s->count = count;
}

/* Pushes the values that keep_values stored. */
static int push_values(lua_State *L, int index, const struct spawn *s)
{
    luaL_checkstack(L, s->count + 1, "too many values");
    lua_getiuservalue(L, index, 1);
    int values = lua_gettop(L);
    for (int i = 1; i <= s->count; i++)
        lua_rawgeti(L, values, i);
    lua_remove(L, values);
    return s->count;
}

/* The error has a reason, like that of a request's abort, for scripts to test. */
static void raise_cancelled(lua_State *L, enum spawn_cause cause)
{
    static const struct {
        const char *reason, *text;
    } causes[] = {
        [SPAWN_CANCELLED] = {"cancelled", "cancelled"},
        [SPAWN_OTHER_FAILED] = {"cancelled", "another task of mt.all failed"},
        [SPAWN_CALL_ENDED] = {"cancelled", "its call has ended"},
        [SPAWN_SHUTDOWN] = {"shutdown", "shutdown"},
        [SPAWN_RELOAD] = {"reload", "reload"},
    };
    error_value_push_here(L, KIND_ABORT, "task cancelled: %s", causes[cause].text);
    error_value_set(L, "reason", causes[cause].reason);
    lua_error(L);
}

static void check_cancelled(lua_State *L, struct task *t)
{
    struct spawn *s = t->owner;
    if (s->cancelled == SPAWN_GOES_ON)
        return;
    if (++s->cancel_errors > CANCEL_ERRORS)
        task_kill(L, "went on after it was cancelled");
    raise_cancelled(L, s->cancelled);
}

static int k_returned(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    keep_values(L, 1, lua_touserdata(L, 1), lua_gettop(L) - 1);
    return 0;
}

/* Calls the function with its arguments; the userdata stays at index 1. */
static int l_enter(lua_State *L)
{
    struct task *t = lua_touserdata(L, 1);
    struct spawn *s = t->owner;
    check_cancelled(L, t);
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->self);
    lua_replace(L, 1);
    int count = push_values(L, 1, s);
    lua_callk(L, count - 1, LUA_MULTRET, 0, k_returned);
    return k_returned(L, LUA_OK, 0);
}

struct failure {
    struct task *task;
    struct spawn *spawn;
    bool silent;
};

/* Logs the error on top of the stack. An abort error is not a fault. */
static void log_failure(lua_State *L, struct task *t)
{
    size_t error_len, traceback_len;
    bool is_abort = ctx_is_abort_error(L, -1, t);
    missed_push_text(L, -1);
    const char *error = lua_tolstring(L, -1, &error_len);
    if (is_abort) {
        report_task_event(t, LOG_DEBUG, "task stopped", log_bytes("error", error, error_len));
        return;
    }
    luaL_traceback(L, task_innermost(t), NULL, 0);
    const char *traceback = lua_tolstring(L, -1, &traceback_len);
    report_failure(
        t, "task failed", (struct str){error, error_len}, (struct str){traceback, traceback_len});
}

/* Stores the error as the task's value, and logs it if no task waits for it. */
static int l_fail(lua_State *L)
{
    const struct failure *f = lua_touserdata(L, 1);
    struct task *t = f->task;
    if (t->state == TASK_KILLED)
        lua_pushstring(L, t->killed);
    else
        task_push_error(L, t);
    lua_rawgeti(L, LUA_REGISTRYINDEX, f->spawn->self);
    lua_pushvalue(L, -2);
    keep_values(L, lua_absindex(L, -2), f->spawn, 1);
    lua_pop(L, 1);
    if (f->silent)
        return 0;
    log_failure(L, t);
    return 0;
}

static void on_close_error(lua_State *L, struct task *t)
{
    const struct spawn *s = t->owner;
    report_close_error(L, t, s->cancelled);
}

static void wake_joiners(struct spawn *s)
{
    struct list *node;
    while ((node = list_shift(&s->joiners)))
        task_wake(container_of(node, struct task, queue));
    task_wake(s->watcher);
}

/* The task that takes over what the results may refer to. */
static struct task *heir_of(const struct spawn *s, const struct task *t)
{
    if (s->watcher)
        return s->watcher;
    if (!list_empty(&s->joiners))
        return container_of(s->joiners.next, struct task, queue);
    const struct ctx *c = handles_get(&t->vm->requests, t->request);
    return c ? c->task : NULL;
}

static void on_done(struct task *t, int status)
{
    struct spawn *s = t->owner;
    struct failure f = {t, s, s->cancelled || s->watcher || !list_empty(&s->joiners)};
    s->failed = status != LUA_OK;
    s->count = s->failed ? 0 : s->count;
    if (s->failed && !vm_call(t->vm, l_fail, &f, 0))
        report_task_event(
            t, LOG_ERROR, "task failed", log_str("error", "one that cannot be described"));
    lua_settop(t->vm->L, 0);
    if (s->failed)
        task_close(t, on_close_error);
    else
        task_bequeath(t, heir_of(s, t));
    lua_settop(t->vm->L, 0);
    check_hot(s->task == t);
    s->task = NULL;
    t->vm->partings -= s->parting;
    ctx_unfollow(t);
    wake_joiners(s);
    luaL_unref(t->vm->L, LUA_REGISTRYINDEX, s->self);
    if (s->end)
        s->end->over(s->end);
}

static const struct task_kind kind = {l_enter, check_cancelled, on_done};

void spawn_watch(struct spawn *s, struct spawn_end *end)
{
    check(s->task && !s->end);
    s->end = end;
}

void spawn_cancel(struct spawn *s, enum spawn_cause cause)
{
    if (!s->task || s->cancelled)
        return;
    s->cancelled = cause;
    task_interrupt(s->task);
}

static bool is_spared(const struct spawn *s, enum spawn_cause cause)
{
    return s->parting && cause == SPAWN_RELOAD;
}

void spawn_cancel_all(struct vm *vm, enum spawn_cause cause)
{
    vm->ending = (int)cause;
    for (struct list *node = vm->tasks.next; node != &vm->tasks; node = node->next) {
        struct task *t = container_of(node, struct task, link);
        if (t->done == on_done && !is_spared(t->owner, cause))
            spawn_cancel(t->owner, cause);
    }
}

/* The script's side. */

/* request is the handle of the one that the task follows, or 0. */
static struct spawn *start(lua_State *L, int first, int64_t request)
{
    luaL_checktype(L, first, LUA_TFUNCTION);
    int count = lua_gettop(L) - first + 1;
    struct spawn *s = lua_newuserdatauv(L, sizeof *s, 1);
    *s = (struct spawn){.self = LUA_NOREF, .cancelled = (enum spawn_cause)vm_of(L)->ending};
    list_init(&s->joiners);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
    lua_setmetatable(L, -2);
    lua_insert(L, first);
    keep_values(L, first, s, count);
    lua_pushvalue(L, first);
    s->self = luaL_ref(L, LUA_REGISTRYINDEX);
    if (task_new(vm_of(L), &kind, s, &s->task)) {
        luaL_unref(L, LUA_REGISTRYINDEX, s->self);
        luaL_error(L, "%s", rc_text(RC_NOMEM));
    }
    s->task->request = request;
    ctx_follow(s->task);
    return s;
}

struct spawn *spawn_start(lua_State *L, int first)
{
    return start(L, first, ctx_running(vm_of(L)));
}

/* detached(fn, ...) → task */
static int l_detached(lua_State *L)
{
    start(L, 1, 0);
    return 1;
}

int luaopen_moontrail_detached(lua_State *L)
{
    lua_pushcfunction(L, l_detached);
    return 1;
}

/* spawn(fn, ...) → task */
static int l_spawn(lua_State *L)
{
    spawn_start(L, 1);
    return 1;
}

/* parting(fn, ...) → task */
static int l_parting(lua_State *L)
{
    struct spawn *s = spawn_start(L, 1);
    s->parting = true;
    s->task->vm->partings++;
    if (is_spared(s, s->cancelled))
        s->cancelled = SPAWN_GOES_ON;
    return 1;
}

int luaopen_moontrail_parting(lua_State *L)
{
    lua_pushcfunction(L, l_parting);
    return 1;
}

/* Pushes the results of a finished task, or raises its error. */
static int finish(lua_State *L, int index, const struct spawn *s)
{
    int count = push_values(L, index, s);
    if (!s->failed)
        return count;
    if (count == 0)
        lua_pushliteral(L, "task failed");
    return lua_error(L);
}

static void leave_joiners(struct task *t)
{
    list_remove(&t->queue);
}

static int wait_over(lua_State *L, struct spawn *s, lua_KContext context, lua_KFunction k)
{
    struct task *t = task_waiter(L);
    if (t == s->task)
        return luaL_error(L, "a task cannot wait for itself");
    list_append(&s->joiners, &t->queue);
    return task_wait(L, t, leave_joiners, NULL, context, k);
}

static int k_join(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    task_resumed(L);
    return finish(L, 1, check_spawn(L, 1));
}

/* task:join() → its results */
static int l_join(lua_State *L)
{
    struct spawn *s = check_spawn(L, 1);
    lua_settop(L, 1);
    return s->task ? wait_over(L, s, 0, k_join) : finish(L, 1, s);
}

/* task:cancel() */
static int l_cancel(lua_State *L)
{
    spawn_cancel(check_spawn(L, 1), SPAWN_CANCELLED);
    return 0;
}

static void set_watcher(lua_State *L, int count, struct task *watcher)
{
    for (int i = 1; i <= count; i++)
        ((struct spawn *)lua_touserdata(L, i))->watcher = watcher;
}

static void cancel_tasks(lua_State *L, int count)
{
    for (int i = 1; i <= count; i++)
        spawn_cancel(lua_touserdata(L, i), SPAWN_OTHER_FAILED);
}

static void watch_nothing(struct task *t)
{
    (void)t;
}

static int k_all(lua_State *L, int status, lua_KContext count);

/* Pushes the first result of each task. */
static int push_firsts(lua_State *L, int count)
{
    luaL_checkstack(L, count, "too many tasks");
    for (int i = 1; i <= count; i++) {
        push_values(L, i, lua_touserdata(L, i));
        lua_settop(L, count + i);
    }
    return count;
}

/* Waits for the tasks on the stack, which has nothing else. The first error cancels the others. */
static int wait_all(lua_State *L, int count)
{
    bool over = true;
    for (int i = 1; i <= count; i++) {
        const struct spawn *s = lua_touserdata(L, i);
        if (s->failed) {
            cancel_tasks(L, count);
            return finish(L, i, s);
        }
        over = over && !s->task;
    }
    if (over)
        return push_firsts(L, count);
    struct task *t = task_waiter(L);
    set_watcher(L, count, t);
    return task_wait(L, t, watch_nothing, NULL, count, k_all);
}

static int l_resumed(lua_State *L)
{
    task_resumed(L);
    return 0;
}

/* Runs each time that one of the tasks has finished. If the wait was ended, cancels them all. */
static int k_all(lua_State *L, int status, lua_KContext count)
{
    (void)status;
    set_watcher(L, (int)count, NULL);
    lua_pushcfunction(L, l_resumed);
    if (lua_pcall(L, 0, 0, 0)) {
        cancel_tasks(L, (int)count);
        return lua_error(L);
    }
    return wait_all(L, (int)count);
}

/* Replaces the function at the index by its task. If there is no memory for that, the tasks started
 * before it are cancelled. */
static void start_one(lua_State *L, int index)
{
    lua_pushcfunction(L, l_spawn);
    lua_pushvalue(L, index);
    if (lua_pcall(L, 1, 1, 0)) {
        cancel_tasks(L, index - 1);
        lua_error(L);
    }
    lua_replace(L, index);
}

/* all(f, g, ...) → the first result of each */
static int l_all(lua_State *L)
{
    int count = lua_gettop(L);
    for (int i = 1; i <= count; i++)
        luaL_checktype(L, i, LUA_TFUNCTION);
    if (count)
        task_waiter(L);
    for (int i = 1; i <= count; i++)
        start_one(L, i);
    return wait_all(L, count);
}

void spawn_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"spawn", l_spawn}, {"all", l_all}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"join", l_join}, {"cancel", l_cancel}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    lua_newtable(L);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "task");
    lua_setfield(L, -2, "__name");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
}

#include "lua/process/process.h"

#include "core/check.h"
#include "core/list.h"
#include "lua/runtime/error_value.h"
#include "lua/runtime/vm.h"
#include "program/signal_name.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

/* The userdata's user values. */
enum { NAME = 1, INPUT, VALUES = INPUT };

enum { KIB = 16 }; /* what a process holds that the collector cannot see, about */

static const char metatable_key;

/* Who waits. */

static void wake_all(struct process *s)
{
    struct list *node;
    for (int i = 0; i < PROGRAM_OUTPUTS; i++)
        task_wake(s->readers[i]);
    task_wake(s->writer);
    while ((node = list_shift(&s->waiters)))
        task_wake(container_of(node, struct task, queue));
}

void process_cancel(struct task *t)
{
    (void)t;
}

void process_leave(struct process *s)
{
    const struct task *t = s->vm->running;
    for (int i = 0; i < PROGRAM_OUTPUTS; i++)
        if (s->readers[i] == t)
            s->readers[i] = NULL;
    if (s->writer == t)
        s->writer = NULL;
}

/* Life. */

/* Nothing of it is to be seen any more. */
static void let_go(struct process *s)
{
    struct program *p = s->program;
    if (!p)
        return;
    s->program = NULL;
    timer_stop(&s->alarm);
    list_remove(&s->bond.link);
    program_end(p);
    wake_all(s);
}

static void fail(struct process *s, enum process_failure failure)
{
    s->failure = failure;
    let_go(s);
}

void process_close(struct process *s)
{
    let_go(s);
}

static void on_task_end(struct task_bond *b)
{
    process_close(container_of(b, struct process, bond));
}

static void on_alarm(struct timer *t)
{
    struct process *s = container_of(t, struct process, alarm);
    if (!program_is_over(s->program))
        fail(s, PROCESS_LATE);
}

/* What the program tells. */

static void on_output(struct program *p, enum program_output which)
{
    struct process *s = p->owner;
    if (p->outputs[which].lost)
        fail(s, PROCESS_LOST);
    else if (p->outputs[which].moved > s->limit)
        fail(s, PROCESS_LARGE);
    else
        task_wake(s->readers[which]);
}

/* Writes what it can of the option stdin. */
static void feed(struct process *s)
{
    size_t taken;
    enum rc rc = program_write(s->program, s->input.p, s->input.n, &taken);
    s->input.p += taken;
    s->input.n -= taken;
    if (rc == RC_NOMEM)
        fail(s, PROCESS_LOST);
    else if (s->input.n == 0 && rc == RC_OK)
        program_finish(s->program);
}

static void on_room(struct program *p)
{
    struct process *s = p->owner;
    if (s->input.n)
        feed(s);
    else
        task_wake(s->writer);
}

static void on_end(struct program *p)
{
    struct process *s = p->owner;
    s->over = true;
    s->code = p->code;
    s->signal = p->signal;
    wake_all(s);
}

static const struct program_ops ops = {
    .on_output = on_output,
    .on_room = on_room,
    .on_end = on_end,
};

/* Starting. */

static int raise_not_started(
    lua_State *L, const struct launch_order *order, int error, enum launch_step step)
{
    const char *where = step == LAUNCH_FOLDER ? " in " : "";
    error_value_push_here(L, KIND_SYSTEM, "%s cannot be started%s%s: %s", order->argv[0], where,
        where[0] ? order->folder : "", strerror(error));
    error_value_set(L, "code", strerrorname_np(error));
    return lua_error(L);
}

static struct process *new_process(lua_State *L)
{
    struct vm *vm = vm_of(L);
    if (lua_gc(L, LUA_GCISRUNNING))
        lua_gc(L, LUA_GCSTEP, KIB);
    struct process *s = lua_newuserdatauv(L, sizeof *s, VALUES);
    *s = (struct process){.vm = vm, .bond = {.end = on_task_end, .strict = true}};
    list_init(&s->bond.link);
    list_init(&s->waiters);
    timer_init(&s->alarm, vm->ev, on_alarm);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
    lua_setmetatable(L, -2);
    return s;
}

static void keep(lua_State *L, int index, const struct process_options *o)
{
    lua_pushstring(L, o->order.argv[0]);
    lua_setiuservalue(L, index, NAME);
    lua_pushlstring(L, o->input.p, o->input.n);
    lua_setiuservalue(L, index, INPUT);
}

/* The program runs: from here on nothing raises. */
static void set_going(struct process *s, struct task *t, const struct process_options *o)
{
    task_bind(t, &s->bond);
    s->seconds = o->timeout;
    if (s->seconds > 0)
        timer_start(&s->alarm, s->seconds);
    s->finished = o->has_input;
    if (!o->has_input)
        return;
    if (s->input.n)
        feed(s);
    else
        program_finish(s->program);
}

struct process *process_start(
    lua_State *L, int argv, int options, const struct process_defaults *defaults)
{
    struct process_options o;
    enum launch_step step;
    struct vm *vm = vm_of(L);
    struct task *t = task_waiter(L);
    if (!vm->options.programs)
        luaL_error(L, "no program can be started from here");
    struct process *s = new_process(L);
    int index = lua_gettop(L);
    process_options_read(L, argv, options, defaults, &o);
    keep(L, index, &o);
    s->limit = o.limit;
    s->input.n = o.input.n;
    lua_getiuservalue(L, index, INPUT);
    s->input.p = lua_tostring(L, -1);
    int error = program_start(vm->options.programs, &o.order, &ops, s, &s->program, &step);
    if (error)
        raise_not_started(L, &o.order, error, step);
    set_going(s, t, &o);
    lua_settop(L, index);
    return s;
}

/* From the script's value to the program. */

static struct process *check_process(lua_State *L)
{
    struct process *s = lua_touserdata(L, 1);
    bool is_process = false;
    if (s && lua_getmetatable(L, 1)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
        is_process = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    luaL_argexpected(L, is_process, 1, "process");
    return s;
}

int process_raise(lua_State *L, int index, const struct process *s)
{
    char number[32];
    lua_getiuservalue(L, index, NAME);
    const char *name = lua_tostring(L, -1);
    switch (s->failure) {
    case PROCESS_WELL:
        return luaL_error(L, "%s: the process is closed", name);
    case PROCESS_LATE:
        snprintf(number, sizeof number, "%g", s->seconds);
        error_value_push_here(L, KIND_TIMEOUT, "%s: not done after %s s", name, number);
        break;
    case PROCESS_LARGE:
        error_value_push_here(
            L, KIND_LIMIT, "%s: more than %I bytes of output", name, (LUAI_UACINT)s->limit);
        error_value_set(L, "limit", "output");
        break;
    case PROCESS_LOST:
        return luaL_error(L, "%s: %s", name, rc_text(RC_NOMEM));
    }
    return lua_error(L);
}

static struct process *check_open(lua_State *L, struct process *s)
{
    if (!s->program)
        process_raise(L, 1, s);
    return s;
}

struct process *process_live(lua_State *L)
{
    return check_open(L, check_process(L));
}

struct process *process_resumed(lua_State *L)
{
    struct process *s = lua_touserdata(L, 1);
    process_leave(s);
    task_resumed(L);
    return check_open(L, s);
}

/* Its end. */

static void cancel_wait(struct task *t)
{
    list_remove(&t->queue);
}

static int k_wait(lua_State *L, int status, lua_KContext unused);

static int await(lua_State *L, struct process *s)
{
    char name[SIGNAL_NAME];
    struct task *t = task_waiter(L);
    if (!s->over) {
        list_append(&s->waiters, &t->queue);
        return task_wait(L, t, cancel_wait, NULL, 0, k_wait);
    }
    if (!s->signal) {
        lua_pushinteger(L, s->code);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, signal_name(s->signal, name));
    return 2;
}

static int k_wait(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    return await(L, process_resumed(L));
}

/* process:wait() → its exit status; or nil, and the name of the signal that ended it */
static int l_wait(lua_State *L)
{
    struct process *s = process_live(L);
    lua_settop(L, 1);
    return await(L, s);
}

static int check_signal(lua_State *L, int index, int otherwise)
{
    int number = otherwise;
    if (lua_isinteger(L, index))
        number = (int)luaL_checkinteger(L, index);
    else if (!lua_isnoneornil(L, index))
        number = signal_number(luaL_checkstring(L, index));
    luaL_argcheck(L, number > 0 && number <= SIGNAL_LAST, index, "not a signal");
    return number;
}

/* process:kill([signal]) */
static int l_kill(lua_State *L)
{
    struct process *s = process_live(L);
    program_signal(s->program, check_signal(L, 2, SIGNAL_TERM));
    return 0;
}

static int l_close(lua_State *L)
{
    process_close(check_process(L));
    return 0;
}

/* process(argv [, options]) */
static int l_process(lua_State *L)
{
    static const struct process_defaults defaults = {.limit = UINT64_MAX};
    lua_settop(L, 2);
    process_start(L, 1, 2, &defaults);
    return 1;
}

void process_add_function(lua_State *L)
{
    lua_pushcfunction(L, l_process);
    lua_setfield(L, -2, "process");
}

void process_open(lua_State *L)
{
    static const luaL_Reg life[] = {
        {"wait", l_wait}, {"kill", l_kill}, {"close", l_close}, {NULL, NULL}};
    static const luaL_Reg ends[] = {{"__gc", l_close}, {"__close", l_close}, {NULL, NULL}};
    lua_newtable(L);
    luaL_setfuncs(L, ends, 0);
    luaL_newlib(L, life);
    luaL_setfuncs(L, process_methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "process");
    lua_setfield(L, -2, "__name");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
}

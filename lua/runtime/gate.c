#include "lua/runtime/gate.h"

#include "core/clock.h"
#include "core/list.h"
#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"

#include <lauxlib.h>

/* Both are userdata. A place has its gate as its user value, and a task that waits has its place on
 * its stack. */
struct gate {
    lua_Integer free;    /* places that nobody has */
    struct list waiting; /* places, by link */
};

struct place {
    struct list link; /* linked while its task waits */
    struct gate *gate;
    struct task *task;
    bool is_held;
};

static const char gate_key, place_key;

static void *check_kind(lua_State *L, const char *key, const char *name)
{
    void *p = lua_touserdata(L, 1);
    bool fits = false;
    if (p && lua_getmetatable(L, 1)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, key);
        fits = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    luaL_argexpected(L, fits, 1, name);
    return p;
}

/* The place is free: the first that waits gets it. */
static void give(struct gate *g)
{
    struct list *node = list_shift(&g->waiting);
    if (!node) {
        g->free++;
        return;
    }
    struct place *p = container_of(node, struct place, link);
    p->is_held = true;
    timer_stop(&p->task->timer);
    task_wake(p->task);
}

static void close_place(struct place *p)
{
    list_remove(&p->link);
    if (!p->is_held)
        return;
    p->is_held = false;
    give(p->gate);
}

/* place:close() */
static int l_close(lua_State *L)
{
    close_place(check_kind(L, &place_key, "place"));
    return 0;
}

static void on_cancel(struct task *t)
{
    struct place *p = t->data;
    timer_stop(&t->timer);
    list_remove(&p->link);
}

static int l_resumed(lua_State *L)
{
    task_resumed(L);
    return 0;
}

/* A task that may not go on has perhaps got its place meanwhile. */
static int k_waited(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    struct place *p = lua_touserdata(L, -1);
    list_remove(&p->link);
    lua_pushcfunction(L, l_resumed);
    if (lua_pcall(L, 0, 0, 0)) {
        close_place(p);
        return lua_error(L);
    }
    if (!p->is_held)
        lua_pushnil(L);
    return 1;
}

static struct place *push_place(lua_State *L, struct gate *g)
{
    struct place *p = lua_newuserdatauv(L, sizeof *p, 1);
    *p = (struct place){.gate = g};
    list_init(&p->link);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &place_key);
    lua_setmetatable(L, -2);
    return p;
}

/* gate:take(seconds) → a place, or nil after that time */
static int l_take(lua_State *L)
{
    struct gate *g = check_kind(L, &gate_key, "gate");
    lua_Number seconds = luaL_checknumber(L, 2);
    struct task *t = task_waiter(L);
    lua_settop(L, 2);
    struct place *p = push_place(L, g);
    if (g->free > 0) {
        g->free--;
        p->is_held = true;
        return 1;
    }
    p->task = t;
    list_append(&g->waiting, &p->link);
    timer_start(&t->timer, seconds > 0 ? seconds : 0);
    return task_wait(L, t, on_cancel, p, 0, k_waited);
}

/* new(count) → a gate */
static int l_new(lua_State *L)
{
    lua_Integer count = luaL_checkinteger(L, 1);
    luaL_argcheck(L, count > 0, 1, "at least one place");
    struct gate *g = lua_newuserdatauv(L, sizeof *g, 0);
    g->free = count;
    list_init(&g->waiting);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &gate_key);
    lua_setmetatable(L, -2);
    return 1;
}

/* now() → seconds of a clock that nobody sets */
static int l_now(lua_State *L)
{
    lua_pushnumber(L, clock_monotonic());
    return 1;
}

/* task() → what tells the running task from all others that live; nil where none runs */
static int l_task(lua_State *L)
{
    if (vm_of(L)->running)
        lua_pushlightuserdata(L, vm_of(L)->running);
    else
        lua_pushnil(L);
    return 1;
}

/* is_loading() → whether nothing can wait, since a script loads */
static int l_is_loading(lua_State *L)
{
    lua_pushboolean(L, !vm_of(L)->running);
    return 1;
}

static void make_metatable(
    lua_State *L, const char *key, const luaL_Reg *methods, const luaL_Reg *events)
{
    lua_newtable(L);
    luaL_setfuncs(L, events, 0);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

int luaopen_moontrail_gate(lua_State *L)
{
    static const luaL_Reg functions[] = {{"new", l_new}, {"now", l_now}, {"task", l_task},
        {"is_loading", l_is_loading}, {NULL, NULL}};
    static const luaL_Reg gate_methods[] = {{"take", l_take}, {NULL, NULL}};
    static const luaL_Reg place_methods[] = {{"close", l_close}, {NULL, NULL}};
    static const luaL_Reg gate_events[] = {{NULL, NULL}};
    static const luaL_Reg place_events[] = {{"__close", l_close}, {"__gc", l_close}, {NULL, NULL}};
    make_metatable(L, &gate_key, gate_methods, gate_events);
    make_metatable(L, &place_key, place_methods, place_events);
    luaL_newlib(L, functions);
    return 1;
}

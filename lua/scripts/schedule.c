#include "lua/scripts/schedule.h"

#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "lua/ctx/spawn.h"
#include "lua/modules/store/remote.h"
#include "lua/runtime/vm.h"
#include "net/timer.h"
#include "store/store.h"

#include <lauxlib.h>

static const double seconds_max = 1e8; /* three years */

/* A function that is run as a task: a userdata with the function as its user value. The registry
 * keeps it while it is linked or runs. */
struct entry {
    struct list link; /* in every or hooks */
    struct schedule *schedule;
    int self;
    const char *with;     /* the argument of the function; NULL for none */
    struct spawn_end end; /* of its run */
};

/* mt.every */
struct every {
    struct entry base;
    double seconds;
    double began; /* when it last began, on clock_monotonic */
    struct timer timer;
    bool once;                /* one worker of all runs it */
    bool is_remote;           /* its turns are on another server: a function of ours takes them, */
    double next;              /* and says when to look again, on clock_monotonic; else 0 */
    struct store_owner owner; /* of its turn, while it runs */
    size_t n;                 /* bytes of the path */
    char path[STORE_PATH];    /* of its turn in the store */
};

/* mt.on_reload */
struct hook {
    struct entry base;
};

static const char hook_metatable_key;

/* An entry's run. */

static void set_state(struct schedule *s, enum schedule_state state)
{
    check(state > s->state);
    s->state = state;
}

static struct entry *new_entry(
    lua_State *L, size_t size, int fn, struct list *list, void (*over)(struct spawn_end *end))
{
    struct entry *e = lua_newuserdatauv(L, size, 1);
    list_init(&e->link);
    e->schedule = vm_of(L)->schedule;
    e->with = NULL;
    e->end.over = over;
    lua_pushvalue(L, fn);
    lua_setiuservalue(L, -2, 1);
    lua_pushvalue(L, -1);
    e->self = luaL_ref(L, LUA_REGISTRYINDEX);
    list_append(list, &e->link);
    return e;
}

static void drop(struct entry *e)
{
    list_remove(&e->link);
    luaL_unref(e->schedule->vm->L, LUA_REGISTRYINDEX, e->self);
}

/* Starts the task. */
static int l_start(lua_State *L)
{
    struct entry *e = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, e->self);
    lua_getiuservalue(L, -1, 1);
    if (e->with)
        lua_pushstring(L, e->with);
    spawn_watch(spawn_start(L, 3), &e->end);
    return 0;
}

/* Whether the task was started, and thus reports its end. */
static bool start(struct entry *e, const char *what)
{
    struct vm *vm = e->schedule->vm;
    if (vm_call(vm, l_start, e, 0))
        return true;
    log_event(LOG_ERROR, "task not started", log_str("function", what),
        log_str("reason", rc_text(RC_NOMEM)));
    lua_settop(vm->L, 0);
    return false;
}

/* mt.every. */

static void wait_for_next(struct every *e)
{
    double left = e->began + e->seconds - clock_monotonic();
    if (e->base.schedule->state == SCHEDULE_OVER)
        drop(&e->base);
    else
        timer_start(&e->timer, left > 0 ? left : 0);
}

static void run(struct every *e)
{
    e->began = clock_monotonic();
    if (!start(&e->base, "mt.every"))
        e->base.end.over(&e->base.end);
}

/* Of what one worker of all runs: turns are in the store, which is where the time is. */

static const double retry_seconds = 1;

static void ask(struct store *s, struct every *e, struct store_op *op)
{
    op->key = (struct str){e->path, e->n};
    op->owner = e->owner;
    op->ttl = e->seconds;
    store_carry_out(s, op);
}

/* Takes the turn, or gives the seconds until it may be there. */
static bool take_turn(struct every *e, double *seconds)
{
    char why[STORE_WHY] = "there is no store";
    struct store *s = e->base.schedule->vm->options.store;
    struct store_op op = {.action = STORE_TURN, .result = STORE_FAILED, .problem = why};
    *seconds = retry_seconds;
    if (s && !store_use(s, why)) {
        e->owner = store_new_owner(s);
        ask(s, e, &op);
    }
    if (op.result == STORE_YES || op.result == STORE_NO)
        *seconds = op.seconds;
    else
        log_event(LOG_ERROR, "task not started", log_str("function", "mt.every"),
            log_str("reason", op.result == STORE_FULL ? "the store is full" : op.problem));
    return op.result == STORE_YES;
}

/* Gives the turn back; the seconds until the next. */
static double end_turn(struct every *e)
{
    struct store_op op = {.action = STORE_TURN_OVER};
    ask(e->base.schedule->vm->options.store, e, &op);
    return op.result == STORE_YES ? op.seconds : retry_seconds;
}

static void on_every(struct timer *t)
{
    struct every *e = container_of(t, struct every, timer);
    double seconds;
    e->next = 0;
    if (!e->once || e->is_remote || take_turn(e, &seconds))
        run(e);
    else
        timer_start(t, seconds);
}

static void on_every_over(struct spawn_end *end)
{
    struct every *e = container_of(end, struct every, base.end);
    if (e->is_remote)
        e->began = (e->next > 0 ? e->next : clock_monotonic() + retry_seconds) - e->seconds;
    else if (e->once)
        e->began = clock_monotonic() + end_turn(e) - e->seconds;
    wait_for_next(e);
}

/* Reads the options at index 3: whether it is once, and the path of its turn. */
static bool read_once(lua_State *L, char path[STORE_PATH], size_t *n)
{
    if (lua_isnoneornil(L, 3))
        return false;
    luaL_checktype(L, 3, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, 3); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        if (strcmp(name, "once") != 0 && strcmp(name, "name") != 0)
            luaL_argerror(L, 3, lua_pushfstring(L, "there is no option \"%s\"", name));
    }
    struct str name = {0};
    if (lua_getfield(L, 3, "name") == LUA_TSTRING)
        name.p = lua_tolstring(L, -1, &name.n);
    lua_getfield(L, 3, "once");
    bool once = lua_toboolean(L, -1);
    luaL_argcheck(L, name.p ? name.n >= 1 && name.n <= STORE_NAME : !once, 3,
        "once needs a name, of 1 to 64 bytes");
    *n = store_path(SPACE_TURN, name, (struct str){0}, path);
    lua_pop(L, 2);
    return once;
}

/* report(seconds): when to look for the turn again. */
static int l_report(lua_State *L)
{
    struct every *e = lua_touserdata(L, lua_upvalueindex(1));
    e->next = clock_monotonic() + luaL_checknumber(L, 1);
    return 0;
}

/* Turns that are on another server are taken by a function in the place of the script's. */
static void wrap(lua_State *L, struct every *e)
{
    const struct str name = {e->path + 2, (unsigned char)e->path[1]};
    e->is_remote = true;
    remote_push(L, "once");
    lua_pushlstring(L, name.p, name.n);
    lua_pushnumber(L, e->seconds);
    lua_pushvalue(L, 2);
    lua_rawgeti(L, LUA_REGISTRYINDEX, e->base.self);
    lua_pushvalue(L, -1);
    lua_insert(L, -6);
    lua_pushcclosure(L, l_report, 1);
    lua_call(L, 4, 1);
    lua_setiuservalue(L, -2, 1);
    lua_pop(L, 1);
}

/* every(seconds, fn [, { once=, name= }]) */
static int l_every(lua_State *L)
{
    size_t n;
    char path[STORE_PATH];
    struct schedule *s = vm_of(L)->schedule;
    lua_Number seconds = luaL_checknumber(L, 1);
    luaL_argcheck(
        L, seconds > 0 && seconds <= seconds_max, 1, "not above 0 seconds, or over 1e8 seconds");
    luaL_checktype(L, 2, LUA_TFUNCTION);
    bool once = read_once(L, path, &n);
    if (s->state != SCHEDULE_LOADING)
        return luaL_error(L, "mt.every works only while a script loads");
    struct every *e =
        (struct every *)new_entry(L, sizeof(struct every), 2, &s->every, on_every_over);
    e->seconds = seconds;
    e->once = once;
    e->is_remote = false;
    e->next = 0;
    e->n = once ? n : 0;
    memcpy(e->path, path, e->n);
    e->began = clock_monotonic();
    if (once && vm_of(L)->options.store && store_remote(vm_of(L)->options.store))
        wrap(L, e);
    timer_init(&e->timer, vm_of(L)->ev, on_every);
    if (vm_of(L)->ev)
        timer_start(&e->timer, once ? 0 : seconds); /* the store says when its turn is */
    return 0;
}

/* mt.on_reload. */

static void on_hook_over(struct spawn_end *end)
{
    struct entry *e = container_of(end, struct entry, end);
    e->schedule->telling--;
    drop(e);
}

static void tell(struct entry *e, const char *what)
{
    e->with = what;
    e->schedule->telling++;
    if (!start(e, "mt.on_reload"))
        on_hook_over(&e->end);
}

/* Runs the function at once: the reload, or the drain, has already happened. */
static void tell_at_once(lua_State *L, struct entry *e, const char *what)
{
    list_remove(&e->link);
    e->with = what;
    lua_pushcfunction(L, l_start);
    lua_pushlightuserdata(L, e);
    lua_call(L, 1, 0);
    e->schedule->telling++;
}

/* on_reload(fn) → a hook, which can be closed */
static int l_on_reload(lua_State *L)
{
    struct schedule *s = vm_of(L)->schedule;
    luaL_checktype(L, 1, LUA_TFUNCTION);
    struct entry *e = new_entry(L, sizeof(struct hook), 1, &s->hooks, on_hook_over);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &hook_metatable_key);
    lua_setmetatable(L, -2);
    if (s->told)
        tell_at_once(L, e, s->told);
    return 1;
}

static const char shutdown[] = "shutdown";

/* on_drain(fn) */
static int l_on_drain(lua_State *L)
{
    struct schedule *s = vm_of(L)->schedule;
    luaL_checktype(L, 1, LUA_TFUNCTION);
    struct entry *e = new_entry(L, sizeof(struct hook), 1, &s->drains, on_hook_over);
    if (s->draining)
        tell_at_once(L, e, shutdown);
    return 0;
}

int luaopen_moontrail_on_drain(lua_State *L)
{
    lua_pushcfunction(L, l_on_drain);
    return 1;
}

/* hook:close(): has no effect once the function runs */
static int l_close(lua_State *L)
{
    struct hook *h = lua_touserdata(L, 1);
    bool is_hook = false;
    if (h && lua_getmetatable(L, 1)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &hook_metatable_key);
        is_hook = lua_rawequal(L, -1, -2);
    }
    luaL_argexpected(L, is_hook, 1, "hook");
    if (list_linked(&h->base.link))
        drop(&h->base);
    return 0;
}

/* The generation's side. */

enum rc schedule_new(struct vm *vm, struct schedule **out)
{
    struct schedule *s = mem_get(sizeof *s);
    if (!s)
        return RC_NOMEM;
    *s = (struct schedule){.vm = vm};
    list_init(&s->every);
    list_init(&s->hooks);
    list_init(&s->drains);
    *out = vm->schedule = s;
    return RC_OK;
}

void schedule_go(struct schedule *s)
{
    set_state(s, SCHEDULE_GOING);
}

void schedule_end(struct schedule *s)
{
    if (s->state == SCHEDULE_OVER)
        return;
    set_state(s, SCHEDULE_OVER);
    for (struct list *node = s->every.next; node != &s->every; node = node->next) {
        struct every *e = container_of(node, struct every, base.link);
        if (s->vm->ev)
            timer_stop(&e->timer);
    }
}

void schedule_free(struct schedule *s)
{
    schedule_end(s);
    check(!s->telling);
    s->vm->schedule = NULL;
    mem_put(s, sizeof *s);
}

static void tell_all(struct list *hooks, const char *what)
{
    struct list *node;
    while ((node = list_shift(hooks)))
        tell(container_of(node, struct entry, link), what);
}

void schedule_tell(struct schedule *s, const char *what)
{
    if (s->told)
        return;
    s->told = what;
    tell_all(&s->hooks, what);
}

void schedule_drain(struct schedule *s)
{
    s->draining = true;
    schedule_tell(s, shutdown);
    tell_all(&s->drains, shutdown);
}

bool schedule_is_telling(const struct schedule *s)
{
    return s->telling > 0;
}

void schedule_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"every", l_every}, {"on_reload", l_on_reload}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"close", l_close}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    lua_newtable(L);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_close);
    lua_setfield(L, -2, "__close");
    lua_pushliteral(L, "hook");
    lua_setfield(L, -2, "__name");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &hook_metatable_key);
}

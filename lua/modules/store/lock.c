#include "core/mem.h"
#include "lua/modules/store/remote.h"
#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"

#include <lauxlib.h>

/*
 * Locks: s:lock and s:try_lock. What a script has is a userdata; the lock itself ends with its
 * task, and then with the userdata.
 */

struct lock {
    struct task_bond bond; /* linked while it may be held */
    struct store *store;
    struct store_owner owner;
    bool is_held; /* as far as we know */
    bool is_kept; /* by the userdata */
    size_t n;
    char path[STORE_PATH];
};

/* A task that waits for one: on its stack, as a userdata. */
struct awaiting {
    struct store_waiter waiter;
    struct store *store;
    struct task *task;
};

/* Whoever dies says nothing: its lock is looked at so often. */
static const double poll_seconds = 0.05;

static const char lock_key;

/* The stack of a call. */
enum { AT_MAP = 1, AT_KEY, AT_SECONDS, AT_LOCK, AT_AWAITING };

static bool give_up(struct lock *l)
{
    struct store_op op = {.action = STORE_UNLOCK, .key = {l->path, l->n}, .owner = l->owner};
    if (!l->is_held)
        return false;
    l->is_held = false;
    store_carry_out(l->store, &op);
    store_tell_waiters(l->store);
    return op.result == STORE_YES;
}

static void free_lock(struct lock *l)
{
    if (!l->is_kept && !list_linked(&l->bond.link))
        mem_put(l, sizeof *l);
}

static void on_task_end(struct task_bond *b)
{
    struct lock *l = container_of(b, struct lock, bond);
    give_up(l);
    free_lock(l);
}

static struct lock *check_lock(lua_State *L)
{
    struct lock **box = lua_touserdata(L, 1);
    bool is_lock = false;
    if (box && lua_getmetatable(L, 1)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &lock_key);
        is_lock = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    luaL_argexpected(L, is_lock && *box, 1, "lock");
    return *box;
}

/* lock:release() → whether it was still held */
static int l_release(lua_State *L)
{
    struct lock *l = check_lock(L);
    lua_pushboolean(L, give_up(l));
    list_remove(&l->bond.link);
    return 1;
}

static int l_gc(lua_State *L)
{
    struct lock **box = lua_touserdata(L, 1);
    struct lock *l = *box;
    *box = NULL;
    if (!l)
        return 0;
    l->is_kept = false;
    free_lock(l);
    return 0;
}

static struct lock *new_lock(lua_State *L)
{
    struct lock *l = mem_get_zeroed(sizeof *l);
    if (l) {
        list_init(&l->bond.link);
        l->bond.end = on_task_end;
        l->bond.stays = true;
        l->is_kept = true;
        return l;
    }
    luaL_error(L, "%s", rc_text(RC_NOMEM));
    return NULL;
}

static void push_lock(lua_State *L)
{
    struct lock **box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = NULL;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &lock_key);
    lua_setmetatable(L, -2);
    *box = new_lock(L);
}

static void stop_awaiting(struct awaiting *a)
{
    timer_stop(&a->task->timer);
    store_stop_awaiting(a->store, &a->waiter);
}

static void on_cancel(struct task *t)
{
    stop_awaiting(t->data);
}

static void on_wake(struct store_waiter *w)
{
    task_wake(container_of(w, struct awaiting, waiter)->task);
}

static int acquire(lua_State *L, struct task *t);

static int k_awaited(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    stop_awaiting(lua_touserdata(L, AT_AWAITING));
    task_resumed(L);
    return acquire(L, task_waiter(L));
}

static int await(lua_State *L, struct task *t, double seconds)
{
    struct lock *l = *(struct lock **)lua_touserdata(L, AT_LOCK);
    lua_settop(L, AT_LOCK);
    struct awaiting *a = lua_newuserdatauv(L, sizeof *a, 0);
    *a = (struct awaiting){.store = l->store, .task = t, .waiter = {.wake = on_wake}};
    store_await(l->store, &a->waiter);
    timer_start(&t->timer, seconds < poll_seconds ? seconds : poll_seconds);
    return task_wait(L, t, on_cancel, a, 0, k_awaited);
}

static struct store_op ask(struct lock *l, double seconds)
{
    struct store_op op = {
        .action = STORE_LOCK, .key = {l->path, l->n}, .ttl = seconds, .owner = l->owner};
    store_carry_out(l->store, &op);
    return op;
}

static void take(struct lock *l, struct task *t)
{
    l->is_held = true;
    task_bind(t, &l->bond);
}

static int acquire(lua_State *L, struct task *t)
{
    struct lock *l = *(struct lock **)lua_touserdata(L, AT_LOCK);
    struct store_op op = ask(l, lua_tonumber(L, AT_SECONDS));
    door_check_result(L, &op);
    if (op.result == STORE_NO)
        return await(L, t, op.seconds);
    take(l, t);
    lua_settop(L, AT_LOCK);
    return 1;
}

static struct task *check_arguments(lua_State *L, struct store **s)
{
    door_map(L);
    struct task *t = door_enter(L, s);
    door_text(L, AT_KEY, STORE_KEY, "a key");
    door_seconds(L, AT_SECONDS);
    lua_settop(L, AT_SECONDS);
    return t;
}

static int lock_remotely(lua_State *L, bool waits)
{
    char room[STORE_PATH];
    remote_push(L, "lock");
    remote_push_path(L, door_path(L, door_map(L), room));
    lua_pushvalue(L, AT_SECONDS);
    lua_pushboolean(L, waits);
    return remote_call(L, 4);
}

static void prepare(lua_State *L, struct store *s)
{
    const struct door_map *m = door_map(L);
    struct str key = door_text(L, AT_KEY, STORE_KEY, "a key");
    push_lock(L);
    struct lock *l = *(struct lock **)lua_touserdata(L, AT_LOCK);
    l->store = s;
    l->owner = store_new_owner(s);
    l->n = store_path(SPACE_LOCK, (struct str){m->name, m->n}, key, l->path);
}

/* s:lock(key, seconds) → lock */
static int l_lock(lua_State *L)
{
    struct store *s;
    struct task *t = check_arguments(L, &s);
    if (store_remote(s))
        return lock_remotely(L, true);
    prepare(L, s);
    return acquire(L, t);
}

/* s:try_lock(key, seconds) → lock or nil */
static int l_try_lock(lua_State *L)
{
    struct store *s;
    struct task *t = check_arguments(L, &s);
    if (store_remote(s))
        return lock_remotely(L, false);
    prepare(L, s);
    struct lock *l = *(struct lock **)lua_touserdata(L, AT_LOCK);
    struct store_op op = ask(l, lua_tonumber(L, AT_SECONDS));
    door_check_result(L, &op);
    if (op.result == STORE_NO)
        lua_pushnil(L);
    else
        take(l, t);
    return 1;
}

void door_open_locks(lua_State *L)
{
    static const luaL_Reg functions[] = {{"lock", l_lock}, {"try_lock", l_try_lock}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"release", l_release}, {NULL, NULL}};
    static const luaL_Reg events[] = {{"__gc", l_gc}, {"__close", l_release}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    lua_newtable(L);
    luaL_setfuncs(L, events, 0);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "lock");
    lua_setfield(L, -2, "__name");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &lock_key);
}

#include "lua/runtime/task_channel.h"

#include "core/list.h"
#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"

#include <lauxlib.h>

enum { CAPACITY_MAX = 1 << 30 };

/* Tasks that wait, by task.queue, and how many of them were woken and have not run since. */
struct side {
    struct list waiting;
    lua_Integer woken;
};

/*
 * What a script holds: a userdata, whose user value is a table of the values. A task that waits has
 * it on its stack.
 *
 * For each receiver that is woken one of the values is set aside, and for each sender one of the
 * places: nobody who comes later is served before them.
 */
struct channel {
    lua_Integer capacity;
    lua_Integer first, count; /* of the values: the place of the first, from 0, and how many */
    bool closed;
    struct side receivers, senders;
};

static const char metatable_key;

static struct channel *check_channel(lua_State *L)
{
    struct channel *ch = lua_touserdata(L, 1);
    bool is_channel = false;
    if (ch && lua_getmetatable(L, 1)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
        is_channel = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    luaL_argexpected(L, is_channel, 1, "channel");
    return ch;
}

/* Who waits. */

static bool has_value(const struct channel *ch)
{
    return ch->count > ch->receivers.woken || (ch->closed && ch->count > 0);
}

static bool has_room(const struct channel *ch)
{
    return ch->count + ch->senders.woken < ch->capacity;
}

static void wake(struct side *s)
{
    s->woken++;
    task_wake(container_of(list_shift(&s->waiting), struct task, queue));
}

/* Wakes whom a value, or a place, is there for; of a closed channel all. */
static void settle(struct channel *ch)
{
    while (!list_empty(&ch->receivers.waiting) && (ch->closed || has_value(ch)))
        wake(&ch->receivers);
    while (!list_empty(&ch->senders.waiting) && (ch->closed || has_room(ch)))
        wake(&ch->senders);
}

/* Counts as woken until it runs. */
static void cancel_wait(struct task *t)
{
    struct side *s = t->data;
    list_remove(&t->queue);
    s->woken++;
}

static int wait(lua_State *L, struct side *s, lua_KFunction k)
{
    struct task *t = task_waiter(L);
    list_append(&s->waiting, &t->queue);
    return task_wait(L, t, cancel_wait, s, 0, k);
}

static int l_resumed(lua_State *L)
{
    task_resumed(L);
    return 0;
}

/* First in a continuation. What was set aside for a task that does not go on is for another. */
static struct channel *resumed(lua_State *L, bool sends)
{
    struct channel *ch = lua_touserdata(L, 1);
    (sends ? &ch->senders : &ch->receivers)->woken--;
    lua_pushcfunction(L, l_resumed);
    if (lua_pcall(L, 0, 0, 0)) {
        settle(ch);
        lua_error(L);
    }
    return ch;
}

/* A call that need not wait raises in a task that may not go on all the same, lest a loop of them
 * never ends. While a script loads there is no task. */
static void check_task(lua_State *L)
{
    struct task *t = vm_of(L)->running;
    if (t)
        t->permit(L, t);
}

/* Values. */

static lua_Integer place_of(const struct channel *ch, lua_Integer number)
{
    return (ch->first + number) % ch->capacity + 1;
}

/* Takes the value at index 2 in. */
static void put(lua_State *L, struct channel *ch)
{
    lua_getiuservalue(L, 1, 1);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, place_of(ch, ch->count));
    lua_pop(L, 1);
    ch->count++;
    settle(ch);
}

/* Pushes the first value, which is in the channel no longer. */
static void take(lua_State *L, struct channel *ch)
{
    lua_getiuservalue(L, 1, 1);
    lua_rawgeti(L, -1, place_of(ch, 0));
    lua_pushnil(L);
    lua_rawseti(L, -3, place_of(ch, 0));
    lua_remove(L, -2);
    ch->count--;
    ch->first = ch->count ? (ch->first + 1) % ch->capacity : 0;
    settle(ch);
}

/* The script's side. */

static int k_send(lua_State *L, int status, lua_KContext unused);

static int send(lua_State *L, struct channel *ch)
{
    if (ch->closed)
        return luaL_error(L, "the channel is closed");
    if (!has_room(ch))
        return wait(L, &ch->senders, k_send);
    put(L, ch);
    return 0;
}

static int k_send(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    return send(L, resumed(L, true));
}

static struct channel *check_value(lua_State *L)
{
    struct channel *ch = check_channel(L);
    luaL_argexpected(L, !lua_isnoneornil(L, 2), 2, "value other than nil");
    lua_settop(L, 2);
    return ch;
}

/* channel:send(value) */
static int l_send(lua_State *L)
{
    struct channel *ch = check_value(L);
    check_task(L);
    return send(L, ch);
}

/* channel:try_send(value) → whether it was taken */
static int l_try_send(lua_State *L)
{
    struct channel *ch = check_value(L);
    bool takes = !ch->closed && has_room(ch);
    if (takes)
        put(L, ch);
    lua_pushboolean(L, takes);
    return 1;
}

static int k_recv(lua_State *L, int status, lua_KContext unused);

static int recv(lua_State *L, struct channel *ch)
{
    if (has_value(ch))
        take(L, ch);
    else if (ch->closed)
        lua_pushnil(L);
    else
        return wait(L, &ch->receivers, k_recv);
    return 1;
}

static int k_recv(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    return recv(L, resumed(L, false));
}

/* channel:recv() → the next value; nil once it is closed and empty */
static int l_recv(lua_State *L)
{
    struct channel *ch = check_channel(L);
    lua_settop(L, 1);
    check_task(L);
    return recv(L, ch);
}

/* channel:messages() → what for takes: recv, and the channel that it is called with. */
static int l_messages(lua_State *L)
{
    check_channel(L);
    lua_settop(L, 1);
    lua_pushcfunction(L, l_recv);
    lua_insert(L, 1);
    return 2;
}

/* channel:close() */
static int l_close(lua_State *L)
{
    struct channel *ch = check_channel(L);
    ch->closed = true;
    settle(ch);
    return 0;
}

/* channel([capacity]) */
static int l_channel(lua_State *L)
{
    lua_Integer capacity = luaL_optinteger(L, 1, 1);
    luaL_argcheck(
        L, capacity >= 1 && capacity <= CAPACITY_MAX, 1, "not a capacity of 1 to 2^30 values");
    struct channel *ch = lua_newuserdatauv(L, sizeof *ch, 1);
    *ch = (struct channel){.capacity = capacity};
    list_init(&ch->receivers.waiting);
    list_init(&ch->senders.waiting);
    lua_newtable(L);
    lua_setiuservalue(L, -2, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
    lua_setmetatable(L, -2);
    return 1;
}

void task_channel_open(lua_State *L)
{
    static const luaL_Reg methods[] = {{"send", l_send}, {"try_send", l_try_send}, {"recv", l_recv},
        {"messages", l_messages}, {"close", l_close}, {NULL, NULL}};
    lua_pushcfunction(L, l_channel);
    lua_setfield(L, -2, "channel");
    lua_newtable(L);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "channel");
    lua_setfield(L, -2, "__name");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
}

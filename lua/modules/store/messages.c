#include "core/mem.h"
#include "lua/modules/store/remote.h"
#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"

#include <lauxlib.h>

/* Messages: s:publish, s:subscribe. A subscription ends with its task, and its memory then with the
 * userdata that the script has. */

struct subscription {
    struct hub_subscription hub;
    struct task_bond bond; /* linked while it goes on */
    struct task *reader;   /* waits for a message; NULL for none */
    bool is_kept;          /* by the userdata */
};

static const char subscription_key;

/* The channel at index 2, as the hub knows it. */
static struct str channel_path(lua_State *L, char room[STORE_PATH])
{
    const struct door_map *m = door_map(L);
    struct str name = door_text(L, 2, STORE_KEY, "a channel");
    return (struct str){room, store_path(m->space, (struct str){m->name, m->n}, name, room)};
}

/* Health is this server's, and stays here. */
static bool is_remote(lua_State *L, const struct store *s)
{
    return store_remote(s) && door_map(L)->space == SPACE_MAP;
}

static int publish_remotely(lua_State *L, struct str channel)
{
    remote_push(L, "publish");
    remote_push_path(L, channel);
    lua_pushvalue(L, 3);
    return remote_call(L, 3) - 1;
}

/* s:publish(channel, message) */
static int l_publish(lua_State *L)
{
    struct store *s;
    char room[STORE_PATH];
    struct str channel = channel_path(L, room), message;
    door_enter(L, &s);
    luaL_checktype(L, 3, LUA_TSTRING);
    message.p = lua_tolstring(L, 3, &message.n);
    luaL_argcheck(L, message.n <= STORE_MESSAGE, 3, "a message is up to 65536 bytes");
    if (is_remote(L, s))
        return publish_remotely(L, channel);
    store_publish(s, channel, message);
    return 0;
}

/* Its end. */

static void end(struct subscription *sub)
{
    hub_unsubscribe(&sub->hub);
    task_wake(sub->reader);
}

static void free_subscription(struct subscription *sub)
{
    if (!sub->is_kept && !list_linked(&sub->bond.link))
        mem_put(sub, sizeof *sub);
}

static void on_task_end(struct task_bond *b)
{
    struct subscription *sub = container_of(b, struct subscription, bond);
    end(sub);
    free_subscription(sub);
}

static struct subscription *check_subscription(lua_State *L)
{
    struct subscription **box = lua_touserdata(L, 1);
    bool is_one = false;
    if (box && lua_getmetatable(L, 1)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &subscription_key);
        is_one = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    luaL_argexpected(L, is_one && *box, 1, "subscription");
    return *box;
}

/* sub:close() */
static int l_close(lua_State *L)
{
    struct subscription *sub = check_subscription(L);
    end(sub);
    list_remove(&sub->bond.link);
    return 0;
}

static int l_gc(lua_State *L)
{
    struct subscription **box = lua_touserdata(L, 1);
    struct subscription *sub = *box;
    *box = NULL;
    if (!sub)
        return 0;
    sub->is_kept = false;
    free_subscription(sub);
    return 0;
}

/* Reading. */

static void on_message(struct hub_subscription *s)
{
    task_wake(container_of(s, struct subscription, hub)->reader);
}

static void on_cancel(struct task *t)
{
    ((struct subscription *)t->data)->reader = NULL;
}

static int next_message(lua_State *L, struct subscription *sub);

static int k_next(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    struct subscription *sub = check_subscription(L);
    sub->reader = NULL;
    task_resumed(L);
    return next_message(L, sub);
}

/* A copy of the message is made before it is given back, and may raise. */
static int l_push_text(lua_State *L)
{
    struct str text = hub_text(lua_touserdata(L, 1));
    lua_pushlstring(L, text.p, text.n);
    return 1;
}

static int next_message(lua_State *L, struct subscription *sub)
{
    struct task *t = task_waiter(L);
    struct hub_message *m = hub_take(&sub->hub);
    if (m) {
        lua_pushcfunction(L, l_push_text);
        lua_pushlightuserdata(L, m);
        int failed = lua_pcall(L, 1, 1, 0);
        hub_put_back(m);
        return failed ? lua_error(L) : 1;
    }
    if (!sub->hub.channel) {
        lua_pushnil(L);
        return 1;
    }
    if (sub->reader)
        return luaL_error(L, "another task waits for this subscription's messages");
    lua_settop(L, 1);
    sub->reader = t;
    return task_wait(L, t, on_cancel, sub, 0, k_next);
}

/* sub() → the next message; nil once it is closed */
static int l_next(lua_State *L)
{
    return next_message(L, check_subscription(L));
}

/* Subscribing. */

static struct subscription *new_subscription(lua_State *L)
{
    struct subscription *sub = mem_get_zeroed(sizeof *sub);
    if (sub) {
        list_init(&sub->bond.link);
        sub->bond.end = on_task_end;
        sub->bond.stays = true;
        sub->hub.on_message = on_message;
        sub->is_kept = true;
        return sub;
    }
    luaL_error(L, "%s", rc_text(RC_NOMEM));
    return NULL;
}

static struct subscription *push_subscription(lua_State *L)
{
    struct subscription **box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = NULL;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &subscription_key);
    lua_setmetatable(L, -2);
    return *box = new_subscription(L);
}

/* s:subscribe(channel) → subscription */
static int l_subscribe(lua_State *L)
{
    struct store *s;
    char room[STORE_PATH];
    struct str channel = channel_path(L, room);
    struct task *t = door_enter(L, &s);
    if (is_remote(L, s)) {
        remote_push(L, "subscribe");
        remote_push_path(L, channel);
        return remote_call(L, 2);
    }
    struct subscription *sub = push_subscription(L);
    if (store_subscribe(s, &sub->hub, channel))
        return luaL_error(L, "%s", rc_text(RC_NOMEM));
    task_bind(t, &sub->bond);
    return 1;
}

/* sub.dropped, and its functions, which are in the upvalue. */
static int l_index(lua_State *L)
{
    const struct subscription *sub = check_subscription(L);
    lua_settop(L, 2);
    if (lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), "dropped") == 0)
        lua_pushinteger(L, (lua_Integer)sub->hub.dropped);
    else
        lua_rawget(L, lua_upvalueindex(1));
    return 1;
}

void door_open_messages(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"publish", l_publish}, {"subscribe", l_subscribe}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"close", l_close}, {NULL, NULL}};
    static const luaL_Reg events[] = {
        {"__call", l_next}, {"__gc", l_gc}, {"__close", l_close}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    lua_newtable(L);
    luaL_setfuncs(L, events, 0);
    luaL_newlib(L, methods);
    lua_pushcclosure(L, l_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "subscription");
    lua_setfield(L, -2, "__name");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &subscription_key);
}

#include "lua/modules/store/remote.h"
#include "lua/runtime/error_value.h"
#include "lua/runtime/task.h"

#include <lauxlib.h>

/* s:update: reads, calls, and stores where nothing was written meanwhile. */

enum {
    TRIES = 100,
    PATIENT = 3, /* tries, after which others are asked to give way */
};

/* Where changes wait for a disk, who has just changed a key reads it before the others do, and
 * would win for ever. */
static const double way_seconds = 0.005;

/* The stack meanwhile. */
enum { AT_MAP = 1, AT_KEY, AT_FUNCTION, AT_OPTIONS, AT_TRIES, AT_NEW, AT_END };

static int try_again(lua_State *L);

static int on_stored(lua_State *L, struct store_op *op)
{
    door_check_result(L, op);
    if (op->result == STORE_NO)
        return try_again(L);
    lua_settop(L, AT_NEW);
    return 1;
}

/* What the function has given: nil removes. */
static struct store_value new_value(lua_State *L)
{
    if (lua_isnil(L, AT_NEW))
        return (struct store_value){STORE_ABSENT};
    if (!lua_isinteger(L, AT_NEW) && lua_type(L, AT_NEW) != LUA_TSTRING)
        luaL_error(L, "the function of update gives a string, an integer or nil, not a %s",
            lua_type(L, AT_NEW) == LUA_TNUMBER ? "float" : luaL_typename(L, AT_NEW));
    return door_value(L, AT_NEW);
}

static int on_read(lua_State *L, struct store_op *found)
{
    struct store *s;
    char room[STORE_PATH];
    door_check_result(L, found);
    lua_settop(L, AT_TRIES);
    lua_pushvalue(L, AT_FUNCTION);
    door_push_value(L, &found->found);
    lua_call(L, 1, 1);
    door_enter(L, &s);
    struct store_op op = {.action = STORE_SET,
        .key = door_path(L, door_map(L), room),
        .value = new_value(L),
        .condition = STORE_IF_VERSION,
        .version = found->version,
        .keeps_ttl = true};
    op.ttl = door_ttl(L, AT_OPTIONS);
    lua_settop(L, AT_NEW);
    return door_run(L, &op, on_stored);
}

static int read_old(lua_State *L)
{
    char room[STORE_PATH];
    struct store_op op = {.action = STORE_GET, .key = door_path(L, door_map(L), room)};
    return door_run(L, &op, on_read);
}

static int try_again(lua_State *L)
{
    struct store *s;
    char room[STORE_PATH];
    lua_Integer tries = lua_tointeger(L, AT_TRIES) + 1;
    if (tries == TRIES) {
        error_value_push_here(L, KIND_BUSY, "the key was written to by others %d times", TRIES);
        return lua_error(L);
    }
    door_enter(L, &s);
    if (tries >= PATIENT)
        store_ask_way(s, door_path(L, door_map(L), room));
    lua_pushinteger(L, tries);
    lua_replace(L, AT_TRIES);
    lua_settop(L, AT_TRIES);
    return read_old(L);
}

static void on_cancel(struct task *t)
{
    timer_stop(&t->timer);
}

static int k_gave_way(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    task_resumed(L);
    return read_old(L);
}

static int update_remotely(lua_State *L, struct str path)
{
    double ttl = door_ttl(L, AT_OPTIONS);
    remote_push(L, "update");
    remote_push_path(L, path);
    lua_pushvalue(L, AT_FUNCTION);
    lua_pushnumber(L, ttl);
    lua_pushcfunction(L, remote_l_call);
    return remote_call(L, 5);
}

/* s:update(key, fn [, { ttl= }]) → what was stored */
static int l_update(lua_State *L)
{
    static const char *const known[] = {"ttl", NULL};
    struct store *s;
    char room[STORE_PATH];
    const struct door_map *m = door_map(L);
    struct task *t = door_enter(L, &s);
    struct str path = door_path(L, m, room);
    luaL_checktype(L, AT_FUNCTION, LUA_TFUNCTION);
    lua_settop(L, AT_OPTIONS);
    luaL_checkstack(L, AT_END + 8, NULL);
    door_check_options(L, AT_OPTIONS, known);
    door_ttl(L, AT_OPTIONS);
    lua_settop(L, AT_OPTIONS);
    if (store_remote(s))
        return update_remotely(L, path);
    lua_pushinteger(L, 0);
    if (!store_gives_way(s, path))
        return read_old(L);
    timer_start(&t->timer, way_seconds);
    return task_wait(L, t, on_cancel, NULL, 0, k_gave_way);
}

void door_open_updates(lua_State *L)
{
    static const luaL_Reg methods[] = {{"update", l_update}, {NULL, NULL}};
    luaL_setfuncs(L, methods, 0);
}

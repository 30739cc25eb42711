#include "lua/modules/store/door.h"
#include "lua/modules/store/store.h"
#include "lua/runtime/vm.h"

#include <lauxlib.h>
#include <math.h>

/* mt.limit: buckets that fill at a rate, in the store, for all workers. */

struct limiter {
    struct store_limit own;    /* where there is no store, as while a proof loads scripts */
    struct store_limit *limit; /* that of the name, with its newest numbers */
    size_t n;
    char name[STORE_NAME];
};

static const char limiter_key;

static struct limiter *check_limiter(lua_State *L)
{
    struct limiter *l = lua_touserdata(L, 1);
    bool is_one = false;
    if (l && lua_getmetatable(L, 1)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &limiter_key);
        is_one = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    luaL_argexpected(L, is_one, 1, "limiter");
    return l;
}

static int push_taken(lua_State *L, struct store_op *op)
{
    door_check_result(L, op);
    lua_pushboolean(L, op->result == STORE_YES);
    if (op->result == STORE_YES)
        return 1;
    lua_pushnumber(L, op->seconds);
    return 2;
}

/* limiter:take(key [, cost]) → true; or false and the seconds to wait */
static int l_take(lua_State *L)
{
    struct store *s;
    char room[STORE_PATH];
    const struct limiter *l = check_limiter(L);
    door_enter(L, &s);
    struct str key = door_text(L, 2, STORE_KEY, "a key");
    double cost = luaL_optnumber(L, 3, 1);
    luaL_argcheck(L, cost > 0, 3, "a cost is above 0");
    luaL_argcheck(L, cost <= l->limit->burst, 3, "a cost above the burst can never be taken");
    struct store_op op = {.action = STORE_TAKE,
        .key = {room, store_path(SPACE_LIMIT, (struct str){l->name, l->n}, key, room)},
        .rate = l->limit->rate,
        .burst = l->limit->burst,
        .cost = cost};
    return door_run(L, &op, push_taken);
}

/* A number above 0 in the table at index 1. */
static double number(lua_State *L, const char *name, double otherwise)
{
    if (lua_getfield(L, 1, name) == LUA_TNIL && otherwise > 0)
        return otherwise;
    double n = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
    if (!(n > 0) || isinf(n))
        luaL_argerror(L, 1, lua_pushfstring(L, "%s is a number above 0", name));
    return n;
}

/* limit { name=, rate=, per=, burst= } → limiter */
static int l_limit(lua_State *L)
{
    static const char *const known[] = {"name", "rate", "per", "burst", NULL};
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    door_check_options(L, 1, known);
    double rate = number(L, "rate", 0), per = number(L, "per", 1);
    const struct store_limit numbers = {.rate = rate / per, .burst = number(L, "burst", rate)};
    if (lua_getfield(L, 1, "name") != LUA_TSTRING)
        luaL_argerror(L, 1, "name is a string");
    size_t n;
    const char *name = lua_tolstring(L, -1, &n);
    luaL_argcheck(L, n >= 1 && n <= STORE_NAME, 1, "name is 1 to 64 bytes");
    struct limiter *l = lua_newuserdatauv(L, sizeof *l, 0);
    *l = (struct limiter){.own = numbers, .n = n};
    memcpy(l->name, name, n);
    struct store *s = vm_of(L)->options.store;
    l->limit = s ? store_set_limit(s, (struct str){l->name, n}, &numbers) : &l->own;
    if (!l->limit)
        return luaL_error(L, "%s", rc_text(RC_NOMEM));
    lua_rawgetp(L, LUA_REGISTRYINDEX, &limiter_key);
    lua_setmetatable(L, -2);
    return 1;
}

void store_open_limit(lua_State *L)
{
    static const luaL_Reg functions[] = {{"limit", l_limit}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"take", l_take}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    lua_newtable(L);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "limiter");
    lua_setfield(L, -2, "__name");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &limiter_key);
}

#include "lua/modules/store/door.h"

#include <lauxlib.h>

/* s:keys: an iterator over portions, with nothing held between them. */

enum { PORTION = 128 };

/* The iterator's upvalues. */
enum {
    UP_PREFIX = 1, /* the store's path */
    UP_KEYS,       /* those that are there, to be given yet; nil for none */
    UP_NEXT,       /* the place of the next */
    UP_LAST,       /* where the next portion begins; nil: there is none */
    UP_LEFT,       /* that the limit leaves; nil for all */
    UPVALUES = UP_LEFT
};

static struct str text_of(lua_State *L, int index)
{
    struct str s;
    s.p = lua_tolstring(L, index, &s.n);
    return s;
}

static void keep(lua_State *L, int upvalue)
{
    lua_replace(L, lua_upvalueindex(upvalue));
}

/* The next key that is there; nothing where there is none. */
static int give(lua_State *L)
{
    lua_Integer at = lua_tointeger(L, lua_upvalueindex(UP_NEXT));
    if (lua_isnil(L, lua_upvalueindex(UP_KEYS)) ||
        lua_rawgeti(L, lua_upvalueindex(UP_KEYS), at) == LUA_TNIL)
        return 0;
    lua_pushinteger(L, at + 1);
    keep(L, UP_NEXT);
    if (lua_isnil(L, lua_upvalueindex(UP_LEFT)))
        return 1;
    lua_pushinteger(L, lua_tointeger(L, lua_upvalueindex(UP_LEFT)) - 1);
    keep(L, UP_LEFT);
    return 1;
}

static bool has_reached_limit(lua_State *L)
{
    return !lua_isnil(L, lua_upvalueindex(UP_LEFT)) &&
           lua_tointeger(L, lua_upvalueindex(UP_LEFT)) <= 0;
}

static int fetch(lua_State *L);

static int take_portion(lua_State *L, struct store_op *op)
{
    struct str keys = op->keys;
    lua_Integer count = 0;
    door_check_result(L, op);
    lua_createtable(L, PORTION, 0);
    while (keys.n) {
        uint16_t n;
        str_move(&keys, &n, sizeof n);
        lua_pushlstring(L, keys.p, n);
        keys.p += n;
        keys.n -= n;
        lua_rawseti(L, -2, ++count);
    }
    keep(L, UP_KEYS);
    lua_pushinteger(L, 1);
    keep(L, UP_NEXT);
    if (op->last.n)
        lua_pushlstring(L, op->last.p, op->last.n);
    else
        lua_pushnil(L);
    keep(L, UP_LAST);
    return count ? give(L) : fetch(L);
}

/* The next portion; one may be all of what has ended meanwhile. */
static int fetch(lua_State *L)
{
    struct store *s;
    lua_settop(L, 0);
    if (lua_isnil(L, lua_upvalueindex(UP_LAST)))
        return 0;
    door_enter(L, &s);
    struct store_op op = {.action = STORE_KEYS,
        .key = text_of(L, lua_upvalueindex(UP_PREFIX)),
        .after = text_of(L, lua_upvalueindex(UP_LAST)),
        .most = PORTION};
    return door_run(L, &op, take_portion);
}

static int l_next(lua_State *L)
{
    if (has_reached_limit(L))
        return 0;
    int given = give(L);
    if (given)
        return given;
    return fetch(L);
}

/* s:keys([prefix [, limit]]) → iterator */
static int l_keys(lua_State *L)
{
    struct store *s;
    char room[STORE_PATH];
    const struct door_map *m = door_map(L);
    door_enter(L, &s);
    struct str prefix;
    prefix.p = luaL_optlstring(L, 2, "", &prefix.n);
    luaL_argcheck(L, prefix.n <= STORE_KEY, 2, "a prefix is up to 400 bytes");
    lua_Integer limit = luaL_optinteger(L, 3, 1);
    luaL_argcheck(L, limit > 0, 3, "a limit is above 0");
    lua_settop(L, 3);
    size_t n = store_path(m->space, (struct str){m->name, m->n}, prefix, room);
    lua_pushlstring(L, room, n);
    lua_pushnil(L);
    lua_pushinteger(L, 1);
    lua_pushliteral(L, "");
    lua_pushvalue(L, 3);
    lua_pushcclosure(L, l_next, UPVALUES);
    return 1;
}

void door_open_keys(lua_State *L)
{
    static const luaL_Reg methods[] = {{"keys", l_keys}, {NULL, NULL}};
    luaL_setfuncs(L, methods, 0);
}

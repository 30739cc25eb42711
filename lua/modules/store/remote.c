#include "lua/modules/store/remote.h"

#include "lua/runtime/vm.h"

#include <lauxlib.h>

static const char module[] = "moontrail.store.redis";

/* Loads it with what is in package.preload, whatever scripts have made of require. */
static void push_module(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, module) != LUA_TTABLE) {
        lua_pop(L, 1);
        luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
        lua_getfield(L, -1, module);
        lua_replace(L, -2);
        lua_pushstring(L, module);
        lua_call(L, 1, 1);
        lua_getfield(L, -1, "open");
        lua_pushstring(L, store_remote(vm_of(L)->options.store));
        lua_call(L, 1, 0);
        lua_pushvalue(L, -1);
        lua_setfield(L, -3, module);
    }
    lua_replace(L, -2);
}

void remote_push(lua_State *L, const char *name)
{
    luaL_checkstack(L, 12, NULL);
    push_module(L);
    lua_getfield(L, -1, name);
    lua_replace(L, -2);
}

void remote_push_path(lua_State *L, struct str path)
{
    struct str key = store_path_key(path);
    lua_pushlstring(L, path.p + 2, (unsigned char)path.p[1]);
    lua_pushlstring(L, key.p, key.n);
}

static int k_called(lua_State *L, int status, lua_KContext unused)
{
    (void)L, (void)status, (void)unused;
    return 1;
}

int remote_call(lua_State *L, int arguments)
{
    lua_callk(L, arguments, 1, 0, k_called);
    return 1;
}

/* Operations. */

struct asked {
    struct store_op op;
    door_then *then;
};

static const char *name_of(enum store_action action)
{
    switch (action) {
    case STORE_GET:
        return "get";
    case STORE_SET:
        return "set";
    case STORE_INCR:
        return "incr";
    case STORE_EXPIRE:
        return "expire";
    case STORE_KEYS:
        return "keys";
    case STORE_TAKE:
        return "take";
    default:
        return NULL;
    }
}

static void push_set(lua_State *L, const struct store_op *op)
{
    door_push_value(L, &op->value);
    lua_pushnumber(L, op->ttl);
    if (op->condition == STORE_ALWAYS)
        lua_pushnil(L);
    else
        lua_pushstring(L, op->condition == STORE_IF_ABSENT ? "absent" : "equal");
    door_push_value(L, &op->equal);
}

static void push_take(lua_State *L, const struct store_op *op)
{
    lua_pushnumber(L, op->rate);
    lua_pushnumber(L, op->burst);
    lua_pushnumber(L, op->cost);
}

static void push_more(lua_State *L, const struct store_op *op)
{
    switch (op->action) {
    case STORE_SET:
        push_set(L, op);
        break;
    case STORE_INCR:
        lua_pushinteger(L, op->by);
        lua_pushnumber(L, op->ttl);
        break;
    case STORE_EXPIRE:
        lua_pushnumber(L, op->ttl);
        break;
    case STORE_KEYS:
        lua_pushlstring(L, op->after.p, op->after.n);
        lua_pushinteger(L, op->most);
        break;
    case STORE_TAKE:
        push_take(L, op);
        break;
    default:
        break;
    }
}

/* Results: two values, of which the first stays on the stack for as long as it is used. */

static struct str text_at(lua_State *L, int index)
{
    struct str s = {0};
    if (lua_type(L, index) == LUA_TSTRING)
        s.p = lua_tolstring(L, index, &s.n);
    return s;
}

static struct store_value value_at(lua_State *L, int index)
{
    if (lua_isinteger(L, index))
        return (struct store_value){.kind = STORE_INTEGER, .integer = lua_tointeger(L, index)};
    if (lua_type(L, index) == LUA_TSTRING)
        return (struct store_value){.kind = STORE_STRING, .text = text_at(L, index)};
    return (struct store_value){STORE_ABSENT};
}

static enum store_result why_no_sum(struct str why)
{
    return str_eq(why, str_of("string")) ? STORE_NO_INTEGER : STORE_OVERFLOW;
}

static void take_results(lua_State *L, struct store_op *op)
{
    const int first = lua_gettop(L) - 1, second = first + 1;
    op->result = STORE_YES;
    switch (op->action) {
    case STORE_GET:
        op->found = value_at(L, first);
        break;
    case STORE_INCR:
        op->found = value_at(L, first);
        if (op->found.kind != STORE_INTEGER)
            op->result = why_no_sum(text_at(L, second));
        break;
    case STORE_KEYS:
        op->keys = text_at(L, first);
        op->last = text_at(L, second);
        break;
    default:
        op->result = lua_toboolean(L, first) ? STORE_YES : STORE_NO;
        op->seconds = lua_tonumber(L, second);
        break;
    }
}

static int k_asked(lua_State *L, int status, lua_KContext at)
{
    (void)status;
    const struct asked *a = lua_touserdata(L, (int)at);
    struct store_op op = a->op;
    door_then *then = a->then;
    take_results(L, &op);
    return then(L, &op);
}

int remote_run(lua_State *L, const struct store_op *op, door_then *then)
{
    struct asked *a = lua_newuserdatauv(L, sizeof *a, 0);
    *a = (struct asked){*op, then};
    int at = lua_gettop(L);
    remote_push(L, name_of(op->action));
    remote_push_path(L, op->key);
    push_more(L, op);
    lua_callk(L, lua_gettop(L) - at - 1, 2, at, k_asked);
    return k_asked(L, LUA_OK, at);
}

/* Updates. */

int remote_l_call(lua_State *L)
{
    lua_settop(L, 2);
    lua_call(L, 1, 1);
    bool fits = lua_isnil(L, 1) || lua_isinteger(L, 1) || lua_type(L, 1) == LUA_TSTRING;
    lua_pushboolean(L, fits);
    if (fits)
        lua_pushvalue(L, 1);
    else
        lua_pushstring(L, lua_type(L, 1) == LUA_TNUMBER ? "float" : luaL_typename(L, 1));
    return 2;
}

#include "lua/ctx/at_end.h"

#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"

#include <lauxlib.h>

/* A userdata with the function as its user value, which the registry keeps while it is bound. */
struct at_end {
    struct task_bond bond;
    struct vm *vm;
    int self;
};

static const char bond_key;

static int l_call(lua_State *L)
{
    const struct at_end *e = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, e->self);
    luaL_unref(L, LUA_REGISTRYINDEX, e->self);
    lua_getiuservalue(L, -1, 1);
    lua_call(L, 0, 0);
    return 0;
}

static void on_task_end(struct task_bond *b)
{
    struct at_end *e = container_of(b, struct at_end, bond);
    if (!vm_call(e->vm, l_call, e, 0))
        lua_pop(e->vm->L, 1);
}

/* bond:drop() */
static int l_drop(lua_State *L)
{
    struct at_end *e = lua_touserdata(L, 1);
    if (list_linked(&e->bond.link))
        luaL_unref(L, LUA_REGISTRYINDEX, e->self);
    list_remove(&e->bond.link);
    return 0;
}

/* at_end(fn) → bond */
static int l_at_end(lua_State *L)
{
    struct task *t = task_waiter(L);
    luaL_checktype(L, 1, LUA_TFUNCTION);
    struct at_end *e = lua_newuserdatauv(L, sizeof *e, 1);
    *e = (struct at_end){.bond = {.end = on_task_end, .stays = true}, .vm = vm_of(L)};
    list_init(&e->bond.link);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &bond_key);
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    e->self = luaL_ref(L, LUA_REGISTRYINDEX);
    task_bind(t, &e->bond);
    return 1;
}

int luaopen_moontrail_at_end(lua_State *L)
{
    static const luaL_Reg methods[] = {{"drop", l_drop}, {NULL, NULL}};
    lua_newtable(L);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &bond_key);
    lua_pushcfunction(L, l_at_end);
    return 1;
}

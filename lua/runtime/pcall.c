#include "lua/runtime/pcall.h"

#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"

#include <lauxlib.h>

enum { WITHIN_XPCALL = 1, XPCALL = 2 }; /* flags that a call passes to its continuation */

/* A coroutine that is being closed leaves its xpcalls one by one. Outside of the last it yields and
 * is not resumed. */
static int leave(lua_State *L)
{
    return vm_has_mark(L, VM_HANDLER) ? lua_error(L) : lua_yield(L, 0);
}

/* The results follow the values that the call has put first: true, and the handler of an xpcall. */
static int finish(lua_State *L, int status, lua_KContext call)
{
    if (call & XPCALL)
        vm_set_mark(L, VM_HANDLER, call & WITHIN_XPCALL);
    if (status == LUA_OK || status == LUA_YIELD)
        return lua_gettop(L) - (call & XPCALL ? 2 : 0);
    task_go_on_dying(L);
    if (vm_has_mark(L, VM_CLOSED))
        return leave(L);
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
}

/* pcall(f, ...) → true and the results, or false and the error */
int pcall_call(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    return finish(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, finish), 0);
}

/* Calls the handler, except for the error that ends a task. Hooks are off after one has raised,
 * until the error is caught, so nothing would stop a handler that loops. */
static int l_handle(lua_State *L)
{
    const struct vm *vm = vm_of(L);
    if (vm->running && (vm->running->killed || budget_is_spent(&vm->budget)))
        return 1;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

/* xpcall(f, handler, ...): as pcall, but an error is replaced by handler(error). The main state
 * gets no mark: it never yields, and new coroutines would inherit the mark. */
static int l_xpcall(lua_State *L)
{
    int args = lua_gettop(L) - 2;
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, l_handle, 1);
    lua_replace(L, 2);
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2);
    lua_KContext call = XPCALL | (vm_has_mark(L, VM_HANDLER) ? WITHIN_XPCALL : 0);
    if (L != vm_of(L)->L)
        vm_set_mark(L, VM_HANDLER, true);
    return finish(L, lua_pcallk(L, args, LUA_MULTRET, 2, call, finish), call);
}

void pcall_open(lua_State *L)
{
    lua_register(L, "pcall", pcall_call);
    lua_register(L, "xpcall", l_xpcall);
}

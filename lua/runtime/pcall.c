#include "lua/runtime/pcall.h"

#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"

#include <lauxlib.h>

enum { WITHIN_XPCALL = 1, XPCALL = 2 }; /* what a call knows of itself when it ends */

/* A closed coroutine leaves its xpcalls, and yields for good outside of the last. */
static int leave(lua_State *L)
{
    return vm_has_mark(L, VM_HANDLER) ? lua_error(L) : lua_yield(L, 0);
}

/* The results stand behind what the call has put first: true, and the handler of an xpcall. */
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
static int l_pcall(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    return finish(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, finish), 0);
}

/* Calls the handler. The end of a task is none of its business, and where a hook raises, hooks are
 * off until the error is caught: nothing would stop a handler that loops. */
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

/* xpcall(f, handler, ...): as pcall; an error is what handler(error) gives. The main state is
 * never yielded out of, and new coroutines take its marks over. */
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
    lua_register(L, "pcall", l_pcall);
    lua_register(L, "xpcall", l_xpcall);
}

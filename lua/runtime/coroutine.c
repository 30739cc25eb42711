#include "lua/runtime/coroutine.h"

#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"

#include <lauxlib.h>

enum { CLOSE_DEPTH = 100 }; /* closes within closes; each takes some of the C stack */

/* The outcome of a resume: a count of results, or one of these. */
enum { FAILED = -1, WAITS = -2 };

static lua_State *check_coroutine(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);
    luaL_argexpected(L, co, 1, "coroutine");
    return co;
}

static int fail(lua_State *L, const char *why)
{
    lua_pushstring(L, why);
    return FAILED;
}

/* Moves results from co to L. */
static int take_results(lua_State *L, lua_State *co, int count)
{
    if (!lua_checkstack(L, count + 1)) {
        lua_pop(co, count);
        return fail(L, "too many results to resume");
    }
    lua_xmove(co, L, count);
    return count;
}

/* Resumes co, which the task has entered, with the arguments on its stack. */
static int drive(lua_State *L, lua_State *co, int args)
{
    struct vm *vm = vm_of(L);
    struct task *t = vm->running;
    int results;
    vm_set_mark(co, VM_WAITING, false);
    vm->budget.innermost = co;
    int status = lua_resume(co, L, args, &results);
    vm->budget.innermost = L;
    if (status == LUA_YIELD && t && (t->state == TASK_WAITING || t->state == TASK_KILLED)) {
        vm_set_mark(co, VM_WAITING, true);
        return WAITS;
    }
    task_leave(t);
    if (status == LUA_OK || status == LUA_YIELD)
        return take_results(L, co, results);
    lua_xmove(co, L, 1);
    return FAILED;
}

/* Resumes co with the arguments on top of L's stack. */
static int start(lua_State *L, lua_State *co, int args)
{
    if (!lua_checkstack(co, args))
        return fail(L, "too many arguments to resume");
    if (vm_has_mark(co, VM_WAITING))
        return fail(L, "cannot resume non-suspended coroutine");
    if (lua_status(co) == LUA_OK && lua_gettop(co) == 0)
        return fail(L, "cannot resume dead coroutine");
    if (task_enter(vm_of(L)->running, co))
        return fail(L, "not enough memory");
    lua_xmove(L, co, args);
    return drive(L, co, args);
}

static int k_resume(lua_State *L, int status, lua_KContext unused);

static int finish_resume(lua_State *L, int outcome)
{
    if (outcome == WAITS)
        return lua_yieldk(L, 0, 0, k_resume);
    if (outcome == FAILED)
        task_go_on_dying(L);
    lua_pushboolean(L, outcome != FAILED);
    int count = outcome == FAILED ? 1 : outcome;
    lua_insert(L, -(count + 1));
    return count + 1;
}

static int k_resume(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    return finish_resume(L, drive(L, lua_tothread(L, 1), 0));
}

static int l_resume(lua_State *L)
{
    lua_State *co = check_coroutine(L);
    return finish_resume(L, start(L, co, lua_gettop(L) - 1));
}

static int k_wrapped(lua_State *L, int status, lua_KContext unused);

static void check_depth(lua_State *L)
{
    if (vm_of(L)->closing >= CLOSE_DEPTH)
        luaL_error(L, "coroutines close each other too deep");
}

/* An error closes a wrapped coroutine, and is raised again with the position of the call. */
static int rethrow(lua_State *L, lua_State *co)
{
    int status = lua_status(co);
    if (status != LUA_OK && status != LUA_YIELD) {
        check_depth(L);
        status = task_close_coroutine(co);
        lua_xmove(co, L, 1);
    }
    task_go_on_dying(L);
    if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int finish_wrapped(lua_State *L, lua_State *co, int outcome)
{
    if (outcome == WAITS)
        return lua_yieldk(L, 0, 0, k_wrapped);
    return outcome == FAILED ? rethrow(L, co) : outcome;
}

static int k_wrapped(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    return finish_wrapped(L, co, drive(L, co, 0));
}

static int l_wrapped(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    return finish_wrapped(L, co, start(L, co, lua_gettop(L)));
}

static int l_wrap(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    lua_pushcclosure(L, l_wrapped, 1);
    return 1;
}

/* Whether L is a task's own coroutine. Only a wait may yield out of that. */
static bool is_task(lua_State *L)
{
    const struct task *t = vm_of(L)->running;
    return t && t->co == L;
}

/* A coroutine that is closed within an xpcall is resumed one last time. */
static int k_yield(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    if (vm_has_mark(L, VM_CLOSED))
        return luaL_error(L, "coroutine closed");
    return lua_gettop(L);
}

static int l_yield(lua_State *L)
{
    if (is_task(L))
        return luaL_error(L, "attempt to yield from outside a coroutine: a handler waits by "
                             "calling a function that waits");
    return lua_yieldk(L, lua_gettop(L), 0, k_yield);
}

static int l_isyieldable(lua_State *L)
{
    lua_State *co = lua_isthread(L, 1) ? lua_tothread(L, 1) : L;
    lua_pushboolean(L, !is_task(co) && lua_isyieldable(co));
    return 1;
}

static const char *status_of(lua_State *L, lua_State *co)
{
    lua_Debug frame;
    if (L == co)
        return "running";
    if (vm_has_mark(co, VM_WAITING))
        return "normal";
    switch (lua_status(co)) {
    case LUA_YIELD:
        return "suspended";
    case LUA_OK:
        if (lua_getstack(co, 0, &frame))
            return "normal";
        return lua_gettop(co) == 0 ? "dead" : "suspended";
    default:
        return "dead";
    }
}

static int l_status(lua_State *L)
{
    lua_pushstring(L, status_of(L, check_coroutine(L)));
    return 1;
}

/* Has a coroutine leave its xpcalls before it is closed. Lua would otherwise keep looking for their
 * message handler on the stack. */
static void leave_handlers(lua_State *L, lua_State *co)
{
    int results;
    struct vm *vm = vm_of(L);
    if (!vm_has_mark(co, VM_HANDLER))
        return;
    vm_set_mark(co, VM_CLOSED, true);
    vm->closing++;
    vm->budget.innermost = co;
    lua_resume(co, L, 0, &results);
    vm->budget.innermost = L;
    vm->closing--;
}

static int l_close(lua_State *L)
{
    lua_State *co = check_coroutine(L);
    const char *status = status_of(L, co);
    if (status[0] == 'r' || status[0] == 'n')
        return luaL_error(L, "cannot close a %s coroutine", status);
    check_depth(L);
    leave_handlers(L, co);
    int failed = task_close_coroutine(co);
    task_go_on_dying(L);
    lua_pushboolean(L, !failed);
    if (!failed)
        return 1;
    lua_xmove(co, L, 1);
    return 2;
}

void coroutine_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"resume", l_resume},
        {"wrap", l_wrap},
        {"yield", l_yield},
        {"isyieldable", l_isyieldable},
        {"status", l_status},
        {"close", l_close},
        {NULL, NULL},
    };
    lua_getglobal(L, "coroutine");
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}

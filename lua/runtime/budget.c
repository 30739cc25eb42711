#include "lua/runtime/budget.h"

#include "core/clock.h"
#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"

#include <lauxlib.h>

enum { LOAD_INSTRUCTIONS = 100000 }; /* of Lua, from one look at the clock to the next */

bool budget_is_spent(const struct budget *b)
{
    return b->limit && b->seen == b->resumes && b->ticks >= b->allowed;
}

static const char too_long[] = "ran too long without waiting (--max-cpu)";

static void on_hook(lua_State *L, lua_Debug *unused);

static void arm(lua_State *L)
{
    lua_sethook(L, on_hook, LUA_MASKCOUNT, 1);
}

/* Sets hooks everywhere: if the task cannot be killed from here, code that catches the error runs
 * only one more instruction. */
static void arm_all(const struct task *t)
{
    arm(t->vm->L);
    arm(t->co);
    for (size_t i = 0; i < t->depth; i++)
        arm(t->chain[i]);
}

/* The first __close that runs too long is ended by itself: those that follow get time of their
 * own. */
static void forgive_once(struct task *t)
{
    t->overran = true;
    t->killed = too_long;
    budget_begin_closing(&t->vm->budget);
}

/* A hook may be left over from a resume that ended while it was being set; it then does nothing.
 * Lua turns hooks off while one runs, and on again when it returns or its error is caught. */
static void on_hook(lua_State *L, lua_Debug *unused)
{
    (void)unused;
    struct vm *vm = vm_of(L);
    struct task *t = vm->running;
    lua_sethook(L, NULL, 0, 0);
    if (!t || !budget_is_spent(&vm->budget))
        return;
    if (t->state == TASK_CLOSING && !t->overran)
        forgive_once(t);
    else if (t->state != TASK_RUNNING || t->killed || !task_can_wait(t))
        arm_all(t);
    if (L != vm->L)
        vm_set_mark(L, VM_NO_HOOKS, true);
    task_kill(L, too_long);
}

void budget_tick(struct budget *b)
{
    lua_State *L = b->innermost;
    if (!L || b->seen != b->resumes) {
        b->seen = b->resumes;
        b->ticks = 0;
        return;
    }
    b->ticks++;
    if (budget_is_spent(b))
        arm(L);
}

/* Level 0 is the function that was interrupted: a hook has no level of its own. */
static void raise_late(lua_State *L, double seconds)
{
    luaL_where(L, 0);
    lua_pushfstring(L, "takes longer than %f s to load (--load-timeout)", seconds);
    lua_concat(L, 2);
    lua_error(L);
}

/* A coroutine that a script created while loading keeps the hook afterwards: the hook removes
 * itself. */
static void on_load_hook(lua_State *L, lua_Debug *unused)
{
    (void)unused;
    const struct vm *vm = vm_of(L);
    if (vm->budget.load_until == 0)
        lua_sethook(L, NULL, 0, 0);
    else if (clock_monotonic() > vm->budget.load_until)
        raise_late(L, vm->options.load_timeout);
}

void budget_start_load(struct vm *vm)
{
    if (vm->options.load_timeout <= 0)
        return;
    vm->budget.load_until = clock_monotonic() + vm->options.load_timeout;
    lua_sethook(vm->L, on_load_hook, LUA_MASKCOUNT, LOAD_INSTRUCTIONS);
}

void budget_end_load(struct vm *vm)
{
    vm->budget.load_until = 0;
    lua_sethook(vm->L, NULL, 0, 0);
}

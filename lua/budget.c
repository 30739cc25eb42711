#include "lua/budget.h"

#include "lua/task.h"
#include "lua/vm.h"

bool budget_is_spent(const struct budget *b)
{
    return b->limit && b->seen == b->resumes && b->ticks >= b->limit;
}

static void on_hook(lua_State *L, lua_Debug *unused);

static void arm(lua_State *L)
{
    lua_sethook(L, on_hook, LUA_MASKCOUNT, 1);
}

/* Where the task cannot be killed from here, what catches the error runs one instruction more. */
static void arm_all(const struct task *t)
{
    arm(t->vm->L);
    arm(t->co);
    for (size_t i = 0; i < t->depth; i++)
        arm(t->chain[i]);
}

/* A hook may be left over from a resume that ended as it was set: it then does nothing. Lua turns
 * hooks off while one runs, and on again when it returns or its error is caught. */
static void on_hook(lua_State *L, lua_Debug *unused)
{
    (void)unused;
    struct vm *vm = vm_of(L);
    struct task *t = vm->running;
    lua_sethook(L, NULL, 0, 0);
    if (!t || !budget_is_spent(&vm->budget))
        return;
    if (t->state != TASK_RUNNING || t->killed || !task_can_wait(t))
        arm_all(t);
    if (L != vm->L)
        vm_set_mark(L, VM_NO_HOOKS, true);
    task_kill(L, "ran too long without waiting (--max-cpu)");
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

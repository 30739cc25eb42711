/*
 * What modules that are shared objects of their own stand on: the functions that the program
 * exports, which lua/modules/exports.list names. They include the same headers as the program, and
 * so have to be of the same build.
 */
#ifndef LUA_RUNTIME_SEAM_H
#define LUA_RUNTIME_SEAM_H

#include "core/pool.h"
#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"
#include "lua/runtime/waiting.h"

#include <lauxlib.h>

/* Differs where what program and modules share is laid out in another way. */
enum {
    SEAM_LAYOUT = sizeof(struct task) + 31 * sizeof(struct vm) + 961 * sizeof(struct waiting) +
                  29791 * sizeof(struct pool_work),
};

/* The program's. */
extern const int seam_layout;

/* To be called first when a module is opened. [-0, +0, may longjmp] */
static inline void seam_check(lua_State *L, const char *module)
{
    if (seam_layout != SEAM_LAYOUT)
        luaL_error(L, "%s is of another build than the program: install both, and restart", module);
}

#endif

#include "lua/runtime/held.h"

#include "lua/runtime/task.h"

enum { SLOTS = 3, LEVELS = 200, LIST = 10000 }; /* LEVELS and LIST bound how much is looked at */

/* The bytes that the value on top holds. */
static size_t bytes_of(lua_State *co)
{
    size_t bytes = 0;
    if (lua_type(co, -1) == LUA_TSTRING)
        return lua_rawlen(co, -1);
    if (!lua_istable(co, -1))
        return 0;
    lua_Integer count = (lua_Integer)lua_rawlen(co, -1);
    for (lua_Integer i = 1; i <= count && i <= LIST; i++) {
        if (lua_rawgeti(co, -1, i) == LUA_TSTRING)
            bytes += lua_rawlen(co, -1);
        lua_pop(co, 1);
    }
    return bytes;
}

/* Looks at locals and temporaries of each function, including C functions. */
static size_t held_by(lua_State *co)
{
    lua_Debug ar;
    size_t bytes = 0;
    if (!lua_checkstack(co, SLOTS))
        return 0;
    for (int level = 0; level < LEVELS && lua_getstack(co, level, &ar); level++)
        for (int i = 1; lua_getlocal(co, &ar, i); i++) {
            bytes += bytes_of(co);
            lua_pop(co, 1);
        }
    return bytes;
}

size_t held_by_task(const struct task *t)
{
    size_t bytes = held_by(t->co);
    for (size_t i = 0; i < t->depth; i++)
        bytes += held_by(t->chain[i]);
    return bytes;
}

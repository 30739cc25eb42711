/*
 * What the unit tests of modules share: Lua states whose memory can be told to fail, and the rule
 * that whatever fails, the state is sound afterwards and nothing stays behind.
 */
#ifndef UNIT_LUA_STATE_H
#define UNIT_LUA_STATE_H

#include "../check.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A Lua allocator that can be told to fail, and that counts what is alive. */
struct heap {
    size_t bytes;
    uint64_t requests, fail_at;
    bool sticky;
};

static inline bool heap_told_to_fail(struct heap *h)
{
    h->requests++;
    return h->fail_at && (h->requests == h->fail_at || (h->sticky && h->requests > h->fail_at));
}

static inline void *heap_alloc(void *heap, void *block, size_t old, size_t size)
{
    struct heap *h = heap;
    if (!block)
        old = 0;
    if (size > old && heap_told_to_fail(h))
        return NULL;
    void *moved = NULL;
    if (size == 0)
        free(block);
    else if (!(moved = realloc(block, size)))
        return NULL;
    h->bytes += size - old;
    return moved;
}

/* The n-th request from now fails, and each one after it while sticky; 0 ends it. */
static inline void heap_fail(struct heap *h, uint64_t n, bool sticky)
{
    h->fail_at = n ? h->requests + n : 0;
    h->sticky = sticky;
}

static inline void state_run(lua_State *L, const char *code)
{
    if (luaL_dostring(L, code) != LUA_OK)
        fail_msg("%s", lua_tostring(L, -1));
    lua_settop(L, 0);
}

static inline lua_State *state_open(struct heap *h)
{
    lua_State *L = lua_newstate(heap_alloc, h);
    assert_non_null(L);
    luaL_openlibs(L);
    /* The first large luaL_Buffer makes the metatable of their boxes: a state whose memory runs out
     * just then is broken for good, by a flaw of lauxlib. */
    state_run(L, "return ('x'):rep(5000)");
    return L;
}

/* Pushes what the snippet returns, which uses the module as that global. */
static inline void state_use(lua_State *L, const char *global, lua_CFunction open, const char *code)
{
    luaL_requiref(L, global, open, 0);
    lua_setglobal(L, global);
    if (luaL_loadstring(L, code) != LUA_OK)
        lua_error(L);
    lua_call(L, 0, 1);
}

/* Calls f, which gives a string, with the i-th request of Lua or of the pool failing; true when it
 * went well all the same. Whatever happened, it does what is expected afterwards. */
static inline bool state_survives(
    lua_CFunction f, const char *expected, uint64_t i, bool of_lua, bool sticky)
{
    struct heap heap = {0};
    uint64_t blocks = mem_stats()->blocks;
    lua_State *L = state_open(&heap);
    lua_pushcfunction(L, f);
    if (of_lua)
        heap_fail(&heap, i, sticky);
    else
        mem_fail_at(i, sticky);
    bool done = lua_pcall(L, 0, 1, 0) == LUA_OK;
    bool reached = of_lua ? heap.fail_at <= heap.requests : !done;
    heap_fail(&heap, 0, false);
    mem_fail_at(0, 0);
    if (!done && !strstr(lua_tostring(L, -1), "memory") && !strstr(lua_tostring(L, -1), "stack"))
        fail_msg("request %lu: %s", (unsigned long)i, lua_tostring(L, -1));
    lua_settop(L, 0);
    lua_pushcfunction(L, f);
    if (lua_pcall(L, 0, 1, 0) != LUA_OK)
        fail_msg("after request %lu: %s", (unsigned long)i, lua_tostring(L, -1));
    assert_string_equal(lua_tostring(L, -1), expected);
    lua_close(L);
    assert_int_equal(heap.bytes, 0);
    assert_int_equal(mem_stats()->blocks, blocks);
    return done && !reached;
}

/* Lets each request of Lua fail in turn, alone and with all after it; there are at least so many.
 */
static inline void state_starve(lua_CFunction f, const char *expected, uint64_t at_least)
{
    uint64_t i = 1;
    while (!state_survives(f, expected, i, true, true))
        i++;
    assert_true(i > at_least);
    for (i = 1; !state_survives(f, expected, i, true, false); i++)
        continue;
}

#endif

/*
 * A Lua state whose memory is counted and can be told to run out, and the loop that makes each
 * allocation of a piece of code fail in its turn: of Lua's own, or of the pool that the libraries
 * beneath it take theirs from.
 */
#ifndef UNIT_HEAP_H
#define UNIT_HEAP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "core/mem.h"

struct heap {
    size_t bytes;
    uint64_t requests, fail_at;
    bool sticky;
};

/* What is run while memory runs out, and the text that it returns if nothing fails. */
struct heap_trial {
    lua_CFunction everything;
    const char *result;
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

static inline void heap_fail(struct heap *h, uint64_t n, bool sticky)
{
    h->fail_at = n ? h->requests + n : 0;
    h->sticky = sticky;
}

static inline void heap_run(lua_State *L, const char *code)
{
    if (luaL_dostring(L, code) != LUA_OK)
        fail_msg("%s", lua_tostring(L, -1));
    lua_settop(L, 0);
}

static inline lua_State *heap_open(struct heap *h)
{
    lua_State *L = lua_newstate(heap_alloc, h);
    assert_non_null(L);
    luaL_openlibs(L);
    /* The first large luaL_Buffer makes the metatable of their boxes: a state whose memory runs out
     * just then is broken for good, by a flaw of lauxlib. */
    heap_run(L, "return ('x'):rep(5000)");
    return L;
}

static inline void heap_check_error(lua_State *L, uint64_t i)
{
    const char *error = lua_tostring(L, -1);
    if (!strstr(error, "memory") && !strstr(error, "stack"))
        fail_msg("request %lu: %s", (unsigned long)i, error);
}

/* Runs everything, with the i-th request of Lua or of the pool failing; true when it went well all
 * the same. Whatever happened, the state is sound afterwards. */
static inline bool heap_survives(const struct heap_trial *t, uint64_t i, bool of_lua, bool sticky)
{
    struct heap heap = {0};
    uint64_t blocks = mem_stats()->blocks;
    lua_State *L = heap_open(&heap);
    lua_pushcfunction(L, t->everything);
    if (of_lua)
        heap_fail(&heap, i, sticky);
    else
        mem_fail_at(i, sticky);
    bool done = lua_pcall(L, 0, 1, 0) == LUA_OK;
    bool reached = of_lua ? heap.fail_at <= heap.requests : !done;
    heap_fail(&heap, 0, false);
    mem_fail_at(0, 0);
    if (!done)
        heap_check_error(L, i);
    lua_settop(L, 0);
    lua_pushcfunction(L, t->everything);
    if (lua_pcall(L, 0, 1, 0) != LUA_OK)
        fail_msg("after request %lu: %s", (unsigned long)i, lua_tostring(L, -1));
    assert_string_equal(lua_tostring(L, -1), t->result);
    lua_close(L);
    assert_int_equal(heap.bytes, 0);
    assert_int_equal(mem_stats()->blocks, blocks);
    return done && !reached;
}

/* Each of Lua's requests, of which there are more than least. */
static inline void heap_fail_each(const struct heap_trial *t, uint64_t least)
{
    uint64_t i = 1;
    while (!heap_survives(t, i, true, true))
        i++;
    assert_true(i > least);
    for (i = 1; !heap_survives(t, i, true, false); i++)
        continue;
}

/* Each of the pool's, of which there are fewer than enough. */
static inline void heap_fail_each_of_pool(const struct heap_trial *t, uint64_t enough)
{
    uint64_t failed = 0;
    for (uint64_t i = 1; i < enough; i++) {
        failed += !heap_survives(t, i, false, true);
        heap_survives(t, i, false, false);
    }
    assert_true(failed > 20 && failed < enough - 1);
}

#endif

/*
 * libFuzzer: what a peer may send as JSON. The decoder is to take what the grammar takes, and
 * refuse the rest; what it takes is to be written so that it reads as the same; and neither may
 * cost more than in proportion.
 */
#include "lua/modules/json/json.h"

#include "core/mem.h"
#include "support/cost.h"
#include "support/json_reader.h"
#include "support/support.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

enum {
    MEMORY = 16 << 20, /* of a state, at the most */
    EACH_BLOCK = 20,   /* steps */
    FIXED = 20000,
    EACH = 150,
};

static size_t taken; /* by the state */

/* Lua's work is seen by what it asks for. */
static void *allocate(void *data, void *block, size_t old, size_t size)
{
    (void)data;
    if (!block)
        old = 0;
    cost_add(EACH_BLOCK + size / 16);
    if (size > old && taken + (size - old) > MEMORY)
        return NULL;
    void *moved = NULL;
    if (size == 0)
        free(block);
    else if (!(moved = realloc(block, size)))
        return NULL;
    taken += size - old;
    return moved;
}

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool same(lua_State *L, int a, int b);

/* Whether all that the table a has is the same in b. */
static bool has_all(lua_State *L, int a, int b)
{
    for (lua_pushnil(L); lua_next(L, a); lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        lua_rawget(L, b);
        if (!same(L, lua_absindex(L, -2), lua_absindex(L, -1)))
            return false;
        lua_pop(L, 1);
    }
    return true;
}

static size_t count(lua_State *L, int table)
{
    size_t n = 0;
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
        n++;
    return n;
}

/* What marks arrays is a metatable. */
static bool same_mark(lua_State *L, int a, int b)
{
    const void *marks[] = {NULL, NULL};
    if (lua_getmetatable(L, a)) {
        marks[0] = lua_topointer(L, -1);
        lua_pop(L, 1);
    }
    if (lua_getmetatable(L, b)) {
        marks[1] = lua_topointer(L, -1);
        lua_pop(L, 1);
    }
    return marks[0] == marks[1];
}

static bool same(lua_State *L, int a, int b)
{
    luaL_checkstack(L, 10, NULL);
    if (lua_type(L, a) != lua_type(L, b))
        return false;
    if (lua_type(L, a) == LUA_TNUMBER) {
        lua_Number x = lua_tonumber(L, a), y = lua_tonumber(L, b);
        return lua_isinteger(L, a) == lua_isinteger(L, b) && lua_rawequal(L, a, b) &&
               memcmp(&x, &y, sizeof x) == 0;
    }
    if (lua_type(L, a) != LUA_TTABLE)
        return lua_rawequal(L, a, b);
    return same_mark(L, a, b) && count(L, a) == count(L, b) && has_all(L, a, b);
}

/* Calls a function of the module, which lies at 1, with the value on the top, which stays below
 * the result. */
static bool call(lua_State *L, const char *function)
{
    lua_getfield(L, 1, function);
    lua_pushvalue(L, -2);
    cost_resume();
    bool done = lua_pcall(L, 1, 1, 0) == LUA_OK;
    cost_pause();
    return done;
}

static void try_text(lua_State *L, const char *text, size_t n)
{
    luaL_requiref(L, "moontrail.json", luaopen_moontrail_json, 0);
    lua_pushlstring(L, text, n);
    cost_begin();
    bool read = call(L, "decode");
    cost_check(FIXED, EACH, n);
    require(read == json_reader_accepts(lua_tostring(L, 2), n));
    if (!read)
        return;
    cost_begin();
    require(call(L, "encode"));
    cost_check(FIXED, EACH, n);
    require(call(L, "decode") && same(L, 3, 5));
    require(call(L, "encode") && lua_rawlen(L, 4) == lua_rawlen(L, 6));
}

static void run(const uint8_t *data, size_t size)
{
    uint64_t blocks = mem_stats()->blocks;
    lua_State *L = lua_newstate(allocate, NULL);
    require(L != NULL);
    try_text(L, (const char *)data, size);
    lua_close(L);
    require(taken == 0 && mem_stats()->blocks == blocks);
}

/* A document that is repeated is none: it is made an array of many. */
static void run_many(const uint8_t *data, size_t size)
{
    static char all[COST_REPEATED];
    size_t n = 0;
    if (size + 1 > sizeof all / 4 || !json_reader_accepts((const char *)data, size))
        return;
    for (; n + size + 2 < sizeof all; n += size + 1) {
        all[n] = n ? ',' : '[';
        memcpy(all + n + 1, data, size);
    }
    all[n] = ']';
    run((const uint8_t *)all, n + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cost_repeat(run, data, size, 0);
    if (size % 8 == 0)
        run_many(data, size);
    return 0;
}

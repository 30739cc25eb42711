/* How a handler learns that its request has ended early. */
#include "core/clock.h"
#include "lua/ctx/args.h"
#include "lua/ctx/ctx.h"
#include "lua/ctx/ctx_private.h"

#include <math.h>

enum { DEADLINE_MAX = 100000000 }; /* seconds: three years */

static int l_aborted(lua_State *L)
{
    const struct ctx *c = ctx_arg(L);
    char text[CODE_NAME_SIZE];
    if (c->aborted)
        lua_pushstring(L, cut_text(c->cut, text));
    else
        lua_pushboolean(L, 0);
    return 1;
}

/* Pushes the table of callbacks, made on first use. */
static void push_callbacks(lua_State *L, struct ctx *c)
{
    if (c->callbacks == LUA_NOREF) {
        lua_newtable(L);
        c->callbacks = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->callbacks);
}

static int l_on_abort(lua_State *L)
{
    struct ctx *c = ctx_arg(L);
    ctx_check_type(L, 2, LUA_TFUNCTION);
    push_callbacks(L, c);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    ctx_call_callbacks(L, c);
    return 0;
}

/* deadline(seconds) sets it, deadline(nil) removes it, deadline() returns the seconds left. */
static int l_deadline(lua_State *L)
{
    struct ctx *c = ctx_live(L);
    if (lua_isnone(L, 2)) {
        lua_pushnil(L);
        if (c->deadline > 0)
            lua_pushnumber(L, fmax(0, c->deadline - clock_monotonic()));
        return 1;
    }
    lua_Number seconds = ctx_opt_number(L, 2, -1);
    ctx_check_that(L, lua_isnil(L, 2) || (seconds >= 0 && seconds <= DEADLINE_MAX), 2,
        "not within 0..1e8 seconds");
    ctx_set_deadline(c, seconds);
    return 0;
}

const luaL_Reg ctx_life_functions[] = {
    {"aborted", l_aborted},
    {"on_abort", l_on_abort},
    {"deadline", l_deadline},
    {NULL, NULL},
};

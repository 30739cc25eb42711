/* ctx:on_head: what is to be done to the head of a response before it is fixed. */
#include "http/exchange.h"
#include "lua/ctx/args.h"
#include "lua/ctx/ctx.h"
#include "lua/ctx/ctx_private.h"
#include "lua/runtime/vm.h"

/* on_head(f) */
static int l_on_head(lua_State *L)
{
    struct ctx *c = ctx_live(L);
    ctx_check_type(L, 2, LUA_TFUNCTION);
    if (c->heads == CTX_HEADS_RUN)
        return luaL_error(L, "on_head comes too late: its functions are running");
    if (c->x->response.out.state != OUTGOING_OPEN)
        return luaL_error(L, "on_head comes too late: the headers are sent");
    if (c->heads == LUA_NOREF) {
        lua_newtable(L);
        c->heads = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->heads);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    return 0;
}

/* Called with the table of functions. The last of them sees what those before it have set. */
static int l_run(lua_State *L)
{
    lua_Integer count = (lua_Integer)lua_rawlen(L, 1);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, 1, i);
        lua_call(L, 0, 0);
    }
    return 0;
}

/* A copy of the list, not of its strings, which nobody changes. [-0, +0, may longjmp] */
static struct fields copy(lua_State *L, const struct ctx *c)
{
    struct fields of = c->x->response.out.head;
    struct field *list = arena_alloc(&c->x->arena, of.count * sizeof *list);
    if (!list)
        luaL_error(L, "%s", rc_text(RC_NOMEM));
    if (of.count)
        memcpy(list, of.list, of.count * sizeof *list);
    return (struct fields){.list = list, .count = of.count};
}

void ctx_run_heads(lua_State *L, struct ctx *c)
{
    if (c->heads == CTX_HEADS_RUN)
        luaL_error(L, "a function of ctx:on_head sets headers, and writes nothing");
    if (!c->x || c->x->response.out.state != OUTGOING_OPEN)
        return;
    luaL_checkstack(L, 3, "no room for ctx:on_head");
    const struct fields before = copy(L, c);
    lua_pushcfunction(L, l_run);
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->heads);
    luaL_unref(L, LUA_REGISTRYINDEX, c->heads);
    c->heads = CTX_HEADS_RUN;
    int status = lua_pcall(L, 1, 0, 0);
    c->heads = LUA_NOREF;
    if (status != LUA_OK)
        lua_error(L);
    ctx_check(L, c);
    if (outgoing_keep_added(&c->x->response.out, &before))
        luaL_error(L, "%s", rc_text(RC_NOMEM));
}

void ctx_note_answer(lua_State *L, struct ctx *c)
{
    if (c->x->instance)
        return;
    ctx_abort(c, cut_of(CUT_BY_HANDLER));
    ctx_check(L, c);
}

const luaL_Reg ctx_head_functions[] = {
    {"on_head", l_on_head},
    {NULL, NULL},
};

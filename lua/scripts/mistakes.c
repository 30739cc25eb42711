#include "lua/scripts/mistakes.h"

#include "http/exchange.h"
#include "lua/ctx/ctx.h"
#include "lua/ctx/report.h"
#include "lua/runtime/script_file.h"
#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"

#include <lauxlib.h>

/* Marks a mistake as reported. Returns whether it was already. */
static bool was_told(bool *told)
{
    bool before = *told;
    *told = true;
    return before;
}

/* Returned values. */

/* Whether the handler has set a header; this server's own field does not count. */
static bool has_header(const struct outgoing *out)
{
    for (size_t i = 0; i < out->head.count; i++)
        if (!str_eq(out->head.list[i].name, STR("moontrail-fault")))
            return true;
    return false;
}

static bool is_empty(const struct ctx *c)
{
    const struct outgoing *out = &c->x->response.out;
    return out->state == OUTGOING_OPEN && !c->status_set && !has_header(out) &&
           out->trailers.count == 0;
}

/* Whether a returned value is lost. A number or function is not if the handler has written:
 * helpers that write often return one. A string or another table is lost in any case. "return ctx"
 * is fine. */
static bool is_lost(lua_State *L, int index, int table, bool written)
{
    int type = lua_type(L, index);
    if (type == LUA_TNUMBER || type == LUA_TFUNCTION)
        return !written;
    return type == LUA_TSTRING || (type == LUA_TTABLE && !lua_rawequal(L, index, table));
}

/* The index of the first lost value, or 0. */
static int find_lost(lua_State *L, int table, bool written)
{
    int last = written && lua_gettop(L) > table ? table + 1 : lua_gettop(L);
    for (int i = table + 1; i <= last; i++)
        if (is_lost(L, i, table, written))
            return i;
    return 0;
}

bool mistakes_look_at_values(lua_State *L, struct ctx *c, int table)
{
    struct script_file *file = ctx_script(c);
    if (!c->x)
        return false;
    int lost = find_lost(L, table, c->x->response.out.state != OUTGOING_OPEN);
    if (lost && !was_told(&file->told_lost))
        report_event(c, LOG_WARN, "return value lost", log_str("type", luaL_typename(L, lost)),
            log_str("hint", "written with ctx:text or ctx:json?"));
    return lost != 0;
}

void mistakes_look_at_response(struct ctx *c)
{
    struct script_file *file = ctx_script(c);
    if (c->x && is_empty(c) && !c->x->response.answers_head && !was_told(&file->told_empty))
        report_event(c, LOG_WARN, "response empty",
            log_str("hint", "written with ctx:text or ctx:json? ctx:status(204) says that it is "
                            "meant"));
}

/* Globals. */

static struct ctx *request_of(const struct task *t)
{
    return t->ctx ? t->ctx : handles_get(&t->vm->requests, t->request);
}

static void tell_global(lua_State *L, const struct ctx *c)
{
    luaL_where(L, 1);
    report_event(c, LOG_WARN, "global assigned", log_str("name", luaL_tolstring(L, 2, NULL)),
        log_str("where", lua_tostring(L, -2)), log_str("hint", "a local is each request's own"));
    lua_pop(L, 2);
}

/* The __newindex metamethod of the globals. */
static int l_new_global(lua_State *L)
{
    const struct task *t = vm_of(L)->running; /* NULL while scripts load */
    struct ctx *c = t ? request_of(t) : NULL;
    if (c && !lua_isnil(L, 3) && !was_told(&ctx_script(c)->told_global))
        tell_global(L, c);
    lua_rawset(L, 1);
    return 0;
}

void mistakes_open(lua_State *L)
{
    lua_pushglobaltable(L);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_new_global);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}

#include "lua/modules/postgres/copy.h"

#include "lua/modules/postgres/link.h"
#include "lua/modules/postgres/value.h"

#include <limits.h>
#include <stdlib.h>

/* COPY. From copy to end_copy the link is busy. */

static int step_copy(lua_State *L, struct link *k, unsigned *events)
{
    while (link_take(k, events)) {
        if (!k->result) {
            link_end(L, k);
            return value_blame(L, "db:copy takes a statement COPY … FROM STDIN");
        }
        switch (PQresultStatus(k->result)) {
        case PGRES_COPY_IN:
            k->unsent = 0;
            return 0;
        case PGRES_COPY_OUT:
        case PGRES_COPY_BOTH:
            return value_blame(L, "db:copy takes a statement COPY … FROM STDIN");
        case PGRES_FATAL_ERROR:
            link_keep_failure(k);
            break;
        default:
            break;
        }
    }
    return LINK_WAITS;
}

/* link:copy(text, seconds) */
static int l_copy(lua_State *L)
{
    struct link *k = link_idle(L);
    const char *text = luaL_checkstring(L, 2);
    link_begin(L, k, 3);
    link_set_text(L, 2);
    if (!PQsendQuery(k->pg, text))
        return link_raise_lost(L, k);
    lua_settop(L, 1);
    return link_run(L, k, step_copy);
}

static struct link *check_copying(lua_State *L)
{
    struct link *k = link_live(L);
    if (k->state != LINK_BUSY || PQresultStatus(k->result) != PGRES_COPY_IN)
        value_blame(L, "no COPY is under way");
    return k;
}

/* The rest of what the server has to say: an error, at the most. */
static int step_refused(lua_State *L, struct link *k, unsigned *events)
{
    while (link_take(k, events)) {
        if (!k->result) {
            link_end(L, k);
            return value_blame(L, "the server has ended the COPY");
        }
        link_keep_failure(k);
    }
    return LINK_WAITS;
}

enum { COPY_PORTION = 32 << 10 };

/* Until everything is with the system, so that whoever writes keeps the server's pace, and others
 * have their turns. */
static int step_put(lua_State *L, struct link *k, unsigned *events)
{
    bool had_turn = k->unsent == 0;
    k->unsent = 0;
    if (!link_flush(L, k, events))
        return LINK_WAITS;
    *events = DESCRIPTOR_WRITABLE;
    return had_turn ? 0 : LINK_WAITS;
}

/* link:put(text, seconds) */
static int l_put(lua_State *L)
{
    size_t n;
    struct link *k = check_copying(L);
    const char *text = luaL_checklstring(L, 2, &n);
    luaL_argcheck(L, n <= INT_MAX / 2, 2, "too long for one piece");
    link_renew(L, k, 3);
    int done = PQputCopyData(k->pg, text, (int)n);
    lua_settop(L, 1);
    k->unsent += n;
    if (done > 0 && k->unsent < COPY_PORTION)
        return 0;
    return link_run(L, k, done > 0 ? step_put : step_refused);
}

static int step_end_copy(lua_State *L, struct link *k, unsigned *events)
{
    while (link_take(k, events)) {
        if (!k->result) {
            link_end(L, k);
            return 1;
        }
        if (PQresultStatus(k->result) != PGRES_COMMAND_OK) {
            link_keep_failure(k);
            continue;
        }
        lua_settop(L, 1);
        lua_pushinteger(L, strtoll(PQcmdTuples(k->result), NULL, 10));
    }
    return LINK_WAITS;
}

/* link:end_copy(seconds) → the number of rows */
static int l_end_copy(lua_State *L)
{
    struct link *k = check_copying(L);
    link_renew(L, k, 2);
    lua_settop(L, 1);
    int done = PQputCopyEnd(k->pg, NULL);
    return link_run(L, k, done > 0 ? step_end_copy : step_refused);
}

/* Notifications. */

static int l_push_notification(lua_State *L)
{
    const PGnotify *n = lua_touserdata(L, 1);
    lua_pushstring(L, n->relname);
    lua_pushstring(L, n->extra);
    return 2;
}

static int push_notification(lua_State *L, PGnotify *n)
{
    lua_pushcfunction(L, l_push_notification);
    lua_pushlightuserdata(L, n);
    int failed = lua_pcall(L, 1, 2, 0);
    PQfreemem(n);
    return failed ? lua_error(L) : 2;
}

static int step_notification(lua_State *L, struct link *k, unsigned *events)
{
    PGnotify *n = PQnotifies(k->pg);
    if (n) {
        k->state = LINK_IDLE;
        return push_notification(L, n);
    }
    if (PQstatus(k->pg) != CONNECTION_OK)
        return link_raise_lost(L, k);
    *events = DESCRIPTOR_READABLE;
    return LINK_WAITS;
}

/* link:notification() → channel, payload */
static int l_notification(lua_State *L)
{
    struct link *k = link_idle(L);
    lua_settop(L, 1);
    link_begin(L, k, 2);
    return link_run(L, k, step_notification);
}

const luaL_Reg copy_methods[] = {{"copy", l_copy}, {"put", l_put}, {"end_copy", l_end_copy},
    {"notification", l_notification}, {NULL, NULL}};

#include "lua/modules/postgres/query.h"

#include "lua/modules/postgres/link.h"
#include "lua/modules/postgres/parameters.h"
#include "lua/modules/postgres/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Preparing. */

/* Pushes the numbers of the types, 4 bytes each. */
static void push_types(lua_State *L, const PGresult *r, int n, Oid (*type)(const PGresult *, int))
{
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (int i = 0; i < n; i++) {
        uint32_t number = type(r, i);
        luaL_addlstring(&b, (const char *)&number, sizeof number);
    }
    luaL_pushresult(&b);
}

/* What is told of a statement: the types of its parameters, and of its columns. */
static int step_describe(lua_State *L, struct link *k, unsigned *events)
{
    while (link_take(k, events)) {
        if (!k->result) {
            link_end(L, k);
            return 2;
        }
        if (PQresultStatus(k->result) != PGRES_COMMAND_OK) {
            link_keep_failure(k);
            continue;
        }
        lua_settop(L, 2);
        push_types(L, k->result, PQnparams(k->result), PQparamtype);
        push_types(L, k->result, PQnfields(k->result), PQftype);
    }
    return LINK_WAITS;
}

static int step_prepare(lua_State *L, struct link *k, unsigned *events)
{
    while (link_take(k, events)) {
        if (k->result) {
            if (PQresultStatus(k->result) != PGRES_COMMAND_OK)
                link_keep_failure(k);
            continue;
        }
        if (k->failure)
            link_end(L, k);
        if (!PQsendDescribePrepared(k->pg, lua_tostring(L, 2)))
            return link_raise_lost(L, k);
        k->step = step_describe;
        return step_describe(L, k, events);
    }
    return LINK_WAITS;
}

/* link:prepare(name, text, seconds) → types of its parameters, types of its columns: strings, with
 * 4 bytes for each */
static int l_prepare(lua_State *L)
{
    struct link *k = link_idle(L);
    const char *name = luaL_checkstring(L, 2);
    const char *text = luaL_checkstring(L, 3);
    link_begin(L, k, 4);
    link_set_text(L, 3);
    if (!PQsendPrepare(k->pg, name, text, 0, NULL))
        return link_raise_lost(L, k);
    lua_settop(L, 2);
    return link_run(L, k, step_prepare);
}

/* Sending. The stack is link, name or text, types or nil, parameters, seconds, whether the
 * statement has been prepared just now. */
enum { AT_LINK = 1, AT_TEXT, AT_TYPES, AT_PARAMETERS, AT_SECONDS, AT_IS_NEW };

/* A statement with types was prepared under that name; one without is sent as it is. */
static void send(lua_State *L, struct link *k)
{
    const char *text = luaL_checkstring(L, AT_TEXT);
    luaL_checktype(L, AT_PARAMETERS, LUA_TTABLE);
    lua_settop(L, AT_IS_NEW);
    link_begin(L, k, AT_SECONDS);
    bool is_prepared = !lua_isnil(L, AT_TYPES);
    k->may_be_stale = is_prepared && !lua_toboolean(L, AT_IS_NEW);
    if (!is_prepared)
        link_set_text(L, AT_TEXT);
    struct parameters p = parameters_read(L, k, AT_PARAMETERS, AT_TYPES);
    int sent = is_prepared
                   ? PQsendQueryPrepared(k->pg, text, p.n, p.values, p.lengths, p.formats, 0)
                   : PQsendQueryParams(k->pg, text, p.n, NULL, p.values, p.lengths, p.formats, 0);
    if (!sent)
        link_raise_lost(L, k);
    PQsetSingleRowMode(k->pg);
}

/* Results. */

static void push_columns(lua_State *L, const PGresult *r)
{
    int n = PQnfields(r);
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
        lua_pushstring(L, PQfname(r, i));
        lua_rawseti(L, -2, i + 1);
    }
}

/* Pushes the only row of the result, by the names at the index. NULL is absent. */
static void push_row(lua_State *L, const PGresult *r, int columns, int elements)
{
    int n = PQnfields(r);
    lua_createtable(L, 0, n);
    for (int i = 0; i < n; i++) {
        if (PQgetisnull(r, 0, i))
            continue;
        lua_rawgeti(L, columns, i + 1);
        value_push(L, elements, PQftype(r, i),
            (struct str){PQgetvalue(r, 0, i), (size_t)PQgetlength(r, 0, i)});
        lua_rawset(L, -3);
    }
}

/* The number of rows that were changed: none by what reads. */
static lua_Integer affected(PGresult *r)
{
    bool reads =
        strncmp(PQcmdStatus(r), "SELECT", 6) == 0 || strncmp(PQcmdStatus(r), "FETCH", 5) == 0;
    return reads ? 0 : strtoll(PQcmdTuples(r), NULL, 10);
}

/* COPY has a function of its own: nothing else can be done with the link. */
static void refuse_copy(lua_State *L, struct link *k)
{
    if (PQresultStatus(k->result) == PGRES_COPY_IN)
        PQputCopyEnd(k->pg, "it is for db:copy");
    else
        value_blame(L, "COPY … TO STDOUT is not for scripts: db:rows reads row by row");
}

/* Running. The stack is link, the result's table, elements, columns or nil. */
enum { AT_RESULT = 2, AT_ELEMENTS, AT_COLUMNS };

static void note_columns(lua_State *L, struct link *k)
{
    if (!lua_isnil(L, AT_COLUMNS) || !PQnfields(k->result))
        return;
    push_columns(L, k->result);
    lua_pushvalue(L, -1);
    lua_replace(L, AT_COLUMNS);
    lua_setfield(L, AT_RESULT, "columns");
}

/* A result that is neither rows nor a count: nothing, COPY, or a failure. */
static void take_other(lua_State *L, struct link *k)
{
    switch (PQresultStatus(k->result)) {
    case PGRES_EMPTY_QUERY:
        break;
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        refuse_copy(L, k);
        break;
    default:
        link_keep_failure(k);
    }
}

static void add_result(lua_State *L, struct link *k)
{
    switch (PQresultStatus(k->result)) {
    case PGRES_SINGLE_TUPLE:
        note_columns(L, k);
        push_row(L, k->result, AT_COLUMNS, AT_ELEMENTS);
        lua_rawseti(L, AT_RESULT, (lua_Integer)++k->rows);
        break;
    case PGRES_TUPLES_OK:
        note_columns(L, k);
        /* fall through */
    case PGRES_COMMAND_OK:
        lua_pushinteger(L, affected(k->result));
        lua_setfield(L, AT_RESULT, "affected");
        break;
    default:
        take_other(L, k);
    }
}

/* Whether a prepared statement is none any more: it was dropped, or what it reads has other columns
 * now. */
static bool is_stale(const struct link *k)
{
    const char *state = k->failure ? PQresultErrorField(k->failure, PG_DIAG_SQLSTATE) : NULL;
    return state && k->may_be_stale && PQtransactionStatus(k->pg) == PQTRANS_IDLE &&
           (strcmp(state, "26000") == 0 || strcmp(state, "0A000") == 0);
}

static int push_stale(lua_State *L, struct link *k)
{
    char state[8];
    snprintf(state, sizeof state, "%s", PQresultErrorField(k->failure, PG_DIAG_SQLSTATE));
    PQclear(k->failure);
    k->failure = NULL;
    link_end(L, k);
    lua_pushnil(L);
    lua_pushstring(L, state);
    return 2;
}

static int step_run(lua_State *L, struct link *k, unsigned *events)
{
    while (link_take(k, events)) {
        if (k->result) {
            add_result(L, k);
            continue;
        }
        if (is_stale(k))
            return push_stale(L, k);
        link_end(L, k);
        lua_settop(L, AT_RESULT);
        return 1;
    }
    return LINK_WAITS;
}

static int run(lua_State *L, struct link *k)
{
    lua_settop(L, AT_LINK);
    lua_createtable(L, 1, 2);
    lua_newtable(L);
    lua_setfield(L, AT_RESULT, "columns");
    lua_pushinteger(L, 0);
    lua_setfield(L, AT_RESULT, "affected");
    lua_getiuservalue(L, AT_LINK, LINK_ELEMENTS);
    lua_pushnil(L);
    return link_run(L, k, step_run);
}

/* link:run(name, types, parameters, seconds, is_new), or link:run(text, nil, parameters, seconds) →
 * rows, with columns and affected; nil and the SQLSTATE if the statement has to be prepared anew */
static int l_run(lua_State *L)
{
    struct link *k = link_idle(L);
    send(L, k);
    return run(L, k);
}

/* link:execute(text, seconds) → as link:run: statements without parameters, perhaps several, by the
 * simple protocol */
static int l_execute(lua_State *L)
{
    struct link *k = link_idle(L);
    const char *text = luaL_checkstring(L, 2);
    lua_settop(L, 3);
    link_begin(L, k, 3);
    link_set_text(L, 2);
    if (!PQsendQuery(k->pg, text))
        return link_raise_lost(L, k);
    PQsetSingleRowMode(k->pg);
    return run(L, k);
}

/* Row by row. The stack is link, columns, elements. */

/* Pushes their names, which are made with the first result. */
static void note_fetched_columns(lua_State *L, struct link *k)
{
    if (lua_getiuservalue(L, AT_LINK, LINK_COLUMNS) != LUA_TNIL)
        return;
    lua_pop(L, 1);
    push_columns(L, k->result);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, AT_LINK, LINK_COLUMNS);
}

static int push_next_row(lua_State *L, struct link *k)
{
    lua_settop(L, AT_LINK);
    note_fetched_columns(L, k);
    lua_getiuservalue(L, AT_LINK, LINK_ELEMENTS);
    push_row(L, k->result, 2, 3);
    k->rows++;
    return 1;
}

static int step_fetch(lua_State *L, struct link *k, unsigned *events)
{
    while (link_take(k, events)) {
        if (!k->result) {
            if (is_stale(k) && !k->rows)
                return push_stale(L, k);
            link_end(L, k);
            lua_pushnil(L);
            return 1;
        }
        switch (PQresultStatus(k->result)) {
        case PGRES_SINGLE_TUPLE:
            return push_next_row(L, k);
        case PGRES_TUPLES_OK:
            note_fetched_columns(L, k);
            break;
        case PGRES_COMMAND_OK:
            break;
        default:
            take_other(L, k);
        }
    }
    return LINK_WAITS;
}

/* link:start(name or text, types or nil, parameters, seconds, is_new): link:fetch gives the rows */
static int l_start(lua_State *L)
{
    struct link *k = link_idle(L);
    send(L, k);
    lua_pushnil(L);
    lua_setiuservalue(L, AT_LINK, LINK_COLUMNS);
    k->state = LINK_BUSY;
    return 0;
}

/* link:fetch(seconds) → row; nil at the end; nil and a SQLSTATE as
 * link:run */
static int l_fetch(lua_State *L)
{
    struct link *k = link_live(L);
    if (k->state != LINK_BUSY)
        return luaL_error(L, "no rows are being read");
    link_renew(L, k, 2);
    lua_settop(L, AT_LINK);
    return link_run(L, k, step_fetch);
}

enum { DRAINED_MOST = 1000 }; /* rows */

/* link:columns() → the names of what link:fetch gives; nil before it has given any */
static int l_columns(lua_State *L)
{
    link_live(L);
    lua_getiuservalue(L, AT_LINK, LINK_COLUMNS);
    return 1;
}

/* link:drain() → whether what is left of the rows was there, and has been thrown away, so that the
 * link is idle */
static int l_drain(lua_State *L)
{
    struct link *k = link_live(L);
    if (k->state == LINK_BUSY && !k->waiting.task && PQstatus(k->pg) == CONNECTION_OK) {
        PQconsumeInput(k->pg);
        for (int i = 0; i < DRAINED_MOST && k->state == LINK_BUSY && !PQisBusy(k->pg); i++) {
            PGresult *r = PQgetResult(k->pg);
            ExecStatusType status = PQresultStatus(r);
            PQclear(r);
            if (status >= PGRES_COPY_OUT && status <= PGRES_COPY_IN)
                break;
            if (!r)
                k->state = LINK_IDLE;
        }
    }
    lua_pushboolean(L, k->state == LINK_IDLE);
    return 1;
}

const luaL_Reg query_methods[] = {{"prepare", l_prepare}, {"run", l_run}, {"execute", l_execute},
    {"start", l_start}, {"fetch", l_fetch}, {"columns", l_columns}, {"drain", l_drain},
    {NULL, NULL}};

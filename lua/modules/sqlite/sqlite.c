#include "lua/modules/sqlite/connection.h"
#include "lua/modules/utf8.h"
#include "lua/runtime/error_value.h"
#include "lua/runtime/seam.h"

#include <lauxlib.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * The module "moontrail.sqlite", as lua/moontrail/sql/sqlite.lua uses it. Functions that wait give
 * their result, or nil and a problem: an error as a value, or a text where the script has called
 * wrongly. What a task waits for is interrupted when that ends early.
 *
 *     open(name, options, seconds) → connection
 *     connection:query(text, parameters, seconds, may_write) → rows, cursor; false where it may not
 *     connection:script(text, seconds) → true
 *     connection:writes(text) → boolean, or nil where that is not known yet
 *     connection:in_transaction(), connection:usable(), connection:close()
 *     cursor:more(rows, seconds) → whether there are more; cursor:close()
 */

int luaopen_moontrail_sqlite(lua_State *L) __attribute__((visibility("default")));

static const char connection_key, cursor_key, box_key;

/* Userdata. A cursor has its connection's as its first user value, and as its second the list of
 * columns. */
struct handle {
    struct connection *connection; /* NULL once closed */
    unsigned uses;                 /* in turn: cursors of former ones are closed */
};

struct cursor {
    struct handle *handle;
    unsigned use;
    struct statement *open; /* NULL at its end, and while more is waited for */
};

/* On the stack of a task that waits. */
struct box {
    struct errand *errand;
    struct task *task;
    bool is_done;
};

static void *check_kind(lua_State *L, int index, const char *key, const char *name)
{
    void *p = lua_touserdata(L, index);
    bool fits = false;
    if (p && lua_getmetatable(L, index)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, key);
        fits = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    luaL_argexpected(L, fits, index, name);
    return p;
}

static struct connection *check_connection(lua_State *L)
{
    struct handle *h = check_kind(L, 1, &connection_key, "connection");
    luaL_argcheck(L, h->connection, 1, "the connection is closed");
    return h->connection;
}

/* Problems. */

/* The constraint that a message names: "UNIQUE constraint failed: t.a". */
static void set_constraint(lua_State *L, const char *message)
{
    static const char mark[] = " constraint failed: ";
    const char *at = strstr(message, mark);
    if (at)
        error_value_set(L, "constraint", at + sizeof mark - 1);
}

static void push_failure(lua_State *L, const struct reply *r)
{
    const char *code = database_code_name(r->code);
    if (r->offset >= 0)
        error_value_push(L, KIND_SQL, "%s (%s, at byte %d)", r->message, code, r->offset + 1);
    else if (r->system)
        error_value_push(L, KIND_SQL, "%s (%s, %s)", r->message, code, strerror(r->system));
    else
        error_value_push(L, KIND_SQL, "%s (%s)", r->message, code);
    error_value_set_script(L);
    error_value_set(L, "code", code);
    set_constraint(L, r->message);
    if (r->offset < 0)
        return;
    lua_pushinteger(L, r->offset + 1);
    lua_setfield(L, -2, "position");
}

/* nil, and why. */
static int give_problem(lua_State *L, const struct reply *r)
{
    lua_pushnil(L);
    if (r->kind == REPLY_MISUSE)
        lua_pushstring(L, r->message);
    else
        push_failure(L, r);
    return 2;
}

static int give_timeout(lua_State *L)
{
    lua_pushnil(L);
    error_value_push(L, KIND_TIMEOUT, "the statement has not ended in its time");
    error_value_set_script(L);
    return 2;
}

/* Waiting. */

static int l_box_gc(lua_State *L)
{
    struct box *b = lua_touserdata(L, 1);
    if (b->errand && b->is_done)
        errand_free(b->errand);
    else if (b->errand)
        errand_abandon(b->errand);
    b->errand = NULL;
    return 0;
}

static void on_done(struct errand *e)
{
    struct box *b = e->owner;
    b->is_done = true;
    timer_stop(&b->task->timer);
    task_wake(b->task);
}

static void on_cancel(struct task *t)
{
    struct box *b = t->data;
    timer_stop(&t->timer);
    errand_abandon(b->errand);
    b->errand = NULL;
}

/* What follows on an errand that has been carried out: pushes results. If it raises, the box goes
 * on to own the errand. */
typedef int then(lua_State *L, struct order *o);

static int conclude(lua_State *L, struct box *b, then *f)
{
    int results = f(L, b->errand->order);
    errand_free(b->errand);
    b->errand = NULL;
    return results;
}

static int k_done(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    task_resumed(L);
    struct box *b = lua_touserdata(L, -1);
    if (b->is_done)
        return conclude(L, b, (then *)context);
    errand_abandon(b->errand);
    b->errand = NULL;
    return give_timeout(L);
}

static struct box *push_box(lua_State *L, struct task *t)
{
    struct box *b = lua_newuserdatauv(L, sizeof *b, 0);
    *b = (struct box){.task = t};
    lua_rawgetp(L, LUA_REGISTRYINDEX, &box_key);
    lua_setmetatable(L, -2);
    return b;
}

/* Carries out an order, which it owns, and calls f: now, or after a wait. The box is on top. To be
 * called last. */
static int carry_out(
    lua_State *L, struct box *b, struct connection *c, struct order *o, double seconds, then *f)
{
    b->errand = errand_new(o);
    if (!b->errand)
        return luaL_error(L, "%s", rc_text(RC_NOMEM));
    b->errand->done = on_done;
    b->errand->owner = b;
    if (connection_submit(c, b->errand)) {
        b->is_done = true;
        return conclude(L, b, f);
    }
    timer_start(&b->task->timer, seconds > 0 ? seconds : 0);
    return task_wait(L, b->task, on_cancel, b, (lua_KContext)f, k_done);
}

/* Rows. */

/* Pushes the value at the place, and moves on. */
static const char *push_value(lua_State *L, const char *at)
{
    int64_t integer;
    double number;
    uint64_t n;
    switch (*at++) {
    case 'i':
        memcpy(&integer, at, sizeof integer);
        lua_pushinteger(L, integer);
        return at + sizeof integer;
    case 'f':
        memcpy(&number, at, sizeof number);
        lua_pushnumber(L, number);
        return at + sizeof number;
    case 's':
        memcpy(&n, at, sizeof n);
        lua_pushlstring(L, at + sizeof n, n);
        return at + sizeof n + n;
    default:
        lua_pushnil(L);
        return at;
    }
}

/* Adds the rows of a reply to the table below the list of columns on top. [-0, +0] */
static void add_rows(lua_State *L, const struct reply *r)
{
    int columns = lua_gettop(L), rows = columns - 1;
    lua_Integer count = (lua_Integer)lua_rawlen(L, rows);
    const char *at = r->rows, *end = at + r->n;
    while (at < end) {
        lua_createtable(L, 0, r->columns);
        for (int i = 1; i <= r->columns; i++) {
            lua_rawgeti(L, columns, i);
            at = push_value(L, at);
            lua_rawset(L, -3);
        }
        lua_rawseti(L, rows, ++count);
    }
}

static void push_columns(lua_State *L, const struct reply *r)
{
    const char *name = r->names;
    lua_createtable(L, r->columns, 0);
    for (int i = 1; i <= r->columns; i++, name += strlen(name) + 1) {
        lua_pushstring(L, name);
        lua_rawseti(L, -2, i);
    }
}

/* The connection's userdata is at index 1, and the list of columns on top. */
static void push_cursor(lua_State *L, struct statement *open)
{
    struct cursor *c = lua_newuserdatauv(L, sizeof *c, 2);
    struct handle *h = lua_touserdata(L, 1);
    *c = (struct cursor){h, h->uses, open};
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    lua_pushvalue(L, -2);
    lua_setiuservalue(L, -2, 2);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &cursor_key);
    lua_setmetatable(L, -2);
}

static int then_rows(lua_State *L, struct order *o)
{
    const struct reply *r = &o->reply;
    luaL_checkstack(L, 8, NULL);
    if (r->kind == REPLY_TURN) {
        lua_pushboolean(L, false);
        return 1;
    }
    if (r->kind == REPLY_FAILED || r->kind == REPLY_MISUSE)
        return give_problem(L, r);
    lua_createtable(L, 4, 2);
    push_columns(L, r);
    if (r->kind == REPLY_MORE)
        push_cursor(L, r->open);
    else
        lua_pushnil(L);
    lua_insert(L, -3); /* the cursor is known to the collector before there is more to do */
    add_rows(L, r);
    lua_setfield(L, -2, "columns");
    lua_pushinteger(L, r->affected);
    lua_setfield(L, -2, "affected");
    lua_insert(L, -2);
    return 2;
}

static int then_more(lua_State *L, struct order *o)
{
    const struct reply *r = &o->reply;
    struct cursor *c = lua_touserdata(L, 1);
    luaL_checkstack(L, 8, NULL);
    c->open = r->open;
    if (r->kind == REPLY_FAILED)
        return give_problem(L, r);
    lua_pushvalue(L, 2);
    lua_getiuservalue(L, 1, 2);
    add_rows(L, r);
    lua_pushinteger(L, r->affected);
    lua_setfield(L, 2, "affected");
    lua_pushboolean(L, r->kind == REPLY_MORE);
    return 1;
}

static int then_true(lua_State *L, struct order *o)
{
    if (o->reply.kind == REPLY_FAILED)
        return give_problem(L, &o->reply);
    lua_pushboolean(L, true);
    return 1;
}

/* Parameters. */

/* Strings are text where they are text; else, and where the script says so, bytes. */
static enum parameter_kind kind_of_string(const char *s, size_t n)
{
    return memchr(s, '\0', n) || utf8_length(s, n) != n ? PARAMETER_BLOB : PARAMETER_TEXT;
}

/* sql.bytes */
static bool to_bytes(lua_State *L, struct parameter *p)
{
    p->kind = PARAMETER_BLOB;
    if (lua_getfield(L, -1, "bytes") == LUA_TSTRING)
        p->bytes = lua_tolstring(L, -1, &p->n);
    lua_pop(L, 1);
    return p->bytes;
}

/* The value on top, to which the bytes belong. False for what is no value of a database. */
static bool to_parameter(lua_State *L, struct parameter *p)
{
    *p = (struct parameter){PARAMETER_NULL};
    switch (lua_type(L, -1)) {
    case LUA_TNIL:
    case LUA_TLIGHTUSERDATA: /* sql.null */
        return true;
    case LUA_TBOOLEAN:
        *p = (struct parameter){PARAMETER_INTEGER, .integer = lua_toboolean(L, -1)};
        return true;
    case LUA_TNUMBER:
        if (lua_isinteger(L, -1))
            *p = (struct parameter){PARAMETER_INTEGER, .integer = lua_tointeger(L, -1)};
        else
            *p = (struct parameter){PARAMETER_FLOAT, .number = lua_tonumber(L, -1)};
        return p->kind == PARAMETER_INTEGER || !isnan(p->number);
    case LUA_TSTRING:
        p->bytes = lua_tolstring(L, -1, &p->n);
        p->kind = kind_of_string(p->bytes, p->n);
        return true;
    default:
        return lua_istable(L, -1) && to_bytes(L, p);
    }
}

static void push_refusal(lua_State *L, int number)
{
    if (lua_type(L, -1) == LUA_TNUMBER)
        lua_pushfstring(L, "$%d is not a number (NaN), which SQLite cannot keep", number);
    else
        lua_pushfstring(
            L, "$%d is a %s, which is no value of a database", number, luaL_typename(L, -1));
}

/* Counts the parameters in the list at the index, and their bytes. For one that is none: pushes
 * why, and gives -1. */
static int count_parameters(lua_State *L, int index, size_t *bytes)
{
    struct parameter p;
    lua_getfield(L, index, "n");
    lua_Integer n = lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (n < 0 || n > SHRT_MAX) {
        lua_pushfstring(L, "%I parameters are too many", (LUAI_UACINT)n);
        return -1;
    }
    for (int i = 1; i <= (int)n; i++, lua_pop(L, 1)) {
        lua_rawgeti(L, index, i);
        if (!to_parameter(L, &p)) {
            push_refusal(L, i);
            return -1;
        }
        *bytes += p.n;
    }
    return (int)n;
}

static void keep_parameters(lua_State *L, int index, int count, struct order *o)
{
    for (int i = 1; i <= count; i++, lua_pop(L, 1)) {
        struct parameter p;
        lua_rawgeti(L, index, i);
        to_parameter(L, &p);
        order_keep(o, &p, p.bytes, p.n);
        o->parameters[o->count++] = p;
    }
}

/* The script's side. */

static int l_close(lua_State *L)
{
    struct handle *h = check_kind(L, 1, &connection_key, "connection");
    struct connection *c = h->connection;
    h->connection = NULL;
    if (c)
        connection_close(c);
    return 0;
}

static int then_opened(lua_State *L, struct order *o)
{
    if (o->reply.kind == REPLY_FAILED)
        return give_problem(L, &o->reply);
    lua_pushvalue(L, 1);
    return 1;
}

static struct handle *push_handle(lua_State *L)
{
    struct handle *h = lua_newuserdatauv(L, sizeof *h, 0);
    *h = (struct handle){NULL};
    lua_rawgetp(L, LUA_REGISTRYINDEX, &connection_key);
    lua_setmetatable(L, -2);
    return h;
}

static bool has(lua_State *L, const char *option)
{
    lua_getfield(L, 2, option);
    bool is_set = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return is_set;
}

/* What a value may take of memory, where that has a bound. */
static int limit_of(lua_State *L)
{
    size_t most = vm_of(L)->options.max_memory;
    return most && most < INT_MAX ? (int)most : 0;
}

/* open(name, { full=, memory= }, seconds) */
static int l_open(lua_State *L)
{
    size_t n;
    luaL_checktype(L, 2, LUA_TTABLE);
    double seconds = luaL_checknumber(L, 3);
    struct task *t = task_waiter(L);
    bool is_full = has(L, "full"), in_memory = has(L, "memory");
    lua_settop(L, 3);
    struct handle *h = push_handle(L);
    lua_insert(L, 1);
    const char *name = luaL_checklstring(L, 2, &n);
    struct box *b = push_box(L, t);
    struct order *o = order_new(ORDER_OPEN, name, n, 0, 0);
    h->connection = connection_new(in_memory);
    if (!o || !h->connection) {
        order_free(o);
        return luaL_error(L, "%s", rc_text(RC_NOMEM));
    }
    o->is_full = is_full;
    o->limit = limit_of(L);
    return carry_out(L, b, h->connection, o, seconds, then_opened);
}

/* connection:query(text, parameters, seconds, may_write) */
static int l_query(lua_State *L)
{
    size_t n;
    struct connection *c = check_connection(L);
    const char *text = luaL_checklstring(L, 2, &n);
    luaL_checktype(L, 3, LUA_TTABLE);
    double seconds = luaL_checknumber(L, 4);
    struct task *t = task_waiter(L);
    luaL_argcheck(L, n < INT_MAX, 2, "too long");
    lua_settop(L, 5);
    size_t bytes = 0;
    int count = count_parameters(L, 3, &bytes);
    if (count < 0) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    struct box *b = push_box(L, t);
    struct order *o = order_new(ORDER_QUERY, text, n, count, bytes);
    if (o) {
        o->may_write = lua_toboolean(L, 5);
        keep_parameters(L, 3, count, o);
    }
    return carry_out(L, b, c, o, seconds, then_rows);
}

/* connection:script(text, seconds) */
static int l_script(lua_State *L)
{
    size_t n;
    struct connection *c = check_connection(L);
    const char *text = luaL_checklstring(L, 2, &n);
    double seconds = luaL_checknumber(L, 3);
    struct task *t = task_waiter(L);
    struct box *b = push_box(L, t);
    return carry_out(L, b, c, order_new(ORDER_SCRIPT, text, n, 0, 0), seconds, then_true);
}

/* connection:writes(text) → whether the statement does, or nil where that is not known */
static int l_writes(lua_State *L)
{
    size_t n;
    const struct database *d = connection_database(check_connection(L));
    const char *text = luaL_checklstring(L, 2, &n);
    int writes = d ? database_writes(d, text, n) : -1;
    if (writes < 0)
        lua_pushnil(L);
    else
        lua_pushboolean(L, writes);
    return 1;
}

/* connection:in_transaction() → boolean, while nothing is under way */
static int l_in_transaction(lua_State *L)
{
    const struct database *d = connection_database(check_connection(L));
    lua_pushboolean(L, d && database_in_transaction(d));
    return 1;
}

/* connection:usable() → whether it can be used again, with what was open ended */
static int l_usable(lua_State *L)
{
    struct handle *h = check_kind(L, 1, &connection_key, "connection");
    h->uses++;
    lua_pushboolean(L, h->connection && connection_tidy(h->connection));
    return 1;
}

/* Its statement, which it then no longer has; NULL where that is closed. */
static struct statement *take_open(struct cursor *c)
{
    struct statement *open = c->open;
    c->open = NULL;
    return c->handle->connection && c->use == c->handle->uses ? open : NULL;
}

/* cursor:more(rows, seconds) → whether there are more */
static int l_more(lua_State *L)
{
    struct cursor *c = check_kind(L, 1, &cursor_key, "cursor");
    luaL_checktype(L, 2, LUA_TTABLE);
    double seconds = luaL_checknumber(L, 3);
    struct task *t = task_waiter(L);
    struct box *b = push_box(L, t);
    struct statement *open = take_open(c);
    if (!open)
        return luaL_error(L, "the rows are closed");
    struct order *o = order_new(ORDER_MORE, "", 0, 0, 0);
    if (o)
        o->open = open;
    return carry_out(L, b, c->handle->connection, o, seconds, then_more);
}

/* cursor:close() */
static int l_end(lua_State *L)
{
    struct cursor *c = check_kind(L, 1, &cursor_key, "cursor");
    struct statement *open = take_open(c);
    struct errand *e = open ? errand_new(order_new(ORDER_END, "", 0, 0, 0)) : NULL;
    if (!e)
        return 0;
    e->order->open = open;
    if (connection_submit(c->handle->connection, e))
        errand_free(e);
    return 0;
}

static void make_metatable(
    lua_State *L, const char *key, const luaL_Reg *methods, lua_CFunction close)
{
    lua_newtable(L);
    lua_pushcfunction(L, close);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

int luaopen_moontrail_sqlite(lua_State *L)
{
    static const luaL_Reg functions[] = {{"open", l_open}, {NULL, NULL}};
    static const luaL_Reg connection[] = {{"query", l_query}, {"script", l_script},
        {"writes", l_writes}, {"in_transaction", l_in_transaction}, {"usable", l_usable},
        {"close", l_close}, {NULL, NULL}};
    static const luaL_Reg cursor[] = {{"more", l_more}, {"close", l_end}, {NULL, NULL}};
    static const luaL_Reg box[] = {{NULL, NULL}};
    static bool is_set_up;
    seam_check(L, "moontrail.sqlite");
    if (!is_set_up)
        database_set_up();
    is_set_up = true;
    make_metatable(L, &connection_key, connection, l_close);
    make_metatable(L, &cursor_key, cursor, l_end);
    make_metatable(L, &box_key, box, l_box_gc);
    luaL_newlib(L, functions);
    return 1;
}

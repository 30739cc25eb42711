/* What a handler answers: the head, and the body in pieces. */
#include "http/exchange.h"
#include "lua/ctx/args.h"
#include "lua/ctx/ctx.h"
#include "lua/ctx/ctx_private.h"
#include "lua/ctx/field_table.h"
#include "lua/modules/json/json.h"
#include "lua/runtime/task.h"

/* The head. */

static int l_status(lua_State *L)
{
    struct ctx *c = ctx_live(L);
    if (lua_isnone(L, 2)) {
        lua_pushinteger(L, c->x->response.status);
        return 1;
    }
    lua_Integer status = ctx_check_integer(L, 2);
    ctx_check_that(L, status >= 200 && status <= 599, 2, "not a final status, 200 to 599");
    if (response_set_status(&c->x->response, (int)status))
        return luaL_error(L, "status comes too late: the headers are sent");
    c->status_set = true;
    return 0;
}

/* Raises for an error that a function of response.h gave for a header. */
static int refuse_header(lua_State *L, enum rc rc, struct str name, struct str value)
{
    const char *problem = field_header_problem(name);
    if (!problem)
        problem = field_value_problem(value);
    if (rc == RC_INVALID)
        return luaL_error(
            L, "header \"%s\" %s", name.p, problem ? problem : "is no number of bytes");
    if (rc == RC_STATE)
        return luaL_error(L, "header \"%s\" comes too late: the headers are sent", name.p);
    return luaL_error(L, "header \"%s\": %s", name.p, rc_text(rc));
}

static void check_header(lua_State *L, enum rc rc, struct str name, struct str value)
{
    if (rc)
        refuse_header(L, rc, name, value);
}

/* Sets the header whose name and value are at the indices; a value of nil removes it. */
static void set_header(lua_State *L, struct response *r, int name_at, int value_at)
{
    struct str name = ctx_check_str(L, name_at), value = STR("");
    if (lua_isnil(L, value_at)) {
        check_header(L, outgoing_remove_header(&r->out, name), name, value);
        return;
    }
    value = ctx_check_str(L, value_at);
    check_header(L, outgoing_set_header(&r->out, name, value), name, value);
}

/* Checks that the key and the value on top of the stack can be a header's. */
static void check_pair(lua_State *L)
{
    if (lua_type(L, -2) != LUA_TSTRING)
        luaL_error(L, "a header's name is a string, not a %s", luaL_typename(L, -2));
    if (!lua_isstring(L, -1))
        luaL_error(L, "header \"%s\" has a %s as its value, not a string", lua_tostring(L, -2),
            luaL_typename(L, -1));
}

static void set_headers(lua_State *L, struct response *r)
{
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
        check_pair(L);
        set_header(L, r, lua_absindex(L, -2), lua_absindex(L, -1));
    }
}

static int l_header(lua_State *L)
{
    struct ctx *c = ctx_live(L);
    struct response *r = &c->x->response;
    if (lua_isnone(L, 3) && !lua_istable(L, 2)) {
        field_table_push_values(L, &r->out.head, ctx_check_str(L, 2));
        return 1;
    }
    if (lua_istable(L, 2))
        set_headers(L, r);
    else
        set_header(L, r, 2, 3);
    return 0;
}

static int l_add_header(lua_State *L)
{
    struct ctx *c = ctx_live(L);
    struct str name = ctx_check_str(L, 2), value = ctx_check_str(L, 3);
    check_header(L, outgoing_add_header(&c->x->response.out, name, value), name, value);
    return 0;
}

/* For functions that make a whole response: the error names the function that the script has
 * called. */
static void check_open(lua_State *L, const struct ctx *c, const char *function)
{
    if (c->x->response.out.state != OUTGOING_OPEN)
        luaL_error(L, "ctx:%s: a response was sent already", function);
}

static bool is_redirect(lua_Integer status)
{
    return (status >= 301 && status <= 303) || status == 307 || status == 308;
}

/* redirect(url [, code]) */
static int l_redirect(lua_State *L)
{
    struct ctx *c = ctx_live(L);
    struct response *r = &c->x->response;
    struct str name = STR("location"), url = ctx_check_str(L, 2);
    lua_Integer status = ctx_opt_integer(L, 3, 302);
    ctx_check_that(L, !memchr(url.p, '\t', url.n), 2, "has a tab");
    ctx_check_that(L, is_redirect(status), 3, "not 301, 302, 303, 307 or 308");
    check_open(L, c, "redirect");
    check_header(L, outgoing_set_header(&r->out, name, url), name, url);
    check_header(L, response_set_status(r, (int)status), name, url);
    return 0;
}

/* Waiting. */

static void cancel_write(struct task *t)
{
    const struct ctx *c = t->data;
    if (c->x)
        c->x->want = WANT_NOTHING;
}

/* Waits until the condition is met and goes on with k; if it is met already, does so at once. */
static int wait_writable(lua_State *L, struct ctx *c, enum exchange_want want, lua_KFunction k)
{
    struct task *t = task_waiter(L);
    c->x->want = want;
    if (exchange_want_met(c->x)) {
        c->x->want = WANT_NOTHING;
        return k(L, LUA_OK, (lua_KContext)c->handle);
    }
    c->writer = t;
    return task_wait(L, t, cancel_write, c, (lua_KContext)c->handle, k);
}

static void claim_writer(lua_State *L, const struct ctx *c)
{
    if (c->writer)
        luaL_error(L, "another task is writing to this request");
}

/* Interim responses. */

/* Adds the string key and the value on top of the stack to a list. They must stay on the stack. */
static void collect_field(lua_State *L, struct exchange *x, struct fields *list)
{
    check_pair(L);
    struct str name = ctx_check_str(L, lua_absindex(L, -2));
    struct str value = ctx_check_str(L, lua_absindex(L, -1));
    const char *problem = field_header_problem(name);
    if (!problem)
        problem = field_value_problem(value);
    if (problem)
        luaL_error(L, "header \"%s\" %s", name.p, problem);
    /* The text of a number lasts only as long as its place on the stack. */
    value.p = arena_copy(&x->arena, value.p, value.n);
    if (!value.p || fields_add(list, &x->arena, name, value))
        luaL_error(L, "%s", rc_text(RC_NOMEM));
}

static int k_inform(lua_State *L, int status, lua_KContext handle)
{
    (void)status;
    ctx_resumed(L, handle);
    return 0;
}

static int l_inform(lua_State *L)
{
    struct ctx *c = ctx_live(L);
    struct fields list = {0};
    lua_Integer status = ctx_check_integer(L, 2);
    ctx_check_that(L, status >= 100 && status <= 199 && status != 101, 2,
        "not an interim status, 100 to 199 but 101");
    claim_writer(L, c);
    task_waiter(L);
    lua_settop(L, 3);
    if (!lua_isnil(L, 3)) {
        ctx_check_type(L, 3, LUA_TTABLE);
        for (lua_pushnil(L); lua_next(L, 3); lua_pop(L, 1))
            collect_field(L, c->x, &list);
    }
    enum rc rc = exchange_inform(c->x, (int)status, &list);
    if (rc == RC_STATE)
        return luaL_error(L, "an interim response comes too late: the headers are sent");
    if (rc == RC_INVALID)
        return luaL_error(L, "an interim response has no content-length");
    if (rc)
        return luaL_error(L, "%s", rc_text(rc));
    return wait_writable(L, c, WANT_INFORMED, k_inform);
}

/* The body. */

static void check_write(lua_State *L, enum rc rc)
{
    if (rc == RC_STATE)
        luaL_error(L, "the response has ended");
    if (rc == RC_LIMIT)
        luaL_error(L, "more is written than content-length says");
    if (rc)
        luaL_error(L, "%s", rc_text(rc));
}

static enum rc write_piece(void *exchange, const char *data, size_t n, size_t *taken)
{
    return exchange_write(exchange, data, n, taken);
}

/* Queues as much of the rest of the write as there is room for. Returns whether all of it is
 * queued. */
static bool queue_arguments(lua_State *L, struct ctx *c)
{
    enum rc rc = arguments_write(L, &c->write, write_piece, c->x);
    if (!rc)
        return true;
    if (rc != RC_AGAIN)
        check_write(L, rc);
    return false;
}

static int k_write(lua_State *L, int status, lua_KContext handle)
{
    (void)status;
    struct ctx *c = ctx_resumed(L, handle);
    return queue_arguments(L, c) ? 0 : wait_writable(L, c, WANT_ROOM, k_write);
}

static void check_arguments(lua_State *L)
{
    for (int i = 2; i <= lua_gettop(L); i++)
        ctx_check_str(L, i);
}

/* Begins to write the arguments from index first on. They are strings or numbers. */
static bool start_write(lua_State *L, struct ctx *c, int first)
{
    claim_writer(L, c);
    ctx_before_head(L, c);
    c->write = (struct arguments_left){first, 0};
    return queue_arguments(L, c);
}

static int write_all(lua_State *L, struct ctx *c, int first)
{
    return start_write(L, c, first) ? 0 : wait_writable(L, c, WANT_ROOM, k_write);
}

static int l_write(lua_State *L)
{
    struct ctx *c = ctx_live(L);
    check_arguments(L);
    return write_all(L, c, 2);
}

/* Whether another task is in the midst of a write, into which a piece must not be inserted. */
static bool is_busy(const struct ctx *c)
{
    return c->writer && c->x->response.out.state < OUTGOING_FINISHED;
}

/* try_write(...) → whether all of it was taken */
static int l_try_write(lua_State *L)
{
    struct ctx *c = ctx_live(L);
    bool taken = false;
    size_t len;
    check_arguments(L);
    lua_concat(L, lua_gettop(L) - 1);
    const char *text = lua_tolstring(L, 2, &len);
    if (!is_busy(c)) {
        ctx_before_head(L, c);
        check_write(L, exchange_write_whole(c->x, text, len, &taken));
    }
    lua_pushboolean(L, taken);
    return 1;
}

static int k_flush(lua_State *L, int status, lua_KContext handle)
{
    (void)status;
    ctx_resumed(L, handle);
    return 0;
}

static int l_flush(lua_State *L)
{
    struct ctx *c = ctx_live(L);
    task_waiter(L);
    claim_writer(L, c);
    ctx_before_head(L, c);
    check_write(L, exchange_flush(c->x));
    return wait_writable(L, c, WANT_HANDED, k_flush);
}

static int end_response(lua_State *L, struct ctx *c)
{
    enum rc rc = exchange_finish(c->x);
    if (rc == RC_LIMIT)
        return luaL_error(L, "less is written than content-length says");
    check_write(L, rc);
    return wait_writable(L, c, WANT_SENT, k_flush);
}

static int k_finish(lua_State *L, int status, lua_KContext handle)
{
    (void)status;
    struct ctx *c = ctx_resumed(L, handle);
    if (!queue_arguments(L, c))
        return wait_writable(L, c, WANT_ROOM, k_finish);
    return end_response(L, c);
}

static int l_finish(lua_State *L)
{
    struct ctx *c = ctx_live(L);
    task_waiter(L);
    lua_settop(L, lua_isnoneornil(L, 2) ? 1 : 2);
    check_arguments(L);
    if (!start_write(L, c, 2))
        return wait_writable(L, c, WANT_ROOM, k_finish);
    return end_response(L, c);
}

/* Sets the content-type of a body, unless the handler has set one. */
static void set_type(lua_State *L, struct ctx *c, struct str type)
{
    struct outgoing *out = &c->x->response.out;
    enum rc rc = RC_OK;
    if (!fields_find(&out->head, STR("content-type")))
        rc = fields_add(&out->head, out->arena, STR("content-type"), type);
    check_header(L, rc, STR("content-type"), type);
}

/* Writes one string and ignores further arguments: gsub, for example, also returns a count. */
static int write_typed(lua_State *L, const char *function, struct str type)
{
    struct ctx *c = ctx_live(L);
    ctx_check_body(L, 2);
    lua_settop(L, 2);
    check_open(L, c, function);
    set_type(L, c, type);
    return write_all(L, c, 2);
}

static int l_text(lua_State *L)
{
    return write_typed(L, "text", STR("text/plain; charset=utf-8"));
}

static int l_html(lua_State *L)
{
    return write_typed(L, "html", STR("text/html; charset=utf-8"));
}

static int l_json(lua_State *L)
{
    struct ctx *c = ctx_live(L);
    ctx_check_that(L, !lua_isnone(L, 2), 2, "value expected");
    lua_settop(L, 2);
    check_open(L, c, "json");
    json_push_encoded(L, 2);
    set_type(L, c, STR("application/json"));
    return write_all(L, c, 3);
}

const luaL_Reg ctx_response_functions[] = {
    {"status", l_status},
    {"header", l_header},
    {"add_header", l_add_header},
    {"redirect", l_redirect},
    {"inform", l_inform},
    {"write", l_write},
    {"try_write", l_try_write},
    {"flush", l_flush},
    {"finish", l_finish},
    {"text", l_text},
    {"html", l_html},
    {"json", l_json},
    {NULL, NULL},
};

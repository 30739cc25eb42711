/* What a script writes of its request to another server, while the call is under way. */
#include "lua/client/call.h"
#include "lua/client/call_private.h"
#include "lua/ctx/args.h"

/* Whether more may be written: false once the other server wants no more of it. */
static bool check_write(lua_State *L, struct http_call *h, enum rc rc)
{
    if (rc == RC_STATE && h->failure)
        http_call_raise(L, h);
    if (rc == RC_LIMIT)
        luaL_error(L, "%s is written than content-length says", h->finished ? "less" : "more");
    if (rc && rc != RC_STATE)
        luaL_error(L, "%s", rc_text(rc));
    return !rc;
}

static struct http_call *check_unfinished(lua_State *L)
{
    struct http_call *h = http_call_live(L);
    if (h->finished)
        luaL_error(L, "the request has ended");
    return h;
}

enum progress { QUEUED, WAITS, UNWANTED };

static enum rc write_piece(void *call, const char *data, size_t n, size_t *taken)
{
    return call_write(call, data, n, taken);
}

/* Queues what there is room for of what is left of the write. */
static enum progress queue_arguments(lua_State *L, struct http_call *h)
{
    enum rc rc = arguments_write(L, &h->write, write_piece, &h->call);
    if (rc == RC_AGAIN)
        return WAITS;
    return check_write(L, h, rc) ? QUEUED : UNWANTED;
}

static struct http_call *start_write(lua_State *L)
{
    struct http_call *h = check_unfinished(L);
    http_call_claim_writer(L, h);
    for (int i = 2; i <= lua_gettop(L); i++)
        ctx_check_str(L, i);
    h->write = (struct arguments_left){2, 0};
    return h;
}

static int push_wanted(lua_State *L, bool wanted)
{
    lua_pushboolean(L, wanted);
    return 1;
}

static int write_on(lua_State *L, struct http_call *h);

static int k_write(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    return write_on(L, http_call_resumed(L));
}

static int write_on(lua_State *L, struct http_call *h)
{
    enum progress progress = queue_arguments(L, h);
    return progress == WAITS ? http_call_wait_room(L, h, k_write)
                             : push_wanted(L, progress == QUEUED);
}

/* write(...): whether the other server still wants it. */
static int l_write(lua_State *L)
{
    return write_on(L, start_write(L));
}

static int finish_on(lua_State *L, struct http_call *h);

static int k_finish(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    return finish_on(L, http_call_resumed(L));
}

static int finish_on(lua_State *L, struct http_call *h)
{
    enum progress progress = queue_arguments(L, h);
    if (progress == WAITS)
        return http_call_wait_room(L, h, k_finish);
    h->finished = true;
    return push_wanted(L, progress == QUEUED && check_write(L, h, call_finish(&h->call)));
}

/* finish(...): writes these, and ends the request. */
static int l_finish(lua_State *L)
{
    return finish_on(L, start_write(L));
}

/* append_trailer(name, value): sent behind the request's body. */
static int l_append_trailer(lua_State *L)
{
    struct http_call *h = check_unfinished(L);
    struct str name = ctx_check_str(L, 2), value = ctx_check_str(L, 3);
    enum rc rc = outgoing_append_trailer(&h->call.request, name, value);
    const char *problem = field_trailer_problem(name);
    if (!problem)
        problem = field_value_problem(value);
    if (rc == RC_INVALID)
        return luaL_error(L, "trailer \"%s\" %s", name.p, problem);
    if (rc == RC_STATE)
        return luaL_error(L, "trailer \"%s\" cannot be sent", name.p);
    if (rc)
        return luaL_error(L, "%s", rc_text(rc));
    return 0;
}

const luaL_Reg http_request_functions[] = {
    {"write", l_write},
    {"finish", l_finish},
    {"append_trailer", l_append_trailer},
    {NULL, NULL},
};

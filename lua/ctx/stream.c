/* ctx:protocol, supports_trailers, declare_trailer, append_trailer and reset. */
#include "core/str.h"
#include "http/exchange.h"
#include "lua/ctx/args.h"
#include "lua/ctx/ctx.h"
#include "lua/ctx/ctx_private.h"

static int l_protocol(lua_State *L)
{
    struct ctx *c = ctx_live(L);
    lua_pushstring(L, http_version_text(c->x->request.version));
    return 1;
}

static int l_supports_trailers(lua_State *L)
{
    const struct ctx *c = ctx_live(L);
    lua_pushboolean(L, outgoing_supports_trailers(&c->x->response.out));
    return 1;
}

/* Raises for what response.h gave for a trailer. */
static int refuse(lua_State *L, enum rc rc, const char *problem, const char *late)
{
    const char *name = lua_tostring(L, 2);
    if (rc == RC_INVALID)
        return luaL_error(L, "trailer \"%s\" %s", name, problem);
    if (rc == RC_STATE)
        return luaL_error(L, "trailer \"%s\" comes too late: %s", name, late);
    return luaL_error(L, "trailer \"%s\": %s", name, rc_text(rc));
}

static int l_declare_trailer(lua_State *L)
{
    struct ctx *c = ctx_live(L);
    struct str name = ctx_check_str(L, 2);
    enum rc rc = outgoing_declare_trailer(&c->x->response.out, name);
    if (rc)
        return refuse(L, rc, field_trailer_problem(name), "the headers are sent");
    return 0;
}

static int l_append_trailer(lua_State *L)
{
    struct ctx *c = ctx_live(L);
    struct str name = ctx_check_str(L, 2), value = ctx_check_str(L, 3);
    enum rc rc = outgoing_append_trailer(&c->x->response.out, name, value);
    if (!rc)
        return 0;
    if (rc == RC_STATE && c->x->response.out.state < OUTGOING_FINISHED)
        return luaL_error(L, "trailer \"%s\" cannot be sent: see ctx:supports_trailers()", name.p);
    const char *problem = field_trailer_problem(name);
    return refuse(L, rc, problem ? problem : field_value_problem(value), "the response has ended");
}

/* A reset code: a number of RFC 9113 section 7 or its name. */
static uint32_t check_code(lua_State *L, int index)
{
    uint32_t code = ERROR_CANCEL;
    if (lua_isnoneornil(L, index))
        return code;
    if (lua_type(L, index) == LUA_TSTRING) {
        if (!code_parse(ctx_check_str(L, index), &code))
            ctx_check_that(L, false, index, "no error code has this name");
        return code;
    }
    lua_Integer number = ctx_check_integer(L, index);
    ctx_check_that(L, number >= 0 && number <= UINT32_MAX, index, "not within 0..2^32-1");
    return (uint32_t)number;
}

static int l_reset(lua_State *L)
{
    struct ctx *c = ctx_arg(L);
    uint32_t code = check_code(L, 2);
    if (c->aborted)
        return 0;
    struct exchange *x = c->x;
    ctx_abort(c, cut_of(CUT_BY_HANDLER));
    exchange_reset(x, code);
    ctx_call_callbacks(L, c);
    return 0;
}

const luaL_Reg ctx_stream_functions[] = {
    {"protocol", l_protocol},
    {"supports_trailers", l_supports_trailers},
    {"declare_trailer", l_declare_trailer},
    {"append_trailer", l_append_trailer},
    {"reset", l_reset},
    {NULL, NULL},
};

#include "lua/client/options.h"

#include "core/version.h"
#include "lua/client/call.h"
#include "lua/client/option_value.h"

#include <lauxlib.h>

/* Headers. */

static void check_header(lua_State *L, enum rc rc, struct str name, struct str value)
{
    const char *problem = field_header_problem(name);
    if (!problem)
        problem = field_value_problem(value);
    if (rc == RC_INVALID)
        luaL_error(L, "header \"%s\" %s", name.p, problem ? problem : "is not a number");
    if (rc)
        luaL_error(L, "%s", rc_text(rc));
}

/* Adds a header: its name is at index -2 or deeper, its value on top. */
static void add_header(lua_State *L, struct http_options *o, struct str name)
{
    struct str value;
    if (!lua_isstring(L, -1))
        luaL_error(
            L, "header \"%s\" has a %s as its value, not a string", name.p, luaL_typename(L, -1));
    bool is_host = field_same_name(name, STR("host"));
    if (is_host && lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "header \"host\" is a string");
    value.p = lua_tolstring(L, -1, &value.n);
    if (is_host)
        o->order.authority = value;
    else
        check_header(L, outgoing_add_header(&o->call->call.request, name, value), name, value);
}

/* Adds the header of the key and the value on top. The value may be an array of values. */
static void take_header(lua_State *L, struct http_options *o)
{
    if (lua_type(L, -2) != LUA_TSTRING)
        luaL_error(L, "a header's name is a string, not a %s", luaL_typename(L, -2));
    struct str name;
    name.p = lua_tolstring(L, -2, &name.n);
    if (!lua_istable(L, -1)) {
        add_header(L, o, name);
        return;
    }
    for (int i = 1; lua_geti(L, -1, i) != LUA_TNIL; i++) {
        add_header(L, o, name);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static void take_headers(lua_State *L, struct http_options *o)
{
    if (!lua_istable(L, -1))
        option_refuse(L, "headers", "a table");
    luaL_checkstack(L, 8, "too many headers");
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        take_header(L, o);
}

/* The other options. */

static void take_url(lua_State *L, struct http_options *o)
{
    o->order.url = option_string(L, "url");
}

static void take_method(lua_State *L, struct http_options *o)
{
    o->order.method = option_string(L, "method");
}

static void take_path(lua_State *L, struct http_options *o)
{
    o->order.target = option_string(L, "path");
}

static void take_timeout(lua_State *L, struct http_options *o)
{
    o->timeout = option_seconds(L, "timeout");
}

static void take_connect_timeout(lua_State *L, struct http_options *o)
{
    o->order.options.connect_timeout = option_seconds(L, "connect_timeout");
}

static void take_idle_timeout(lua_State *L, struct http_options *o)
{
    double seconds = option_seconds(L, "idle_timeout");
    o->order.options.response_timeout = o->order.options.idle_timeout = seconds;
}

static void take_keepalive(lua_State *L, struct http_options *o)
{
    o->order.options.keepalive = option_seconds(L, "keepalive");
}

static void take_spread(lua_State *L, struct http_options *o)
{
    o->order.options.spread = option_boolean(L, "spread");
}

static void take_version(lua_State *L, struct http_options *o)
{
    struct str version = option_string(L, "version");
    if (str_eq(version, STR("1.1")))
        o->order.options.version = CALL_HTTP_1;
    else if (str_eq(version, STR("2")))
        o->order.options.version = CALL_HTTP_2;
    else
        luaL_error(L, "version is \"1.1\" or \"2\"");
}

static void take_verify(lua_State *L, struct http_options *o)
{
    o->order.options.insecure = !option_boolean(L, "verify");
}

static void take_ca(lua_State *L, struct http_options *o)
{
    o->order.options.cas = option_string(L, "ca").p;
}

/* Leaves the body alone: the code that sends it reads it. */
static void take_nothing(lua_State *L, struct http_options *o)
{
    (void)L, (void)o;
}

static const struct option {
    const char *name;
    void (*take)(lua_State *L, struct http_options *o);
} options[] = {
    {"url", take_url},
    {"method", take_method},
    {"path", take_path},
    {"headers", take_headers},
    {"body", take_nothing},
    {"timeout", take_timeout},
    {"connect_timeout", take_connect_timeout},
    {"idle_timeout", take_idle_timeout},
    {"keepalive", take_keepalive},
    {"spread", take_spread},
    {"version", take_version},
    {"verify", take_verify},
    {"ca", take_ca},
};

/* Reads the option of the key and the value on top. Unknown names are refused, since a misspelled
 * option would go unnoticed. */
static void take_option(lua_State *L, struct http_options *o)
{
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : luaL_typename(L, -2);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (strcmp(options[i].name, name) == 0) {
            options[i].take(L, o);
            return;
        }
    }
    luaL_error(L, "a request has no option %s", name);
}

/* Sets a header, unless the script has set it. */
static void set_default(lua_State *L, struct outgoing *request, struct str name, struct str value)
{
    if (!fields_find(&request->head, name))
        check_header(L, outgoing_set_header(request, name, value), name, value);
}

void http_options_read(lua_State *L, int index, struct http_options *o)
{
    struct outgoing *request = &o->call->call.request;
    o->order.options = call_options_default;
    if (!lua_isnoneornil(L, index)) {
        luaL_checktype(L, index, LUA_TTABLE);
        for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
            take_option(L, o);
    }
    set_default(L, request, STR("user-agent"), STR("moontrail/" MOONTRAIL_VERSION));
    set_default(L, request, STR("te"), STR("trailers"));
}

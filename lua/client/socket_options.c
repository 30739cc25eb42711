#include "lua/client/socket_options.h"

#include "lua/client/option_value.h"

#include <lauxlib.h>

enum {
    POOL_SIZE = 32,
    POOL_SIZE_MAX = 100000,
};

void socket_options_init(struct socket_options *o)
{
    *o = (struct socket_options){.tls.verify = true,
        .connect_timeout = 10,
        .timeout = 60,
        .pool_idle = 60,
        .pool_size = POOL_SIZE};
}

/* A string of one byte at least, without NUL. */
static const char *take_text(lua_State *L, const char *name)
{
    struct str s = option_string(L, name);
    if (s.n == 0 || strlen(s.p) != s.n)
        luaL_error(L, "%s is empty, or has a NUL in it", name);
    return s.p;
}

static void take_connect_timeout(lua_State *L, struct socket_options *o)
{
    o->connect_timeout = option_seconds(L, "connect_timeout");
}

static void take_timeout(lua_State *L, struct socket_options *o)
{
    o->timeout = option_seconds(L, "timeout");
}

static void take_pool(lua_State *L, struct socket_options *o)
{
    o->pool = option_string(L, "pool");
}

static void take_pool_size(lua_State *L, struct socket_options *o)
{
    int exact;
    o->pool_size = lua_tointegerx(L, -1, &exact);
    if (!exact || lua_type(L, -1) != LUA_TNUMBER)
        option_refuse(L, "pool_size", "a whole number");
    if (o->pool_size < 0 || o->pool_size > POOL_SIZE_MAX)
        luaL_error(L, "pool_size is not within 0..%d", POOL_SIZE_MAX);
}

static void take_pool_idle(lua_State *L, struct socket_options *o)
{
    o->pool_idle = option_seconds(L, "pool_idle");
}

static void take_verify(lua_State *L, struct socket_options *o)
{
    o->tls.verify = option_boolean(L, "verify");
}

static void take_ca(lua_State *L, struct socket_options *o)
{
    o->tls.ca = take_text(L, "ca");
}

static void take_cert(lua_State *L, struct socket_options *o)
{
    o->tls.cert = take_text(L, "cert");
}

static void take_key(lua_State *L, struct socket_options *o)
{
    o->tls.key = take_text(L, "key");
}

static void take_server_name(lua_State *L, struct socket_options *o)
{
    o->tls.server_name = take_text(L, "server_name");
}

/* Adds the name on top. */
static void add_protocol(lua_State *L, struct socket_options *o)
{
    struct str name = option_string(L, "a name in alpn");
    if (name.n == 0 || name.n > UINT8_MAX || o->tls.alpn.n + 1 + name.n > sizeof o->alpn)
        luaL_error(L, "alpn has a name that is empty, or too many bytes");
    o->alpn[o->tls.alpn.n] = (char)name.n;
    memcpy(o->alpn + o->tls.alpn.n + 1, name.p, name.n);
    o->tls.alpn = (struct str){o->alpn, o->tls.alpn.n + 1 + name.n};
}

/* A name, or an array of names. */
static void take_alpn(lua_State *L, struct socket_options *o)
{
    o->tls.alpn = STR("");
    if (lua_type(L, -1) == LUA_TSTRING) {
        add_protocol(L, o);
        return;
    }
    if (!lua_istable(L, -1))
        option_refuse(L, "alpn", "a name or an array of names");
    for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
        add_protocol(L, o);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static const struct option {
    const char *name;
    void (*take)(lua_State *L, struct socket_options *o);
    unsigned where; /* bits of enum socket_options_for */
} known_options[] = {
    {"connect_timeout", take_connect_timeout, OPTIONS_TO_CONNECT},
    {"timeout", take_timeout, OPTIONS_TO_CONNECT},
    {"pool", take_pool, OPTIONS_TO_CONNECT},
    {"pool_size", take_pool_size, OPTIONS_TO_CONNECT | OPTIONS_TO_KEEP},
    {"pool_idle", take_pool_idle, OPTIONS_TO_CONNECT | OPTIONS_TO_KEEP},
    {"verify", take_verify, OPTIONS_TO_CONNECT | OPTIONS_OF_TLS},
    {"ca", take_ca, OPTIONS_TO_CONNECT | OPTIONS_OF_TLS},
    {"cert", take_cert, OPTIONS_TO_CONNECT | OPTIONS_OF_TLS},
    {"key", take_key, OPTIONS_TO_CONNECT | OPTIONS_OF_TLS},
    {"server_name", take_server_name, OPTIONS_TO_CONNECT | OPTIONS_OF_TLS},
    {"alpn", take_alpn, OPTIONS_TO_CONNECT | OPTIONS_OF_TLS},
};

/* Reads the option of the key and the value on top. Unknown names are refused, since a misspelled
 * option would go unnoticed. */
static void take_option(lua_State *L, enum socket_options_for purpose, struct socket_options *o)
{
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : luaL_typename(L, -2);
    for (size_t i = 0; i < sizeof known_options / sizeof *known_options; i++) {
        const struct option *option = &known_options[i];
        if (strcmp(option->name, name) || !(option->where & purpose))
            continue;
        option->take(L, o);
        o->speaks_of_tls |= option->where & OPTIONS_OF_TLS;
        return;
    }
    luaL_error(L, "%s has no option %s",
        purpose == OPTIONS_TO_CONNECT ? "a socket"
        : purpose == OPTIONS_TO_KEEP  ? "keep"
                                      : "start_tls",
        name);
}

void socket_options_read(
    lua_State *L, int index, enum socket_options_for purpose, struct socket_options *o)
{
    if (lua_isnoneornil(L, index))
        return;
    luaL_checktype(L, index, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        take_option(L, purpose, o);
    if (o->tls.key && !o->tls.cert)
        luaL_error(L, "key is given without cert");
}

void socket_options_push_tls(lua_State *L, int index)
{
    lua_newtable(L);
    for (size_t i = 0; i < sizeof known_options / sizeof *known_options; i++) {
        if (!(known_options[i].where & OPTIONS_OF_TLS))
            continue;
        lua_getfield(L, index, known_options[i].name);
        lua_setfield(L, -2, known_options[i].name);
    }
}

#include "lua/modules/zlib/zlib.h"

#include "lua/modules/zlib/zlib_stream.h"
#include "lua/runtime/error_value.h"

#include <lauxlib.h>
#include <lua.h>
#include <string.h>

enum {
    DEFLATE_KIB = 264, /* about what zlib holds for a stream */
    INFLATE_KIB = 40,
    LIMIT = 16 << 20, /* bytes that inflate gives by default */
};

/* The names of the metatables. */
static const char deflate_name[] = "moontrail.zlib.deflate";
static const char inflate_name[] = "moontrail.zlib.inflate";

/* Options. */

struct options {
    enum zlib_format format;
    int level;
    uint64_t limit;
};

/* The format that the string on top names. */
static enum zlib_format to_format(lua_State *L, bool inflates)
{
    static const char *const names[] = {"gzip", "zlib", "raw", "auto"};
    const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    for (int i = ZLIB_GZIP; i <= (inflates ? ZLIB_AUTO : ZLIB_RAW); i++)
        if (strcmp(names[i], name) == 0)
            return (enum zlib_format)i;
    return luaL_error(L, "zlib: format is \"gzip\", \"zlib\"%s",
        inflates ? ", \"raw\" or \"auto\"" : " or \"raw\"");
}

static int to_level(lua_State *L)
{
    int is_integer;
    lua_Integer level = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer || level < 0 || level > 9)
        return luaL_error(L, "zlib: level is an integer from 0 to 9");
    return (int)level;
}

static uint64_t to_limit(lua_State *L)
{
    int is_integer;
    lua_Integer limit = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer || limit < 0)
        luaL_error(L, "zlib: limit is a whole number of bytes");
    return (uint64_t)limit;
}

/* Reads the option whose name and value are on top. */
static void read_option(lua_State *L, bool inflates, struct options *o)
{
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : luaL_typename(L, -2);
    if (strcmp(name, "format") == 0)
        o->format = to_format(L, inflates);
    else if (strcmp(name, "level") == 0 && !inflates)
        o->level = to_level(L);
    else if (strcmp(name, "limit") == 0 && inflates)
        o->limit = to_limit(L);
    else
        luaL_error(L, "zlib: there is no option %s", name);
}

static struct options read_options(lua_State *L, int index, bool inflates)
{
    struct options o = {inflates ? ZLIB_AUTO : ZLIB_GZIP, Z_DEFAULT_COMPRESSION, LIMIT};
    if (lua_isnoneornil(L, index))
        return o;
    luaL_checktype(L, index, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        read_option(L, inflates, &o);
    return o;
}

/* Streams. */

/* Pushes a closed stream. Tells the collector of the memory that it cannot see. */
static struct zlib_stream *push_stream(lua_State *L, const char *name, int kib)
{
    if (lua_gc(L, LUA_GCISRUNNING))
        lua_gc(L, LUA_GCSTEP, kib);
    struct zlib_stream *s = lua_newuserdatauv(L, sizeof *s, 0);
    memset(s, 0, sizeof *s);
    luaL_setmetatable(L, name);
    return s;
}

static void refuse_output(lua_State *L, const struct zlib_stream *s)
{
    error_value_push_here(L, KIND_LIMIT, "zlib: more than %I bytes", (LUAI_UACINT)s->limit);
    error_value_set(L, "limit", "inflated");
    lua_error(L);
}

/* Raises for an error that a function of zlib_stream.h gave. */
static void check_result(lua_State *L, const struct zlib_stream *s, enum rc rc)
{
    if (rc == RC_LIMIT)
        refuse_output(L, s);
    if (rc == RC_INVALID)
        luaL_error(L, "zlib: %s", s->problem);
    if (rc)
        luaL_error(L, "not enough memory");
}

/* Both functions push an open stream, with the options at the index. */

static struct zlib_stream *open_deflate(lua_State *L, int index)
{
    struct options o = read_options(L, index, false);
    struct zlib_stream *s = push_stream(L, deflate_name, DEFLATE_KIB);
    check_result(L, s, zlib_stream_open_deflate(s, o.format, o.level));
    return s;
}

static struct zlib_stream *open_inflate(lua_State *L, int index)
{
    struct options o = read_options(L, index, true);
    struct zlib_stream *s = push_stream(L, inflate_name, INFLATE_KIB);
    check_result(L, s, zlib_stream_open_inflate(s, o.format, o.limit));
    return s;
}

static struct zlib_stream *check_stream(lua_State *L)
{
    struct zlib_stream *s = luaL_testudata(L, 1, deflate_name);
    return s ? s : luaL_checkudata(L, 1, inflate_name);
}

static struct zlib_stream *check_open(lua_State *L)
{
    struct zlib_stream *s = check_stream(L);
    if (s->state == ZLIB_CLOSED)
        luaL_error(L, "zlib: the stream is closed");
    if (s->state == ZLIB_ENDED)
        luaL_error(L, "zlib: the stream has ended");
    if (s->state == ZLIB_FAILED)
        luaL_error(L, "zlib: the stream has failed");
    return s;
}

/* If Lua has no memory for the output, it is kept for the next call. */
static int push_output(lua_State *L, struct zlib_stream *s)
{
    lua_pushlstring(L, s->out ? (const char *)s->out : "", s->len);
    zlib_stream_drop_output(s);
    return 1;
}

static int l_write(lua_State *L)
{
    struct zlib_stream *s = check_open(L);
    size_t n;
    const char *data = luaL_checklstring(L, 2, &n);
    check_result(L, s, zlib_stream_run(s, data, n, Z_NO_FLUSH));
    return push_output(L, s);
}

static int l_flush(lua_State *L)
{
    struct zlib_stream *s = check_open(L);
    check_result(L, s, zlib_stream_run(s, "", 0, Z_SYNC_FLUSH));
    return push_output(L, s);
}

/* finish([data]) */
static int l_finish(lua_State *L)
{
    struct zlib_stream *s = check_open(L);
    size_t n;
    const char *data = luaL_optlstring(L, 2, "", &n);
    check_result(L, s, zlib_stream_finish(s, data, n));
    return push_output(L, s);
}

static int l_close(lua_State *L)
{
    zlib_stream_close(check_stream(L));
    return 0;
}

/* The module. */

/* deflate([options]) */
static int l_deflate(lua_State *L)
{
    open_deflate(L, 1);
    return 1;
}

/* inflate([options]) */
static int l_inflate(lua_State *L)
{
    open_inflate(L, 1);
    return 1;
}

/* Pushes the result for the data at index 1. */
static int convert(lua_State *L, struct zlib_stream *s)
{
    size_t n;
    const char *data = lua_tolstring(L, 1, &n);
    check_result(L, s, zlib_stream_finish(s, data, n));
    return push_output(L, s);
}

/* compress(data [, options]) */
static int l_compress(lua_State *L)
{
    luaL_checkstring(L, 1);
    return convert(L, open_deflate(L, 2));
}

/* decompress(data [, options]) */
static int l_decompress(lua_State *L)
{
    luaL_checkstring(L, 1);
    return convert(L, open_inflate(L, 2));
}

static const luaL_Reg deflate_methods[] = {
    {"write", l_write}, {"flush", l_flush}, {"finish", l_finish}, {"close", l_close}, {NULL, NULL}};

static const luaL_Reg inflate_methods[] = {
    {"write", l_write}, {"finish", l_finish}, {"close", l_close}, {NULL, NULL}};

static void make_metatable(lua_State *L, const char *name, const luaL_Reg *methods)
{
    static const luaL_Reg ends[] = {{"__gc", l_close}, {"__close", l_close}, {NULL, NULL}};
    luaL_newmetatable(L, name);
    luaL_setfuncs(L, ends, 0);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

int luaopen_moontrail_zlib(lua_State *L)
{
    static const luaL_Reg functions[] = {{"deflate", l_deflate}, {"inflate", l_inflate},
        {"compress", l_compress}, {"decompress", l_decompress}, {NULL, NULL}};
    make_metatable(L, deflate_name, deflate_methods);
    make_metatable(L, inflate_name, inflate_methods);
    luaL_newlib(L, functions);
    return 1;
}

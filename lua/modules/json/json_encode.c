#include "lua/modules/json/json.h"
#include "lua/modules/json/json_private.h"
#include "lua/modules/utf8.h"

#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

enum {
    OUTPUT_FIRST = 1 << 10,
    OUTPUT_KEPT = 64 << 10, /* a larger buffer is not kept for the next document */
    OUTPUT_MAX = 64 << 20,  /* bounds a table that appears many times in itself or in others */
    PATH_NAME_MAX = 40,     /* bytes of one key in the path of an error */
};

/*
 * Each vm has one, in its registry. No Lua code runs while it works (nothing that it does can start
 * a finalizer), so it is never entered twice. An error may leave it at any point: begin() resets
 * it.
 *
 * The value to encode is at the stack index root. Above it follow the key and the value that are
 * being written, for each level; an error takes its path from there. No yajl_gen call can fail:
 * keys are strings, and yajl's own limit of levels is higher than ours.
 */
struct encoder {
    struct json_pool pool; /* stays first; holds gen and out */
    yajl_gen gen;
    const void *mark; /* the metatable of arrays */
    int root;
    char *out;
    size_t used, room;
};

static const char encoder_key;

static void put_value(struct encoder *e, int depth);

/* Frees a large buffer. */
static void trim(struct encoder *e)
{
    if (e->room <= OUTPUT_KEPT)
        return;
    json_pool_drop(e->out);
    e->out = NULL;
    e->room = 0;
}

/* Makes room for n more bytes. may longjmp */
static void grow(struct encoder *e, size_t n)
{
    if (n > OUTPUT_MAX - e->used) {
        trim(e);
        luaL_error(e->pool.L, "json.encode: the document is larger than 64 MiB");
    }
    size_t room = e->room ? e->room : OUTPUT_FIRST;
    while (room < e->used + n)
        room *= 2;
    e->out = json_pool_resize(&e->pool, e->out, room);
    e->room = room;
}

static void on_print(void *encoder, const char *text, size_t n)
{
    struct encoder *e = encoder;
    if (n > e->room - e->used)
        grow(e, n);
    if (n == 1) /* most calls: quotes, commas, colons, brackets */
        e->out[e->used] = *text;
    else
        memcpy(e->out + e->used, text, n);
    e->used += n;
}

static bool is_name(const char *key, size_t n)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    return n > 0 && strspn(key, allowed) == n && (key[0] < '0' || key[0] > '9');
}

/* Adds a key to the path: .name or ["a key"]. */
static void add_name(luaL_Buffer *path, const char *key, size_t n)
{
    bool name = is_name(key, n), cut = n > PATH_NAME_MAX;
    luaL_addstring(path, name ? "." : "[\"");
    luaL_addlstring(path, key, cut ? PATH_NAME_MAX : n);
    luaL_addstring(path, cut ? "..." : "");
    luaL_addstring(path, name ? "" : "\"]");
}

/* Adds the key at the stack index to the path. */
static void add_step(lua_State *L, luaL_Buffer *path, int index)
{
    size_t n;
    char number[32];
    if (lua_type(L, index) == LUA_TSTRING) {
        const char *key = lua_tolstring(L, index, &n);
        add_name(path, key, n);
    } else {
        snprintf(number, sizeof number, "[" LUA_INTEGER_FMT "]", lua_tointeger(L, index));
        luaL_addstring(path, number);
    }
}

/* Raises an error: what is wrong with the value at the depth. */
static void fail(struct encoder *e, int depth, const char *what)
{
    lua_State *L = e->pool.L;
    luaL_Buffer message;
    trim(e);
    luaL_where(L, 1);
    luaL_buffinit(L, &message);
    luaL_addstring(&message, "json.encode: ");
    luaL_addstring(&message, what);
    if (depth > 0)
        luaL_addstring(&message, " at ");
    for (int level = 1; level <= depth; level++)
        add_step(L, &message, e->root + 2 * level - 1);
    luaL_pushresult(&message);
    lua_concat(L, 2);
    lua_error(L);
}

static void fail_keys(struct encoder *e, int depth)
{
    fail(e, depth, "cannot encode a mixed or sparse table (its keys are to be 1..n or strings)");
}

/* The table on the top is nested too deeply. Finds out whether it contains itself. */
static void fail_depth(struct encoder *e, int depth)
{
    for (int level = 1; level <= depth; level++) {
        for (int above = 0; above < level; above++) {
            if (lua_rawequal(e->pool.L, e->root + 2 * level, e->root + 2 * above))
                fail(e, level, "a table contains itself");
        }
    }
    fail(e, depth, "more than 100 levels");
}

/* Writes v so that it reads back as the same float; text has room for any. */
static void format_float(char *text, size_t size, double v)
{
    if (v == floor(v) && fabs(v) < 1e15) {
        snprintf(text, size, "%.1f", v);
    } else {
        for (int digits = 15; digits <= 17; digits++) {
            snprintf(text, size, "%.*g", digits, v);
            if (strtod(text, NULL) == v)
                break;
        }
        if (!strpbrk(text, ".,e"))
            strcat(text, ".0");
    }
    char *comma = strchr(text, ','); /* os.setlocale can make it a comma */
    if (comma)
        *comma = '.';
}

static void put_number(struct encoder *e, int depth)
{
    lua_State *L = e->pool.L;
    char text[40];
    if (lua_isinteger(L, -1)) {
        yajl_gen_integer(e->gen, lua_tointeger(L, -1));
        return;
    }
    double v = lua_tonumber(L, -1);
    if (isnan(v))
        fail(e, depth, "cannot encode nan");
    if (isinf(v))
        fail(e, depth, "cannot encode inf");
    format_float(text, sizeof text, v);
    yajl_gen_number(e->gen, text, strlen(text));
}

/* Writes the string at the index; `what` is the error if it is not UTF-8. yajl's own check accepts
 * surrogates and overlong forms. */
static void put_string(struct encoder *e, int depth, int index, const char *what)
{
    size_t n;
    const char *text = lua_tolstring(e->pool.L, index, &n);
    if (utf8_length(text, n) < n)
        fail(e, depth, what);
    yajl_gen_string(e->gen, (const unsigned char *)text, n);
}

static lua_Integer count_keys(lua_State *L)
{
    lua_Integer n = 0;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        n++;
    return n;
}

/* Continues an array whose keys are not in the order 1..n: looks up those after the n-th, and
 * refuses the table if it has others. [-0, +0] */
static void put_rest(struct encoder *e, int depth, lua_Integer n)
{
    lua_State *L = e->pool.L;
    lua_pushinteger(L, n + 1);
    while (lua_rawgeti(L, -2, n + 1) != LUA_TNIL) {
        put_value(e, depth + 1);
        lua_pop(L, 2);
        n++;
        lua_pushinteger(L, n + 1);
    }
    lua_pop(L, 2);
    if (count_keys(L) != n)
        fail_keys(e, depth);
}

/* Writes the table below the first key and value from lua_next. [-2, +0] */
static void put_array(struct encoder *e, int depth)
{
    lua_State *L = e->pool.L;
    lua_Integer n = 0;
    bool more = true;
    yajl_gen_array_open(e->gen);
    while (more && lua_isinteger(L, -2) && lua_tointeger(L, -2) == n + 1) {
        put_value(e, depth + 1);
        lua_pop(L, 1);
        n++;
        more = lua_next(L, -2);
    }
    if (more) {
        lua_pop(L, 2);
        put_rest(e, depth, n);
    }
    yajl_gen_array_close(e->gen);
}

/* As put_array. [-2, +0] */
static void put_object(struct encoder *e, int depth)
{
    lua_State *L = e->pool.L;
    yajl_gen_map_open(e->gen);
    do {
        if (lua_type(L, -2) != LUA_TSTRING)
            fail_keys(e, depth);
        put_string(e, depth, -2, "cannot encode a key that is not UTF-8");
        put_value(e, depth + 1);
        lua_pop(L, 1);
    } while (lua_next(L, -2));
    yajl_gen_map_close(e->gen);
}

/* Writes a table without keys. */
static void put_empty(struct encoder *e, bool array)
{
    if (array) {
        yajl_gen_array_open(e->gen);
        yajl_gen_array_close(e->gen);
    } else {
        yajl_gen_map_open(e->gen);
        yajl_gen_map_close(e->gen);
    }
}

/* Whether the table on the top is marked as an array: by its metatable, or by that one's. */
static bool is_marked(struct encoder *e)
{
    lua_State *L = e->pool.L;
    if (!lua_getmetatable(L, -1))
        return false;
    bool marked = lua_topointer(L, -1) == e->mark;
    if (!marked && lua_getmetatable(L, -1)) {
        marked = lua_topointer(L, -1) == e->mark;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return marked;
}

static void put_table(struct encoder *e, int depth)
{
    lua_State *L = e->pool.L;
    if (depth == JSON_DEPTH)
        fail_depth(e, depth);
    luaL_checkstack(L, LUA_MINSTACK, "json.encode");
    bool array = is_marked(e);
    lua_pushnil(L);
    if (!lua_next(L, -2))
        put_empty(e, array);
    else if (array || lua_isinteger(L, -2))
        put_array(e, depth);
    else
        put_object(e, depth);
}

/* Writes the value on the top. [-0, +0], may longjmp, as may all of put_ and fail_ */
static void put_value(struct encoder *e, int depth)
{
    lua_State *L = e->pool.L;
    switch (lua_type(L, -1)) {
    case LUA_TNIL:
        yajl_gen_null(e->gen);
        break;
    case LUA_TBOOLEAN:
        yajl_gen_bool(e->gen, lua_toboolean(L, -1));
        break;
    case LUA_TNUMBER:
        put_number(e, depth);
        break;
    case LUA_TSTRING:
        put_string(e, depth, -1, "cannot encode a string that is not UTF-8");
        break;
    case LUA_TTABLE:
        put_table(e, depth);
        break;
    default:
        if (!json_is_null(L, -1))
            fail(e, depth, lua_pushfstring(L, "cannot encode a %s", luaL_typename(L, -1)));
        yajl_gen_null(e->gen);
    }
}

/* Makes the encoder and stores it in the registry. [-0, +1], may longjmp */
static void push_new_encoder(lua_State *L)
{
    struct encoder *e = json_pool_push(L, sizeof *e);
    yajl_alloc_funcs funcs = json_pool_funcs(&e->pool);
    e->pool.L = L;
    e->gen = yajl_gen_alloc(&funcs);
    yajl_gen_config(e->gen, yajl_gen_print_callback, on_print, e);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &encoder_key);
}

/* The vm's encoder. [-0, +0], may longjmp */
static struct encoder *find_encoder(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &encoder_key) == LUA_TNIL) {
        lua_pop(L, 1);
        push_new_encoder(L);
    }
    struct encoder *e = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (list_empty(&e->pool.blocks)) /* its finalizer ran before the caller's */
        luaL_error(L, "json.encode: the Lua state is closing");
    return e;
}

/* Prepares the encoder for the value on the top. */
static void begin(struct encoder *e, lua_State *L)
{
    e->pool.L = L;
    e->root = lua_gettop(L);
    e->used = 0;
    trim(e);
    yajl_gen_reset(e->gen, NULL);
}

void json_push_encoded(lua_State *L, int index)
{
    luaL_checkstack(L, LUA_MINSTACK, "json.encode");
    lua_pushvalue(L, index);
    struct encoder *e = find_encoder(L);
    json_push_mark(L);
    e->mark = lua_topointer(L, -1);
    lua_pop(L, 1);
    begin(e, L);
    put_value(e, 0);
    lua_pushlstring(L, e->out, e->used);
    lua_remove(L, -2);
    trim(e);
}

#include "lua/modules/json/json_private.h"
#include "lua/modules/utf8.h"

#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <string.h>
#include <yajl/yajl_parse.h>

enum {
    OBJECT = -1,
    OBJECT_BEGUN = -2,      /* has no table yet */
    OBJECT_ROOM = 4,        /* keys that an object gets room for at once: saves rehashing */
    VALUES_TO_A_LOOK = 2048 /* from one to the next */
};

static const char look_key = 0; /* in the registry: a function in Lua that does nothing */

/*
 * One document being read. A callback that allocates may start a finalizer, and that may decode a
 * document of its own: so each call takes a decoder for itself. A spare one is kept in the upvalue.
 *
 * On the stack lies for each level its table, and above it in an object the key whose value is
 * awaited. A table is made with the first that goes into it, or at its end, since an empty one has
 * no room to pay for: until then nil lies there.
 *
 * Every some thousand values Lua runs for a moment: the code that bounds how long it runs sets a
 * hook that counts instructions, and it raises there.
 */
struct decoder {
    struct json_pool pool; /* stays first; holds the parser */
    yajl_handle parser;
    const char *problem;            /* why a callback stopped the parser */
    int depth;                      /* levels open */
    int values;                     /* left until the next look */
    lua_Integer counts[JSON_DEPTH]; /* elements of each so far, or OBJECT, or OBJECT_BEGUN */
};

static int refuse(struct decoder *d, const char *problem)
{
    d->problem = problem;
    return 0;
}

/* Lets Lua run for a moment. [-0, +0], may longjmp */
static void look(struct decoder *d)
{
    lua_State *L = d->pool.L;
    d->values = VALUES_TO_A_LOOK;
    if (!(lua_gethookmask(L) & LUA_MASKCOUNT))
        return;
    luaL_checkstack(L, 1, "json.decode");
    lua_rawgetp(L, LUA_REGISTRYINDEX, &look_key);
    lua_call(L, 0, 0);
}

/* Pushes a new array. [-0, +1], may longjmp */
static void push_array(lua_State *L)
{
    lua_newtable(L);
    json_push_mark(L);
    lua_setmetatable(L, -2);
}

/* Moves the value on the top to where it belongs; a document stays. [-1, +0] in an array, [-2, +0]
 * in an object, may longjmp, as may each callback below */
static int store(struct decoder *d)
{
    if (--d->values < 0)
        look(d);
    if (d->depth == 0)
        return 1;
    lua_Integer *count = &d->counts[d->depth - 1];
    if (*count == OBJECT) {
        lua_rawset(d->pool.L, -3);
        return 1;
    }
    if (*count == 0) {
        push_array(d->pool.L);
        lua_replace(d->pool.L, -3);
    }
    lua_rawseti(d->pool.L, -2, ++*count);
    return 1;
}

/* Pushes a new level. */
static int enter(struct decoder *d, lua_Integer count)
{
    if (d->depth == JSON_DEPTH)
        return refuse(d, "more than 100 levels");
    luaL_checkstack(d->pool.L, LUA_MINSTACK, "json.decode");
    lua_pushnil(d->pool.L);
    d->counts[d->depth++] = count;
    return 1;
}

static int on_null(void *decoder)
{
    struct decoder *d = decoder;
    json_push_null(d->pool.L);
    return store(d);
}

static int on_boolean(void *decoder, int value)
{
    struct decoder *d = decoder;
    lua_pushboolean(d->pool.L, value);
    return store(d);
}

/* Pushes the number that the text spells. */
static void push_number(lua_State *L, const char *text, size_t n)
{
    char copy[64];
    if (n < sizeof copy) {
        memcpy(copy, text, n);
        copy[n] = '\0';
        lua_stringtonumber(L, copy);
    } else {
        lua_pushlstring(L, text, n);
        lua_stringtonumber(L, lua_tostring(L, -1));
        lua_remove(L, -2);
    }
}

static int on_number(void *decoder, const char *text, size_t n)
{
    struct decoder *d = decoder;
    push_number(d->pool.L, text, n);
    if (!isfinite(lua_tonumber(d->pool.L, -1)))
        return refuse(d, "number out of range");
    return store(d);
}

static int on_string(void *decoder, const unsigned char *text, size_t n)
{
    struct decoder *d = decoder;
    lua_pushlstring(d->pool.L, (const char *)text, n);
    return store(d);
}

static int on_key(void *decoder, const unsigned char *text, size_t n)
{
    struct decoder *d = decoder;
    if (d->counts[d->depth - 1] == OBJECT_BEGUN) {
        lua_pop(d->pool.L, 1);
        lua_createtable(d->pool.L, 0, OBJECT_ROOM);
        d->counts[d->depth - 1] = OBJECT;
    }
    lua_pushlstring(d->pool.L, (const char *)text, n);
    return 1;
}

static int on_object(void *decoder)
{
    return enter(decoder, OBJECT_BEGUN);
}

static int on_array(void *decoder)
{
    return enter(decoder, 0);
}

static int on_object_end(void *decoder)
{
    struct decoder *d = decoder;
    if (d->counts[--d->depth] == OBJECT_BEGUN) {
        lua_pop(d->pool.L, 1);
        lua_newtable(d->pool.L);
    }
    return store(d);
}

static int on_array_end(void *decoder)
{
    struct decoder *d = decoder;
    if (d->counts[--d->depth] == 0) {
        lua_pop(d->pool.L, 1);
        push_array(d->pool.L);
    }
    return store(d);
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_object,
    .yajl_map_key = on_key,
    .yajl_end_map = on_object_end,
    .yajl_start_array = on_array,
    .yajl_end_array = on_array_end,
};

/* The code unit of a \uXXXX escape at p; 0 when there is none. */
static unsigned escaped_unit(const char *p, const char *end)
{
    unsigned unit = 0;
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return 0;
    for (int i = 2; i < 6; i++) {
        int c = p[i] | 0x20;
        if (c >= '0' && c <= '9')
            unit = unit * 16 + (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            unit = unit * 16 + (unsigned)(c - 'a' + 10);
        else
            return 0;
    }
    return unit;
}

/* The offset of the first escape that is half a surrogate pair, or n. Escapes are paired from the
 * left, which is right unless a backslash stands outside of a string; then the text is malformed
 * anyway. */
static size_t find_half_pair(const char *text, size_t n)
{
    const char *p = text, *end = text + n;
    while (p < end && (p = memchr(p, '\\', (size_t)(end - p)))) {
        unsigned unit = escaped_unit(p, end);
        if ((unit & 0xf800) != 0xd800)
            p += 2;
        else if (unit < 0xdc00 && (escaped_unit(p + 6, end) & 0xfc00) == 0xdc00)
            p += 12;
        else
            return (size_t)(p - text);
    }
    return n;
}

/* Raises for what yajl would take: bytes that are not UTF-8, halves of surrogate pairs (RFC 8259,
 * section 8.2), and \v and \f as white space. */
static void check_text(lua_State *L, const char *text, size_t n)
{
    size_t at = utf8_length(text, n);
    if (at < n)
        luaL_error(L, "json.decode: not UTF-8 at byte %I", (LUAI_UACINT)at + 1);
    at = find_half_pair(text, n);
    if (at < n)
        luaL_error(L, "json.decode: half a surrogate pair at byte %I", (LUAI_UACINT)at + 1);
    const char *bad = memchr(text, '\v', n);
    if (!bad)
        bad = memchr(text, '\f', n);
    if (bad)
        luaL_error(L, "json.decode: control character at byte %I", (LUAI_UACINT)(bad - text) + 1);
}

/* Parses the document, which then lies on the top. False: push_problem tells why. [-0, +?], may
 * longjmp */
static bool parse(struct decoder *d, const char *text, size_t n, size_t *at)
{
    yajl_alloc_funcs funcs = json_pool_funcs(&d->pool);
    d->parser = yajl_alloc(&callbacks, &funcs, d);
    yajl_config(d->parser, yajl_dont_validate_strings, 1);
    yajl_config(d->parser, yajl_allow_trailing_garbage, 1); /* yajl misses a string without end */
    yajl_status status = yajl_parse(d->parser, (const unsigned char *)text, n);
    *at = yajl_get_bytes_consumed(d->parser);
    if (status != yajl_status_ok)
        return false;
    *at += strspn(text + *at, " \t\r\n");
    if (*at < n) {
        ++*at;
        return refuse(d, "trailing garbage");
    }
    return yajl_complete_parse(d->parser) == yajl_status_ok;
}

/* yajl's own words, without what it puts around them: "parse error: " and the end of the line. */
static const char *parser_problem(struct decoder *d)
{
    char *text = (char *)yajl_get_error(d->parser, 0, NULL, 0);
    char *colon = strstr(text, ": ");
    size_t n = strcspn(text, "\n");
    while (n > 0 && text[n - 1] == '.')
        n--;
    text[n] = '\0';
    return colon ? colon + 2 : text;
}

/* Pushes the error's message. [-0, +1], may longjmp */
static void push_problem(struct decoder *d, size_t at)
{
    lua_State *L = d->pool.L;
    const char *problem = d->problem ? d->problem : parser_problem(d);
    luaL_where(L, 1);
    lua_pushfstring(L, "json.decode: %s at byte %I", problem, (LUAI_UACINT)at);
    lua_concat(L, 2);
}

/* Pushes a decoder: the spare one or a new one. [-0, +1], may longjmp */
static struct decoder *push_decoder(lua_State *L)
{
    struct decoder *d = lua_touserdata(L, lua_upvalueindex(1));
    if (d) {
        lua_pushvalue(L, lua_upvalueindex(1));
        lua_pushnil(L);
        lua_replace(L, lua_upvalueindex(1));
    } else {
        d = json_pool_push(L, sizeof *d);
    }
    d->pool.L = L;
    d->problem = NULL;
    d->depth = 0;
    d->values = VALUES_TO_A_LOOK;
    return d;
}

static int l_decode(lua_State *L)
{
    size_t n, at;
    const char *text = luaL_checklstring(L, 1, &n);
    lua_settop(L, 1);
    check_text(L, text, n);
    struct decoder *d = push_decoder(L);
    bool done = parse(d, text, n, &at);
    if (!done)
        push_problem(d, at);
    json_pool_free(&d->pool);
    lua_pushvalue(L, 2);
    lua_replace(L, lua_upvalueindex(1));
    return done ? 1 : lua_error(L);
}

/* Makes what looking needs. [-0, +0], may longjmp */
static void open_look(lua_State *L)
{
    static const char code[] = "return function() end";
    if (luaL_loadbuffer(L, code, sizeof code - 1, "=json.decode"))
        lua_error(L);
    lua_call(L, 0, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &look_key);
}

void json_push_decode(lua_State *L)
{
    open_look(L);
    lua_pushnil(L);
    lua_pushcclosure(L, l_decode, 1);
}

#include "lua/modules/json/json_private.h"
#include "lua/modules/redis/redis_private.h"
#include "lua/modules/redis/resp.h"
#include "lua/runtime/error_value.h"

#include <lauxlib.h>
#include <stdbool.h>

/* Replies as Lua values, from bytes that come in pieces. */

/* An array that is being filled. */
struct level {
    lua_Integer filled, count;
};

struct reader {
    struct str rest;     /* what is not read yet of the chunk, which the first user value holds */
    char *kept;          /* the beginning of a token whose end has not come; a user value */
    size_t kept_n, room; /* its length; room for more */
    size_t spare;        /* elements that arrays may still be made with room for */
    size_t whole;        /* how long that token is, once that is known; else 0 */
    size_t reply;        /* bytes of the reply so far */
    int depth;           /* arrays that are open */
    bool is_list;        /* the outermost of them is what expect has opened */
    struct level levels[REDIS_LEVELS_MAX + 1];
};

/* User values. The arrays that are open lie in a table, outermost first. */
enum { CHUNK = 1, KEPT, ARRAYS, USER_VALUES = ARRAYS };

/* The stack while replies are read. */
enum { AT_ARRAYS = 3, AT_CURRENT };

enum { KEPT_MIN = 256, LINE_SHORT = 32 };

static const char reader_name[] = "moontrail.redis.reader";

/* What may be wrong. */

static int raise_protocol(lua_State *L)
{
    error_value_push_here(L, KIND_PROTOCOL, "redis: the server sent what is no reply");
    return lua_error(L);
}

static int raise_limit(lua_State *L, const char *limit, const char *what, int most)
{
    error_value_push_here(L, KIND_LIMIT, "redis: a reply of more than %d %s", most, what);
    error_value_set(L, "limit", limit);
    return lua_error(L);
}

static int raise_size(lua_State *L)
{
    return raise_limit(L, "redis-reply", "bytes", RESP_REPLY_MAX);
}

/* Keeping what is not whole. The reader lies at index 1. */

static void make_room(lua_State *L, struct reader *r, size_t n)
{
    size_t room = r->room ? r->room : KEPT_MIN;
    if (n <= r->room)
        return;
    while (room < n)
        room *= 2;
    char *kept = lua_newuserdatauv(L, room, 0);
    if (r->kept_n)
        memcpy(kept, r->kept, r->kept_n);
    lua_setiuservalue(L, 1, KEPT);
    r->kept = kept;
    r->room = room;
}

/* Moves n bytes of the rest behind what is kept. */
static void keep(lua_State *L, struct reader *r, size_t n)
{
    make_room(L, r, r->kept_n + n);
    r->kept_n += str_move(&r->rest, r->kept + r->kept_n, n);
}

/* Large ones are not held on to. */
static void forget_kept(lua_State *L, struct reader *r)
{
    r->kept_n = r->whole = 0;
    if (r->room <= RESP_LINE_MAX)
        return;
    lua_pushnil(L);
    lua_setiuservalue(L, 1, KEPT);
    r->kept = NULL;
    r->room = 0;
}

/* How many bytes of the rest the kept token may still take: up to its end, or that of its line. */
static size_t wanted(const struct reader *r)
{
    if (r->whole) {
        size_t missing = r->whole - r->kept_n;
        return missing < r->rest.n ? missing : r->rest.n;
    }
    const char *end = memchr(r->rest.p, '\n', r->rest.n);
    return end ? (size_t)(end - r->rest.p) + 1 : r->rest.n;
}

/* Tokens. */

/* Whether the kept line is to be looked at: it has its end, or is too long. */
static bool line_ends(const struct reader *r)
{
    return r->kept[r->kept_n - 1] == '\n' || r->kept_n >= RESP_LINE_MAX;
}

/* Holds what is known of a token that is not whole against what the reply may be. */
static enum rc check_size(const struct reader *r, const struct resp_token *t)
{
    return t->size > RESP_REPLY_MAX - r->reply ? RC_LIMIT : RC_OK;
}

/* A token that began in the chunk before. A long line is looked at again only once it has its end.
 */
static enum rc continue_token(lua_State *L, struct reader *r, struct resp_token *out)
{
    enum rc rc = RC_AGAIN;
    while (rc == RC_AGAIN && r->rest.n) {
        size_t before = r->kept_n;
        keep(L, r, wanted(r));
        if (r->kept_n < r->whole || (!r->whole && before > LINE_SHORT && !line_ends(r)))
            return RC_AGAIN;
        rc = resp_token((struct str){r->kept, r->kept_n}, out);
        if (check_size(r, out))
            return RC_LIMIT;
        r->whole = out->size;
    }
    return rc;
}

static enum rc begin_token(lua_State *L, struct reader *r, struct resp_token *out)
{
    enum rc rc = resp_token(r->rest, out);
    if (check_size(r, out))
        return RC_LIMIT;
    if (rc == RC_AGAIN && r->rest.n) {
        r->whole = out->size;
        keep(L, r, r->rest.n);
    } else if (!rc) {
        r->rest.p += out->size;
        r->rest.n -= out->size;
    }
    return rc;
}

/* False where more must come. The token's text is good until place is called. */
static bool next_token(lua_State *L, struct reader *r, struct resp_token *out)
{
    enum rc rc = r->kept_n ? continue_token(L, r, out) : begin_token(L, r, out);
    if (rc == RC_LIMIT)
        raise_size(L);
    if (rc == RC_PROTOCOL)
        raise_protocol(L);
    if (rc)
        return false;
    r->reply += out->size;
    return true;
}

/* Values. */

/* "WRONGTYPE Operation against …": the first word is its code. The text is the server's own. */
static void push_error(lua_State *L, struct str text)
{
    const char *space = memchr(text.p, ' ', text.n);
    lua_pushlstring(L, text.p, text.n);
    error_value_push_here(L, KIND_REDIS, "%s", lua_tostring(L, -1));
    lua_pushlstring(L, text.p, space ? (size_t)(space - text.p) : text.n);
    lua_setfield(L, -2, "code");
    lua_remove(L, -2);
}

/* Pushes the value of a token that is no array. */
static void push_value(lua_State *L, const struct reader *r, const struct resp_token *t)
{
    if (t->kind == RESP_INTEGER)
        lua_pushinteger(L, t->number);
    else if (t->kind == RESP_ERROR)
        push_error(L, t->text);
    else if (t->kind != RESP_NULL)
        lua_pushlstring(L, t->text.p, t->text.n);
    else if (r->depth)
        json_push_null(L);
    else
        lua_pushnil(L);
}

/* Arrays. Those that are open lie in the table at AT_ARRAYS, and the innermost at AT_CURRENT. */

/* Opens one. It is made with room for no more elements than can have come: all arrays of a chunk
 * together have what its bytes can fill. */
static void open_array(lua_State *L, struct reader *r, lua_Integer count)
{
    if (r->depth == REDIS_LEVELS_MAX + r->is_list)
        raise_limit(L, "redis-levels", "levels", REDIS_LEVELS_MAX);
    lua_Integer room = count < (lua_Integer)r->spare ? count : (lua_Integer)r->spare;
    r->spare -= (size_t)room;
    lua_createtable(L, (int)room, 0);
    lua_pushvalue(L, -1);
    lua_rawseti(L, AT_ARRAYS, r->depth + 1);
    lua_replace(L, AT_CURRENT);
    r->levels[r->depth++] = (struct level){0, count};
}

/* Closes the innermost, and pushes it. */
static void close_array(lua_State *L, struct reader *r)
{
    lua_pushvalue(L, AT_CURRENT);
    lua_pushnil(L);
    lua_rawseti(L, AT_ARRAYS, r->depth--);
    lua_rawgeti(L, AT_ARRAYS, r->depth);
    lua_replace(L, AT_CURRENT);
}

/* Whether the innermost array is full. */
static bool is_full(const struct reader *r)
{
    const struct level *l = &r->levels[r->depth - 1];
    return l->filled == l->count;
}

/* Puts the value on top where it belongs, and closes what is full with it. True where that is the
 * reply, which is on top then. */
static bool place(lua_State *L, struct reader *r)
{
    while (r->depth) {
        lua_rawseti(L, AT_CURRENT, ++r->levels[r->depth - 1].filled);
        if (r->depth == 1 && r->is_list)
            r->reply = 0;
        if (!is_full(r))
            return false;
        close_array(L, r);
    }
    r->reply = 0;
    r->is_list = false;
    return true;
}

/* Takes a token up; true where the reply is whole, and on top. */
static bool take(lua_State *L, struct reader *r, const struct resp_token *t)
{
    if (t->kind != RESP_ARRAY) {
        push_value(L, r, t);
    } else {
        open_array(L, r, t->number);
        if (t->number)
            return false;
        close_array(L, r);
    }
    return place(L, r);
}

/* The functions. */

static struct reader *check_reader(lua_State *L)
{
    return luaL_checkudata(L, 1, reader_name);
}

/* Takes the chunk at index 2. What is left of the last one is read first, and there is none. */
static void feed(lua_State *L, struct reader *r)
{
    size_t n;
    const char *chunk = luaL_checklstring(L, 2, &n);
    luaL_argcheck(L, r->rest.n == 0, 2, "what came before is not read yet");
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 1, CHUNK);
    r->rest = (struct str){chunk, n};
    r->spare = n / RESP_ELEMENT_MIN;
}

/* Reads on; true where the reply is on top. */
static bool read_on(lua_State *L, struct reader *r, bool *is_error)
{
    struct resp_token t;
    while (next_token(L, r, &t)) {
        *is_error = r->depth == 0 && t.kind == RESP_ERROR;
        bool is_whole = take(L, r, &t);
        if (r->kept_n)
            forget_kept(L, r);
        if (is_whole)
            return true;
    }
    return false;
}

static int l_next(lua_State *L)
{
    struct reader *r = check_reader(L);
    bool is_error;
    lua_settop(L, 2);
    if (!lua_isnil(L, 2))
        feed(L, r);
    lua_getiuservalue(L, 1, ARRAYS);
    lua_rawgeti(L, AT_ARRAYS, r->depth);
    if (!read_on(L, r, &is_error))
        return 0;
    lua_pushinteger(L, (lua_Integer)r->rest.n);
    lua_insert(L, -2);
    lua_pushboolean(L, is_error);
    return 3;
}

/* reader:expect(n) */
static int l_expect(lua_State *L)
{
    struct reader *r = check_reader(L);
    lua_Integer n = luaL_checkinteger(L, 2);
    luaL_argcheck(L, n > 0, 2, "one or more");
    luaL_argcheck(L, r->depth == 0 && r->kept_n == 0, 1, "a reply has begun");
    lua_settop(L, 2);
    lua_getiuservalue(L, 1, ARRAYS);
    lua_pushnil(L);
    open_array(L, r, n);
    r->is_list = true;
    return 0;
}

int redis_l_reader(lua_State *L)
{
    struct reader *r = lua_newuserdatauv(L, sizeof *r, USER_VALUES);
    *r = (struct reader){0};
    lua_newtable(L);
    lua_setiuservalue(L, -2, ARRAYS);
    luaL_setmetatable(L, reader_name);
    return 1;
}

void redis_open_reader(lua_State *L)
{
    static const luaL_Reg methods[] = {{"next", l_next}, {"expect", l_expect}, {NULL, NULL}};
    luaL_newmetatable(L, reader_name);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

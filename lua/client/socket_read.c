/* How a script reads from a socket. A read that fails takes nothing: what has come stays. */
#include "lua/client/socket.h"
#include "lua/runtime/error_value.h"

enum how { READ_ANY, READ_EXACTLY, READ_LINE, READ_UNTIL };

enum { LIMIT = 65536 }; /* bytes of a line, by default */

/* The stack: the socket; the number of bytes, or the mark; the limit. */
enum { SOCKET = 1, WHAT, MOST };

/* Pushes n bytes from the front, and drops `taken`. */
static int give(lua_State *L, struct script_socket *s, size_t n, size_t taken)
{
    struct socket *c = s->socket;
    lua_pushlstring(L, inbox_content(&c->in).p, n);
    socket_consume(c, taken);
    if (c->in.lent && inbox_restore(&c->in)) {
        lua_pushnil(L);
        lua_setiuservalue(L, SOCKET, SOCKET_PLACE);
    }
    return 1;
}

static int raise_limit(lua_State *L, size_t limit)
{
    lua_getiuservalue(L, SOCKET, SOCKET_NAME);
    error_value_push_here(L, KIND_LIMIT, "%s: more than %I bytes without an end",
        lua_tostring(L, -1), (LUAI_UACINT)limit);
    error_value_set(L, "limit", "read");
    return lua_error(L);
}

/* The part that is awaited. Each pushes it and returns 1, or returns 0 if more has to come. */

static int take_any(lua_State *L, struct script_socket *s, struct str content)
{
    size_t max = (size_t)lua_tointeger(L, WHAT);
    size_t n = content.n < max ? content.n : max;
    return n ? give(L, s, n, n) : 0;
}

static int take_exactly(lua_State *L, struct script_socket *s, struct str content)
{
    size_t n = (size_t)lua_tointeger(L, WHAT);
    return content.n >= n ? give(L, s, n, n) : 0;
}

static int take_line(lua_State *L, struct script_socket *s, struct str content)
{
    size_t n, taken, limit = (size_t)lua_tointeger(L, MOST);
    if (find_line(&s->find, content, &n, &taken))
        return n <= limit ? give(L, s, n, taken) : raise_limit(L, limit);
    n = content.n;
    if (n && content.p[n - 1] == '\r')
        n--;
    return n > limit ? raise_limit(L, limit) : 0;
}

static int take_until(lua_State *L, struct script_socket *s, struct str content)
{
    size_t n, limit = (size_t)lua_tointeger(L, MOST);
    struct str mark;
    mark.p = lua_tolstring(L, WHAT, &mark.n);
    if (find_mark(&s->find, content, mark, &n))
        return n <= limit ? give(L, s, n, n + mark.n) : raise_limit(L, limit);
    return s->find.looked > limit ? raise_limit(L, limit) : 0;
}

static int take(lua_State *L, struct script_socket *s, enum how how, struct str content)
{
    switch (how) {
    case READ_ANY:
        return take_any(L, s, content);
    case READ_EXACTLY:
        return take_exactly(L, s, content);
    case READ_LINE:
        return take_line(L, s, content);
    default:
        return take_until(L, s, content);
    }
}

/* The other side has ended its direction before the part was complete. */
static int give_rest(lua_State *L, struct script_socket *s, enum how how, size_t rest)
{
    if (how >= READ_LINE || rest == 0)
        lua_pushnil(L);
    if (rest == 0)
        return 1;
    give(L, s, rest, rest);
    return how >= READ_LINE ? 2 : 1;
}

/* More has to come than there is room for: twice as much will have it. */
static void enlarge(lua_State *L, struct script_socket *s)
{
    struct socket *c = s->socket;
    size_t size = 2 * (c->in.size > INBOX_MAX ? c->in.size : INBOX_MAX);
    socket_lend(c, lua_newuserdatauv(L, size, 0), size);
    lua_setiuservalue(L, SOCKET, SOCKET_PLACE);
}

static int k_read(lua_State *L, int status, lua_KContext how);

static int go_on(lua_State *L, struct script_socket *s, enum how how)
{
    struct socket *c = s->socket;
    struct str content = inbox_content(&c->in);
    int given = take(L, s, how, content);
    if (given)
        return given;
    if (c->state == SOCKET_FAILED)
        return script_socket_raise(L, s);
    if (c->ended)
        return give_rest(L, s, how, content.n);
    if (!socket_has_room(c))
        enlarge(L, s);
    c->wanted = how == READ_EXACTLY ? (size_t)lua_tointeger(L, WHAT) : content.n + 1;
    return script_socket_wait(L, s, &s->reader, s->timeout, how, k_read);
}

static int k_read(lua_State *L, int status, lua_KContext how)
{
    (void)status;
    struct script_socket *s = lua_touserdata(L, SOCKET);
    return go_on(L, script_socket_resumed(L, s, &s->reader), (enum how)how);
}

/* The arguments are complete on the stack. */
static int start(lua_State *L, struct script_socket *s, enum how how)
{
    if (s->reader.task)
        return luaL_error(L, "another task is reading from this socket");
    (void)task_waiter(L);
    s->find = (struct find){0};
    return go_on(L, s, how);
}

/* socket:read([max]) → the next bytes; nil at the end */
static int l_read(lua_State *L)
{
    struct script_socket *s = script_socket_live(L);
    lua_Integer max = luaL_optinteger(L, WHAT, LUA_MAXINTEGER);
    luaL_argcheck(L, max > 0, WHAT, "not above 0");
    lua_settop(L, SOCKET);
    lua_pushinteger(L, max);
    return start(L, s, READ_ANY);
}

/* socket:read_exactly(n) → so many bytes; what is left at the end; nil if that is nothing */
static int l_read_exactly(lua_State *L)
{
    struct script_socket *s = script_socket_live(L);
    lua_Integer n = luaL_checkinteger(L, WHAT);
    luaL_argcheck(L, n >= 0, WHAT, "below 0");
    lua_settop(L, SOCKET);
    lua_pushinteger(L, n);
    return start(L, s, READ_EXACTLY);
}

static void check_limit(lua_State *L)
{
    lua_Integer limit = luaL_optinteger(L, MOST, LIMIT);
    luaL_argcheck(L, limit > 0, MOST, "not above 0");
    lua_settop(L, WHAT);
    lua_pushinteger(L, limit);
}

/* socket:read_line([limit]) → the next line; nil at the end, and what is left without a line's
 * end */
static int l_read_line(lua_State *L)
{
    struct script_socket *s = script_socket_live(L);
    lua_settop(L, WHAT);
    lua_pushnil(L);
    lua_insert(L, WHAT);
    check_limit(L);
    return start(L, s, READ_LINE);
}

/* socket:read_until(mark [, limit]) → what comes before the mark; at the end as read_line */
static int l_read_until(lua_State *L)
{
    struct script_socket *s = script_socket_live(L);
    luaL_checktype(L, WHAT, LUA_TSTRING);
    luaL_argcheck(L, lua_rawlen(L, WHAT) > 0, WHAT, "no byte long");
    check_limit(L);
    return start(L, s, READ_UNTIL);
}

const luaL_Reg script_socket_reads[] = {
    {"read", l_read},
    {"read_exactly", l_read_exactly},
    {"read_line", l_read_line},
    {"read_until", l_read_until},
    {NULL, NULL},
};

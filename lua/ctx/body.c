#include "lua/ctx/body.h"

#include "core/check.h"
#include "lua/runtime/pieces.h"

#include <lauxlib.h>
#include <string.h>

bool body_push_piece(lua_State *L, const struct body_source *s, size_t max)
{
    size_t n;
    const char *piece = bytes_front(s->queue, &n);
    if (n == 0) {
        lua_pushnil(L);
        return s->ended;
    }
    if (n > max)
        n = max;
    lua_pushlstring(L, piece, n);
    s->consume(s->of, n);
    return true;
}

/* Pushes the next n bytes, which are queued. */
static void push_bytes(lua_State *L, const struct body_source *s, size_t n)
{
    size_t front;
    check_hot(n <= s->queue->len);
    const char *piece = bytes_front(s->queue, &front);
    if (front >= n) {
        lua_pushlstring(L, piece, n);
        s->consume(s->of, n);
        return;
    }
    luaL_Buffer b;
    char *out = luaL_buffinitsize(L, &b, n);
    for (size_t have = 0; have < n; have += front) {
        piece = bytes_front(s->queue, &front);
        if (front > n - have)
            front = n - have;
        memcpy(out + have, piece, front);
        s->consume(s->of, front);
    }
    luaL_pushresultsize(&b, n);
}

/* As pieces_keep; the table is made for the first of them. */
static void keep(lua_State *L, int index)
{
    if (lua_isnil(L, index)) {
        lua_newtable(L);
        lua_replace(L, index);
    }
    pieces_keep(L, index);
}

bool body_push_exactly(lua_State *L, const struct body_source *s, int index)
{
    size_t missing = (size_t)lua_tointeger(L, index);
    size_t n = missing < s->queue->len ? missing : s->queue->len;
    bool last = n == missing || s->ended;
    if (!last && !n)
        return false;
    if (n)
        push_bytes(L, s, n);
    else
        lua_pushnil(L);
    if (last && lua_isnil(L, index + 1))
        return true;
    if (n)
        keep(L, index + 1);
    lua_pushinteger(L, (lua_Integer)(missing - n));
    lua_replace(L, index);
    if (last)
        pieces_push_joined(L, index + 1);
    return last;
}

void body_start_whole(lua_State *L, struct body_whole *w, size_t limit)
{
    *w = (struct body_whole){.limit = limit};
    lua_newtable(L);
}

bool body_will_be_too_large(const struct body_whole *w, const struct fields *fields, uint64_t taken)
{
    uint64_t length;
    return fields_length(fields, &length) && length - taken > w->limit - w->size;
}

enum body_step body_push_whole(
    lua_State *L, struct body_whole *w, const struct body_source *s, int index)
{
    while (body_push_piece(L, s, SIZE_MAX)) {
        if (lua_isnil(L, -1)) {
            pieces_push_joined(L, index);
            return BODY_IS_READ;
        }
        w->size += lua_rawlen(L, -1);
        if (w->size > w->limit)
            return BODY_IS_TOO_LARGE;
        pieces_keep(L, index);
    }
    return BODY_WAITS;
}

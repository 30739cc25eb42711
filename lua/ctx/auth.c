/* Who the client says it is, by Basic (RFC 7617). */
#include "http/exchange.h"
#include "lua/ctx/ctx.h"
#include "lua/ctx/ctx_private.h"
#include "lua/modules/base64/base64.h"

/* The only value of a field; false where there is none, or several that may contradict. */
static bool find_only(const struct fields *fields, struct str name, struct str *value)
{
    size_t found = 0;
    for (size_t i = 0; i < fields->count; i++) {
        if (!str_eq(fields->list[i].name, name))
            continue;
        *value = fields->list[i].value;
        found++;
    }
    return found == 1;
}

/* Takes the scheme, in any case, and the spaces behind it off the front. */
static bool take_basic(struct str *s)
{
    if (s->n < 6 || !field_same_letters(s->p, "basic", 5) || s->p[5] != ' ')
        return false;
    *s = field_trim((struct str){s->p + 6, s->n - 6});
    return true;
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return true;
    return false;
}

/* Pushes what stands before the first colon, and what behind it; false for no such text. */
static bool push_pair(lua_State *L, struct str text)
{
    const char *colon = has_control(text) ? NULL : memchr(text.p, ':', text.n);
    if (!colon)
        return false;
    size_t n = (size_t)(colon - text.p);
    lua_pushlstring(L, text.p, n);
    lua_pushlstring(L, colon + 1, text.n - n - 1);
    return true;
}

/* basic_auth() → user, password; or nil */
static int l_basic_auth(lua_State *L)
{
    const struct ctx *c = ctx_live(L);
    struct str s;
    if (find_only(&c->x->request.fields, STR("authorization"), &s) && take_basic(&s)) {
        char *text = lua_newuserdatauv(L, BASE64_ROOM(s.n), 0);
        size_t n;
        if (base64_decode(s, text, &n) && push_pair(L, (struct str){text, n}))
            return 2;
    }
    lua_pushnil(L);
    return 1;
}

const luaL_Reg ctx_auth_functions[] = {{"basic_auth", l_basic_auth}, {NULL, NULL}};

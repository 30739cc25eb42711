#include "lua/modules/escape.h"

#include "core/str.h"

#include <lauxlib.h>

const char *escape_entity(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

static struct str check_str(lua_State *L)
{
    struct str s;
    s.p = luaL_checklstring(L, 1, &s.n);
    return s;
}

/* html(s) */
static int l_html(lua_State *L)
{
    luaL_Buffer b;
    struct str s = check_str(L);
    size_t begun = 0;
    luaL_buffinit(L, &b);
    for (size_t i = 0; i < s.n; i++) {
        const char *entity = escape_entity(s.p[i]);
        if (!entity)
            continue;
        luaL_addlstring(&b, s.p + begun, i - begun);
        luaL_addstring(&b, entity);
        begun = i + 1;
    }
    luaL_addlstring(&b, s.p + begun, s.n - begun);
    luaL_pushresult(&b);
    return 1;
}

/* RFC 3986 2.3. */
static bool is_unreserved(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/* url(s): everything but what has no meaning in any part of a URL */
static int l_url(lua_State *L)
{
    static const char digits[] = "0123456789ABCDEF";
    luaL_Buffer b;
    struct str s = check_str(L);
    char *first = luaL_buffinitsize(L, &b, 3 * s.n), *out = first;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (is_unreserved(c)) {
            *out++ = (char)c;
            continue;
        }
        *out++ = '%';
        *out++ = digits[c >> 4];
        *out++ = digits[c & 15];
    }
    luaL_pushresultsize(&b, (size_t)(out - first));
    return 1;
}

void escape_push(lua_State *L)
{
    static const luaL_Reg functions[] = {{"html", l_html}, {"url", l_url}, {NULL, NULL}};
    luaL_newlib(L, functions);
}

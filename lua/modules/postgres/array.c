#include "lua/modules/postgres/array.h"

#include "lua/modules/postgres/value.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum { LEVELS = 6 }; /* MAXDIM of the server */

struct reader {
    const char *p, *end;
    int elements;
    Oid element;
};

static int raise_malformed(lua_State *L)
{
    return luaL_error(L, "the server has sent an array that is none");
}

/* Pushes the text of a quoted element; the reader stands behind its first quote. */
static void push_quoted(lua_State *L, struct reader *r)
{
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    while (r->p < r->end && *r->p != '"') {
        r->p += *r->p == '\\' && r->p + 1 < r->end;
        luaL_addchar(&b, *r->p++);
    }
    luaL_pushresult(&b);
    if (r->p == r->end)
        raise_malformed(L);
    r->p++;
}

static void push_element(lua_State *L, struct reader *r)
{
    bool is_quoted = *r->p == '"';
    if (is_quoted) {
        r->p++;
        push_quoted(L, r);
    } else {
        size_t n = strcspn(r->p, ",;}");
        lua_pushlstring(L, r->p, n);
        r->p += n;
    }
    struct str text;
    text.p = lua_tolstring(L, -1, &text.n);
    if (!is_quoted && strcasecmp(text.p, "NULL") == 0)
        value_push_function(L, VALUE_NULL);
    else
        value_push(L, r->elements, r->element, text);
    lua_remove(L, -2);
}

static void push_level(lua_State *L, struct reader *r, int level);

static void push_item(lua_State *L, struct reader *r, int level)
{
    if (r->p == r->end)
        raise_malformed(L);
    if (*r->p == '{')
        push_level(L, r, level + 1);
    else
        push_element(L, r);
}

/* The reader stands at the brace. */
static void push_level(lua_State *L, struct reader *r, int level)
{
    luaL_checkstack(L, 8, NULL);
    if (level > LEVELS)
        raise_malformed(L);
    lua_newtable(L);
    r->p++;
    if (r->p < r->end && *r->p == '}') {
        r->p++;
        return;
    }
    for (lua_Integer i = 1;; i++) {
        push_item(L, r, level);
        lua_rawseti(L, -2, i);
        if (r->p == r->end || (*r->p != '}' && *r->p != ',' && *r->p != ';'))
            raise_malformed(L);
        if (*r->p++ == '}')
            return;
    }
}

void array_push(lua_State *L, int elements, Oid element, struct str text)
{
    struct reader r = {text.p, text.p + text.n, elements, element};
    if (text.n && text.p[0] == '[') {
        const char *equals = memchr(text.p, '=', text.n);
        r.p = equals ? equals + 1 : r.end;
    }
    if (r.p == r.end || *r.p != '{')
        raise_malformed(L);
    push_level(L, &r, 1);
}

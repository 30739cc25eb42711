/* Cookies (RFC 6265): those that the client sent, and those that it is to keep. */
#include "core/clock.h"
#include "http/exchange.h"
#include "lua/ctx/args.h"
#include "lua/ctx/ctx.h"
#include "lua/ctx/ctx_private.h"

#include <lauxlib.h>
#include <math.h>

/* Cookies of the request. */

static struct str unquote(struct str s)
{
    if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
        return (struct str){s.p + 1, s.n - 2};
    return s;
}

/* Takes the text before the next ";" off the front; false at the end. */
static bool next_pair(struct str *left, struct str *pair)
{
    if (left->n == 0)
        return false;
    const char *end = memchr(left->p, ';', left->n);
    *pair = (struct str){left->p, end ? (size_t)(end - left->p) : left->n};
    size_t n = pair->n + (end ? 1 : 0);
    *left = (struct str){left->p + n, left->n - n};
    return true;
}

static bool is_named(struct str pair, struct str name, struct str *value)
{
    const char *equals = pair.n ? memchr(pair.p, '=', pair.n) : NULL;
    if (!equals)
        return false;
    size_t n = (size_t)(equals - pair.p);
    *value = unquote(field_trim((struct str){equals + 1, pair.n - n - 1}));
    return str_eq(field_trim((struct str){pair.p, n}), name);
}

/* Finds the first cookie of the name. HTTP/2 may split cookies into several fields (RFC 9113
 * 8.2.3). */
static bool find_cookie(const struct fields *fields, struct str name, struct str *value)
{
    for (size_t i = 0; i < fields->count; i++) {
        struct str left = fields->list[i].value, pair;
        if (!str_eq(fields->list[i].name, STR("cookie")))
            continue;
        while (next_pair(&left, &pair))
            if (is_named(pair, name, value))
                return true;
    }
    return false;
}

/* cookie(name) */
static int l_cookie(lua_State *L)
{
    const struct ctx *c = ctx_live(L);
    struct str name = ctx_check_str(L, 2), value;
    if (find_cookie(&c->x->request.fields, name, &value))
        lua_pushlstring(L, value.p, value.n);
    else
        lua_pushnil(L);
    return 1;
}

/* Cookies of the response. */

/* cookie-octet of RFC 6265 4.1.1. */
static bool is_cookie_octet(unsigned char byte)
{
    return byte > 0x20 && byte < 0x7f && !strchr("\",;\\", byte);
}

static void check_pair(lua_State *L, struct str name, struct str value)
{
    if (field_name_problem(name))
        luaL_error(L, "cookie \"%s\" has a name that is no token", name.p);
    for (size_t i = 0; i < value.n; i++)
        if (!is_cookie_octet((unsigned char)value.p[i]))
            luaL_error(L, "cookie \"%s\" has a value with byte %d, which a cookie can't hold",
                name.p, (unsigned char)value.p[i]);
}

enum { OPTIONS = 4 }; /* the index of the table of options */

/* An option that adds an attribute. push pushes the attribute's text, with the option's value on
 * top of the stack. */
struct attribute {
    const char *option, *name;
    void (*push)(lua_State *L, const struct attribute *a);
};

static void refuse_option(lua_State *L, const struct attribute *a, const char *wanted)
{
    luaL_error(L, "cookie option %s is %s", a->option, wanted);
}

/* av-octet of RFC 6265 4.1.1, and also bytes above 127. */
static void push_text(lua_State *L, const struct attribute *a)
{
    if (lua_type(L, -1) != LUA_TSTRING)
        refuse_option(L, a, "a string");
    struct str s = ctx_check_str(L, -1);
    if (field_value_problem(s) || memchr(s.p, ';', s.n) || memchr(s.p, '\t', s.n))
        refuse_option(L, a, "a string without control characters and \";\"");
    lua_pushfstring(L, "; %s=%s", a->name, s.p);
}

static void push_seconds(lua_State *L, const struct attribute *a)
{
    int is_integer;
    lua_Integer seconds = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer)
        refuse_option(L, a, "a whole number of seconds");
    lua_pushfstring(L, "; %s=%I", a->name, (LUAI_UACINT)seconds);
}

/* The years that RFC 6265 5.1.1 can parse: 1601 to 9999. */
static const lua_Number first_date = -11644473600, last_date = 253402300799;

static void push_expires(lua_State *L, const struct attribute *a)
{
    if (lua_type(L, -1) == LUA_TNUMBER) {
        lua_Number date = floor(lua_tonumber(L, -1));
        if (!(date >= first_date && date <= last_date))
            refuse_option(L, a, "a time of the years 1601 to 9999");
        char text[CLOCK_DATE_LEN + 1];
        clock_format_date((time_t)date, text);
        lua_pushstring(L, text);
        lua_replace(L, -2);
    }
    push_text(L, a);
}

static void push_flag(lua_State *L, const struct attribute *a)
{
    if (!lua_isboolean(L, -1))
        refuse_option(L, a, "a boolean");
    if (lua_toboolean(L, -1))
        lua_pushfstring(L, "; %s", a->name);
    else
        lua_pushliteral(L, "");
}

static bool is_secure(lua_State *L)
{
    lua_pushliteral(L, "secure");
    lua_rawget(L, OPTIONS);
    bool secure = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return secure;
}

static void push_same_site(lua_State *L, const struct attribute *a)
{
    static const char *const values[] = {"Strict", "Lax", "None"};
    struct str given = lua_type(L, -1) == LUA_TSTRING ? ctx_check_str(L, -1) : STR("");
    for (int i = 0; i < 3; i++) {
        if (!field_same_name(given, str_of(values[i])))
            continue;
        if (i == 2 && !is_secure(L))
            luaL_error(L, "cookie option same_site is None only where secure is true");
        lua_pushfstring(L, "; %s=%s", a->name, values[i]);
        return;
    }
    refuse_option(L, a, "\"Strict\", \"Lax\" or \"None\"");
}

/* In the order in which the attributes are sent. */
static const struct attribute attributes[] = {
    {"path", "Path", push_text},
    {"domain", "Domain", push_text},
    {"max_age", "Max-Age", push_seconds},
    {"expires", "Expires", push_expires},
    {"http_only", "HttpOnly", push_flag},
    {"secure", "Secure", push_flag},
    {"same_site", "SameSite", push_same_site},
};

enum { ATTRIBUTES = sizeof attributes / sizeof *attributes };

static bool is_option(const char *name)
{
    for (int i = 0; i < ATTRIBUTES; i++)
        if (strcmp(attributes[i].option, name) == 0)
            return true;
    return false;
}

static void check_options(lua_State *L)
{
    ctx_check_type(L, OPTIONS, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, OPTIONS); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "a cookie option's name is a string, not a %s", luaL_typename(L, -2));
        if (!is_option(lua_tostring(L, -2)))
            luaL_error(L, "there is no cookie option %s", lua_tostring(L, -2));
    }
}

/* Appends the attributes of the options to the text on top. */
static void append_attributes(lua_State *L)
{
    for (const struct attribute *a = attributes; a < attributes + ATTRIBUTES; a++) {
        lua_pushstring(L, a->option);
        if (lua_rawget(L, OPTIONS) == LUA_TNIL) {
            lua_pop(L, 1);
            continue;
        }
        a->push(L, a);
        lua_remove(L, -2);
        lua_concat(L, 2);
    }
}

/* set_cookie(name, value [, options]) */
static int l_set_cookie(lua_State *L)
{
    struct ctx *c = ctx_live(L);
    struct str name = ctx_check_str(L, 2), value = ctx_check_str(L, 3);
    check_pair(L, name, value);
    lua_settop(L, OPTIONS);
    lua_pushfstring(L, "%s=%s", name.p, value.p);
    if (!lua_isnil(L, OPTIONS)) {
        check_options(L);
        append_attributes(L);
    }
    enum rc rc = outgoing_add_header(&c->x->response.out, STR("set-cookie"), ctx_check_str(L, -1));
    if (rc == RC_STATE)
        return luaL_error(L, "ctx:set_cookie: a response was sent already");
    if (rc)
        return luaL_error(L, "cookie \"%s\": %s", name.p, rc_text(rc));
    return 0;
}

const luaL_Reg ctx_cookie_functions[] = {
    {"cookie", l_cookie},
    {"set_cookie", l_set_cookie},
    {NULL, NULL},
};

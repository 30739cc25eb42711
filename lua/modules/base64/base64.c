#include "lua/modules/base64/base64.h"

#include <lauxlib.h>
#include <stdint.h>
#include <string.h>

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char for_urls[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

enum { NO_DIGIT = 64 };

/* The six bits that a character stands for, in either alphabet; NO_DIGIT for any other. */
static uint8_t digits[256];

static void fill_digits(void)
{
    memset(digits, NO_DIGIT, sizeof digits);
    for (uint8_t i = 0; i < 64; i++)
        digits[(unsigned char)standard[i]] = digits[(unsigned char)for_urls[i]] = i;
}

/* Encoding. */

static char *put_three(char *out, const unsigned char *p, const char *alphabet)
{
    out[0] = alphabet[p[0] >> 2];
    out[1] = alphabet[(p[0] & 3) << 4 | p[1] >> 4];
    out[2] = alphabet[(p[1] & 15) << 2 | p[2] >> 6];
    out[3] = alphabet[p[2] & 63];
    return out + 4;
}

/* The one or two bytes at the end, if there are such. */
static char *put_rest(
    char *out, const unsigned char *p, size_t n, const char *alphabet, bool is_padded)
{
    unsigned char rest[3] = {0};
    if (n == 0)
        return out;
    memcpy(rest, p, n);
    put_three(out, rest, alphabet);
    if (!is_padded)
        return out + n + 1;
    memset(out + n + 1, '=', 3 - n);
    return out + 4;
}

/* All of the bytes; returns the end of the text. */
static char *put_all(
    char *out, const unsigned char *p, size_t n, const char *alphabet, bool is_padded)
{
    for (; n >= 3; n -= 3, p += 3)
        out = put_three(out, p, alphabet);
    return put_rest(out, p, n, alphabet, is_padded);
}

static int push_text(lua_State *L, bool is_url)
{
    luaL_Buffer b;
    size_t n;
    const unsigned char *p = (const unsigned char *)luaL_checklstring(L, 1, &n);
    char *first = luaL_buffinitsize(L, &b, BASE64_TEXT(n));
    char *out = put_all(first, p, n, is_url ? for_urls : standard, !is_url);
    luaL_pushresultsize(&b, (size_t)(out - first));
    return 1;
}

/* encode(bytes [, "url"]) */
static int l_encode(lua_State *L)
{
    static const char *const names[] = {"standard", "url", NULL};
    return push_text(L, luaL_checkoption(L, 2, "standard", names) == 1);
}

/* Decoding. */

/* What is left of a text, and where its bytes go. */
struct decoding {
    const unsigned char *p, *end;
    char *out;
};

static size_t left(const struct decoding *d)
{
    return (size_t)(d->end - d->p);
}

/* Takes all groups of four digits up to the first that is none. */
static void take_whole(struct decoding *d)
{
    for (; left(d) >= 4; d->p += 4, d->out += 3) {
        unsigned a = digits[d->p[0]], b = digits[d->p[1]], c = digits[d->p[2]], e = digits[d->p[3]];
        if ((a | b | c | e) >= NO_DIGIT)
            return;
        d->out[0] = (char)(a << 2 | b >> 4);
        d->out[1] = (char)(b << 4 | c >> 2);
        d->out[2] = (char)(c << 6 | e);
    }
}

/* Takes the two or three characters of a group that has no more; false where one is no digit. */
static bool take_short(struct decoding *d, size_t n)
{
    unsigned a = digits[d->p[0]], b = digits[d->p[1]], c = n == 3 ? digits[d->p[2]] : 0;
    if ((a | b | c) >= NO_DIGIT)
        return false;
    *d->out++ = (char)(a << 2 | b >> 4);
    if (n == 3)
        *d->out++ = (char)(b << 4 | c >> 2);
    d->p += n;
    return true;
}

/* Takes a group that ends in padding. */
static bool take_padded(struct decoding *d)
{
    size_t n = d->p[2] == '=' ? 2 : 3;
    if (left(d) < 4 || d->p[3] != '=' || !take_short(d, n))
        return false;
    d->p += 4 - n;
    return true;
}

/* Takes what is left; false where that is no base64. */
static bool take_rest(struct decoding *d)
{
    take_whole(d);
    size_t rest = left(d);
    return rest == 0 || (rest == 4 && take_padded(d)) ||
           ((rest == 2 || rest == 3) && take_short(d, rest));
}

/* Begins to decode the argument. */
static struct decoding begin(lua_State *L, luaL_Buffer *b)
{
    size_t n;
    const unsigned char *p = (const unsigned char *)luaL_checklstring(L, 1, &n);
    return (struct decoding){p, p + n, luaL_buffinitsize(L, b, BASE64_ROOM(n))};
}

static void push_bytes(luaL_Buffer *b, const struct decoding *d)
{
    luaL_pushresultsize(b, (size_t)(d->out - luaL_buffaddr(b)));
}

/* decode(text) */
static int l_decode(lua_State *L)
{
    luaL_Buffer b;
    struct decoding d = begin(L, &b);
    if (take_rest(&d))
        push_bytes(&b, &d);
    else
        lua_pushnil(L);
    return 1;
}

/* decode_joined(text) */
static int l_decode_joined(lua_State *L)
{
    luaL_Buffer b;
    struct decoding d = begin(L, &b);
    do
        take_whole(&d);
    while (left(&d) >= 4 && take_padded(&d));
    if (left(&d) >= 4) {
        lua_pushnil(L);
        return 1;
    }
    push_bytes(&b, &d);
    lua_pushlstring(L, (const char *)d.p, left(&d));
    return 2;
}

/* For other code. */

size_t base64_encode(const unsigned char *bytes, size_t n, char *out)
{
    return (size_t)(put_all(out, bytes, n, standard, false) - out);
}

bool base64_decode(struct str text, char *out, size_t *n)
{
    struct decoding d = {
        (const unsigned char *)text.p, (const unsigned char *)text.p + text.n, out};
    fill_digits();
    bool is_text = take_rest(&d);
    *n = (size_t)(d.out - out);
    return is_text;
}

/* encode(bytes), in one alphabet. */
static int l_encode_one(lua_State *L)
{
    return push_text(L, lua_toboolean(L, lua_upvalueindex(1)));
}

/* Whether the text has a character of the other alphabet. */
static bool is_of_other(struct str text, bool is_url)
{
    const char *other = is_url ? "+/" : "-_";
    return memchr(text.p, other[0], text.n) || memchr(text.p, other[1], text.n);
}

/* decode(text), in one alphabet → bytes, or nil and why. */
static int l_decode_one(lua_State *L)
{
    struct str text;
    luaL_Buffer b;
    bool is_url = lua_toboolean(L, lua_upvalueindex(1));
    text.p = luaL_checklstring(L, 1, &text.n);
    struct decoding d = begin(L, &b);
    if (!is_of_other(text, is_url) && take_rest(&d)) {
        push_bytes(&b, &d);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, is_url ? "the text is no base64url" : "the text is no base64");
    return 2;
}

void base64_push_codec(lua_State *L, bool is_url)
{
    static const luaL_Reg functions[] = {
        {"encode", l_encode_one}, {"decode", l_decode_one}, {NULL, NULL}};
    fill_digits();
    luaL_newlibtable(L, functions);
    lua_pushboolean(L, is_url);
    luaL_setfuncs(L, functions, 1);
}

int luaopen_moontrail_base64(lua_State *L)
{
    static const luaL_Reg functions[] = {{"encode", l_encode}, {"decode", l_decode},
        {"decode_joined", l_decode_joined}, {NULL, NULL}};
    fill_digits();
    luaL_newlib(L, functions);
    return 1;
}

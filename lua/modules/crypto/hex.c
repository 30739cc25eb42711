/* Hexadecimal digits (RFC 4648 8), written in lower case and read in both. */
#include "lua/modules/crypto/parts.h"

#include <lauxlib.h>

/* encode(s) → text */
static int l_encode(lua_State *L)
{
    static const char digits[] = "0123456789abcdef";
    luaL_Buffer b;
    struct str s = crypto_check_str(L, 1);
    char *out = luaL_buffinitsize(L, &b, 2 * s.n);
    for (size_t i = 0; i < s.n; i++) {
        out[2 * i] = digits[(unsigned char)s.p[i] >> 4];
        out[2 * i + 1] = digits[s.p[i] & 15];
    }
    luaL_pushresultsize(&b, 2 * s.n);
    return 1;
}

/* -1 for what is no digit. */
static int value_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The index of the first character that is no digit, or the length. */
static size_t find_stranger(struct str s)
{
    size_t i = 0;
    while (i < s.n && value_of(s.p[i]) >= 0)
        i++;
    return i;
}

/* decode(text) → bytes, or nil and why */
static int l_decode(lua_State *L)
{
    luaL_Buffer b;
    struct str s = crypto_check_str(L, 1);
    size_t stranger = find_stranger(s);
    if (stranger < s.n || s.n % 2) {
        lua_pushnil(L);
        if (stranger < s.n)
            lua_pushfstring(L, "no hexadecimal digit at %I", (LUAI_UACINT)(stranger + 1));
        else
            lua_pushliteral(L, "an odd number of hexadecimal digits");
        return 2;
    }
    char *out = luaL_buffinitsize(L, &b, s.n / 2);
    for (size_t i = 0; i < s.n; i += 2)
        out[i / 2] = (char)(value_of(s.p[i]) << 4 | value_of(s.p[i + 1]));
    luaL_pushresultsize(&b, s.n / 2);
    return 1;
}

void crypto_open_hex(lua_State *L)
{
    static const luaL_Reg functions[] = {{"encode", l_encode}, {"decode", l_decode}, {NULL, NULL}};
    luaL_newlib(L, functions);
    lua_setfield(L, -2, "hex");
}

/* Random bytes, and the comparison that tells nothing by its time. */
#include "lua/modules/crypto/parts.h"

#include <lauxlib.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

enum { RANDOM_MAX = 1 << 20, UUID_TEXT = 36 };

/* random(n) → bytes */
static int l_random(lua_State *L)
{
    luaL_Buffer b;
    lua_Integer n = luaL_checkinteger(L, 1);
    luaL_argcheck(L, n >= 0 && n <= RANDOM_MAX, 1, "not within 0..1048576 bytes");
    unsigned char *out = (unsigned char *)luaL_buffinitsize(L, &b, (size_t)n);
    if (RAND_bytes(out, (int)n) != 1)
        return crypto_fail(L, "the source of random bytes");
    luaL_pushresultsize(&b, (size_t)n);
    return 1;
}

/* uuid() → a text of 122 random bits (RFC 9562 5.4) */
static int l_uuid(lua_State *L)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[16];
    char text[UUID_TEXT], *out = text;
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return crypto_fail(L, "the source of random bytes");
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    lua_pushlstring(L, text, sizeof text);
    return 1;
}

/* equal(a, b) → whether they are, in a time that depends on their lengths alone */
static int l_equal(lua_State *L)
{
    struct str a = crypto_check_str(L, 1), b = crypto_check_str(L, 2);
    lua_pushboolean(L, a.n == b.n && CRYPTO_memcmp(a.p, b.p, a.n) == 0);
    return 1;
}

void crypto_open_random(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"random", l_random}, {"uuid", l_uuid}, {"equal", l_equal}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}

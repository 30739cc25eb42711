#include "lua/modules/digest/digest.h"

#include <lauxlib.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

static const EVP_MD *check_digest(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const EVP_MD *md = EVP_get_digestbyname(name);
    if (!md)
        luaL_argerror(L, 1, lua_pushfstring(L, "there is no digest '%s'", name));
    return md;
}

/* digest(name, s) */
static int l_digest(lua_State *L)
{
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned length;
    size_t n;
    const EVP_MD *md = check_digest(L);
    const char *s = luaL_checklstring(L, 2, &n);
    if (!EVP_Digest(s, n, out, &length, md, NULL))
        return luaL_error(L, "OpenSSL cannot make this digest");
    lua_pushlstring(L, (const char *)out, length);
    return 1;
}

/* hmac(name, key, s) */
static int l_hmac(lua_State *L)
{
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned length;
    size_t n, key_size;
    const EVP_MD *md = check_digest(L);
    const char *key = luaL_checklstring(L, 2, &key_size), *s = luaL_checklstring(L, 3, &n);
    luaL_argcheck(L, key_size <= INT_MAX, 2, "the key is too long");
    if (!HMAC(md, key, (int)key_size, (const unsigned char *)s, n, out, &length))
        return luaL_error(L, "OpenSSL cannot make this code");
    lua_pushlstring(L, (const char *)out, length);
    return 1;
}

int luaopen_moontrail_resty_digest(lua_State *L)
{
    static const luaL_Reg functions[] = {{"digest", l_digest}, {"hmac", l_hmac}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}

/* Digests, and authentication codes by them (RFC 2104). */
#include "lua/modules/crypto/parts.h"

#include <lauxlib.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

/* The length of a result is a part of the name of each. */
static struct {
    const char *name;
    EVP_MD *md; /* once it was used */
} digests[] = {
    {.name = "md5"},
    {.name = "sha1"},
    {.name = "sha224"},
    {.name = "sha256"},
    {.name = "sha384"},
    {.name = "sha512"},
    {.name = "sha512-224"},
    {.name = "sha512-256"},
    {.name = "sha3-224"},
    {.name = "sha3-256"},
    {.name = "sha3-384"},
    {.name = "sha3-512"},
    {.name = "blake2s256"},
    {.name = "blake2b512"},
};

/* The digest that the argument names; raises where there is none. */
static const EVP_MD *check_digest(lua_State *L, int index)
{
    const char *name = luaL_checkstring(L, index);
    for (size_t i = 0; i < sizeof digests / sizeof *digests; i++) {
        if (strcmp(digests[i].name, name) != 0)
            continue;
        if (!digests[i].md && !(digests[i].md = EVP_MD_fetch(NULL, name, NULL)))
            crypto_fail(L, name);
        return digests[i].md;
    }
    luaL_argerror(L, index, lua_pushfstring(L, "there is no digest '%s'", name));
    return NULL;
}

/* digest(name, s) → bytes */
static int l_digest(lua_State *L)
{
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned n;
    const EVP_MD *md = check_digest(L, 1);
    struct str s = crypto_check_str(L, 2);
    if (!EVP_Digest(s.p, s.n, out, &n, md, NULL))
        return crypto_fail(L, "the digest");
    lua_pushlstring(L, (const char *)out, n);
    return 1;
}

/* hmac(name, key, s) → bytes */
static int l_hmac(lua_State *L)
{
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned n;
    const EVP_MD *md = check_digest(L, 1);
    struct str key = crypto_check_str(L, 2), s = crypto_check_str(L, 3);
    luaL_argcheck(L, key.n <= INT_MAX, 2, "the key is too long");
    if (!HMAC(md, key.p, (int)key.n, (const unsigned char *)s.p, s.n, out, &n))
        return crypto_fail(L, "the hmac");
    lua_pushlstring(L, (const char *)out, n);
    return 1;
}

void crypto_open_digests(lua_State *L)
{
    static const luaL_Reg functions[] = {{"digest", l_digest}, {"hmac", l_hmac}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}

/*
 * Asymmetric keys, and what they sign. An algorithm takes keys of one kind alone: which ones is
 * decided here, by the key, and never by what a token says.
 */
#ifndef LUA_MODULES_CRYPTO_KEY_H
#define LUA_MODULES_CRYPTO_KEY_H

#include <lua.h>
#include <openssl/types.h>
#include <stdbool.h>

/* A userdata, which owns pkey. */
struct key {
    EVP_PKEY *pkey;
    bool is_private; /* it can sign */
};

/* Of RSA; RFC 7518 3.3 has the lower bound, and the upper ones keep the work small. */
enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192, RSA_EXPONENT_BITS_MAX = 64 };

/* The key at the index; raises for anything else. */
const struct key *key_check(lua_State *L, int index);

#endif

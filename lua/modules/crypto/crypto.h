/*
 * What moontrail.crypto (lua/moontrail/crypto.lua) stands on, by OpenSSL: digests, random bytes,
 * codecs, authenticated encryption, hashes of passwords, and signatures. Scripts use it through
 * that module; the functions that it gives out as they are raise at the script's line.
 *
 * No secret stays in memory of ours once it was used: copies are wiped. What Lua's strings hold
 * is the script's.
 */
#ifndef LUA_MODULES_CRYPTO_CRYPTO_H
#define LUA_MODULES_CRYPTO_CRYPTO_H

struct lua_State;

/* The module moontrail.crypto.primitives. [-0, +1], may longjmp */
int luaopen_moontrail_crypto_primitives(struct lua_State *L);

#endif

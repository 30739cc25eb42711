/*
 * The module moontrail.resty.digest, by OpenSSL: digest(name, s) gives the bytes of "md5", "sha1"
 * or another that OpenSSL has by default, hmac(name, key, s) those of an authentication code (RFC
 * 2104).
 */
#ifndef LUA_MODULES_DIGEST_DIGEST_H
#define LUA_MODULES_DIGEST_DIGEST_H

struct lua_State;

/* Loads the module. [-0, +1], may longjmp */
int luaopen_moontrail_resty_digest(struct lua_State *L);

#endif

/* The parts of the module: each adds its functions to the table on top. [-0, +0], may longjmp */
#ifndef LUA_MODULES_CRYPTO_PARTS_H
#define LUA_MODULES_CRYPTO_PARTS_H

#include "core/str.h"

#include <lua.h>

void crypto_open_digests(lua_State *L);  /* digest, hmac */
void crypto_open_random(lua_State *L);   /* random, uuid, equal */
void crypto_open_hex(lua_State *L);      /* hex */
void crypto_open_seals(lua_State *L);    /* seal, open */
void crypto_open_password(lua_State *L); /* password */
void crypto_open_keys(lua_State *L);     /* pem_key, number_key */
void crypto_open_signing(lua_State *L);  /* sign, verify, takes */

/* The string at the index. */
struct str crypto_check_str(lua_State *L, int index);
/* Raises for what OpenSSL could not do, where nothing but memory can be the reason. */
int crypto_fail(lua_State *L, const char *what);

#endif

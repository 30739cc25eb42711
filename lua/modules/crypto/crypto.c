#include "lua/modules/crypto/crypto.h"

#include "lua/modules/base64/base64.h"
#include "lua/modules/crypto/parts.h"
#include "lua/runtime/error_value.h"

#include <lauxlib.h>
#include <openssl/err.h>

struct str crypto_check_str(lua_State *L, int index)
{
    struct str s;
    s.p = luaL_checklstring(L, index, &s.n);
    return s;
}

int crypto_fail(lua_State *L, const char *what)
{
    ERR_clear_error();
    error_value_push_here(L, KIND_SYSTEM, "%s failed", what);
    error_value_set(L, "code", "ENOMEM");
    return lua_error(L);
}

int luaopen_moontrail_crypto_primitives(lua_State *L)
{
    lua_newtable(L);
    crypto_open_digests(L);
    crypto_open_random(L);
    crypto_open_hex(L);
    crypto_open_seals(L);
    crypto_open_password(L);
    crypto_open_keys(L);
    crypto_open_signing(L);
    base64_push_codec(L, false);
    lua_setfield(L, -2, "base64");
    base64_push_codec(L, true);
    lua_setfield(L, -2, "base64url");
    return 1;
}

/* Authenticated encryption: AES-256-GCM (NIST SP 800-38D), with a random nonce for each text. */
#include "lua/modules/crypto/parts.h"

#include <lauxlib.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

enum { SEAL_KEY = 32, SEAL_NONCE = 12, SEAL_TAG = 16, SEAL_MORE = SEAL_NONCE + SEAL_TAG };

/* What both ways take. */
struct sealing {
    struct str key, text, ad;
    unsigned char *out;
};

static struct sealing check_arguments(lua_State *L)
{
    struct sealing s = {.key = crypto_check_str(L, 1), .text = crypto_check_str(L, 2)};
    if (!lua_isnoneornil(L, 3))
        s.ad = crypto_check_str(L, 3);
    if (s.key.n != SEAL_KEY)
        luaL_argerror(
            L, 1, lua_pushfstring(L, "a key is %d bytes, not %I", SEAL_KEY, (LUAI_UACINT)s.key.n));
    luaL_argcheck(L, s.text.n <= INT_MAX - SEAL_MORE, 2, "too long");
    luaL_argcheck(L, s.ad.n <= INT_MAX, 3, "too long");
    return s;
}

static const unsigned char *bytes_of(const char *p)
{
    return (const unsigned char *)p;
}

/* Begins with key and nonce, and takes what is authenticated only. */
static bool begin(EVP_CIPHER_CTX *c, const struct sealing *s, const char *nonce, int seals)
{
    int n;
    return EVP_CipherInit_ex(
               c, EVP_aes_256_gcm(), NULL, bytes_of(s->key.p), bytes_of(nonce), seals) &&
           (!s->ad.n || EVP_CipherUpdate(c, NULL, &n, bytes_of(s->ad.p), (int)s->ad.n));
}

/* Writes nonce, text and tag. */
static bool seal(EVP_CIPHER_CTX *c, const struct sealing *s)
{
    int n = 0, last = 0;
    unsigned char *text = s->out + SEAL_NONCE;
    return RAND_bytes(s->out, SEAL_NONCE) == 1 && begin(c, s, (const char *)s->out, 1) &&
           (!s->text.n || EVP_CipherUpdate(c, text, &n, bytes_of(s->text.p), (int)s->text.n)) &&
           EVP_CipherFinal_ex(c, text + n, &last) &&
           EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG, text + s->text.n);
}

/* Writes the text; false where it was not sealed so. */
static bool unseal(EVP_CIPHER_CTX *c, const struct sealing *s)
{
    int n = 0, last = 0, size = (int)(s->text.n - SEAL_MORE);
    const char *text = s->text.p + SEAL_NONCE;
    return begin(c, s, s->text.p, 0) &&
           (!size || EVP_CipherUpdate(c, s->out, &n, bytes_of(text), size)) &&
           EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG, (void *)(text + size)) &&
           EVP_CipherFinal_ex(c, s->out + n, &last) > 0;
}

/* Runs one of them in a context, which is freed whatever comes. */
static bool run(bool (*way)(EVP_CIPHER_CTX *, const struct sealing *), const struct sealing *s)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    bool done = c && way(c, s);
    EVP_CIPHER_CTX_free(c);
    if (!done)
        ERR_clear_error(); /* or TLS takes it for its own */
    return done;
}

/* seal(key, s [, ad]) → nonce, text and tag as one string */
static int l_seal(lua_State *L)
{
    luaL_Buffer b;
    struct sealing s = check_arguments(L);
    s.out = (unsigned char *)luaL_buffinitsize(L, &b, s.text.n + SEAL_MORE);
    if (!run(seal, &s))
        return crypto_fail(L, "sealing");
    luaL_pushresultsize(&b, s.text.n + SEAL_MORE);
    return 1;
}

/* Nothing of what was not authenticated stays. */
static void push_refused(lua_State *L, unsigned char *out, size_t n)
{
    OPENSSL_cleanse(out, n);
    lua_pushnil(L);
}

/* open(key, sealed [, ad]) → the text, or nil */
static int l_open(lua_State *L)
{
    luaL_Buffer b;
    struct sealing s = check_arguments(L);
    if (s.text.n < SEAL_MORE) {
        lua_pushnil(L);
        return 1;
    }
    s.out = (unsigned char *)luaL_buffinitsize(L, &b, s.text.n - SEAL_MORE);
    if (run(unseal, &s))
        luaL_pushresultsize(&b, s.text.n - SEAL_MORE);
    else
        push_refused(L, s.out, s.text.n - SEAL_MORE);
    return 1;
}

void crypto_open_seals(lua_State *L)
{
    static const luaL_Reg functions[] = {{"seal", l_seal}, {"open", l_open}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}

/* Signatures by the algorithms of RFC 7518 3 and RFC 8037 3.1, in the form that JWS has. */
#include "lua/modules/crypto/key.h"
#include "lua/modules/crypto/parts.h"

#include <lauxlib.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

enum { DER_MAX = 160, JOINED_MAX = 2 * 66 };

static const struct algorithm {
    const char *name, *kind, *md;
    bool is_pss;
    const char *group; /* of ECDSA */
    size_t size;       /* bytes of each of its two numbers */
} algorithms[] = {
    {.name = "RS256", .kind = "RSA", .md = "SHA256"},
    {.name = "RS384", .kind = "RSA", .md = "SHA384"},
    {.name = "RS512", .kind = "RSA", .md = "SHA512"},
    {.name = "PS256", .kind = "RSA", .md = "SHA256", .is_pss = true},
    {.name = "PS384", .kind = "RSA", .md = "SHA384", .is_pss = true},
    {.name = "PS512", .kind = "RSA", .md = "SHA512", .is_pss = true},
    {.name = "ES256", .kind = "EC", .md = "SHA256", .group = "prime256v1", .size = 32},
    {.name = "ES384", .kind = "EC", .md = "SHA384", .group = "secp384r1", .size = 48},
    {.name = "ES512", .kind = "EC", .md = "SHA512", .group = "secp521r1", .size = 66},
    {.name = "EdDSA", .kind = "ED25519"},
    {.name = "EdDSA", .kind = "ED448"},
};

static bool fits(const struct algorithm *a, const EVP_PKEY *pkey)
{
    char group[32];
    size_t n;
    if (!EVP_PKEY_is_a(pkey, a->kind))
        return false;
    return !a->group ||
           (EVP_PKEY_get_group_name(pkey, group, sizeof group, &n) && strcmp(group, a->group) == 0);
}

/* The algorithm of that name, if the key is one for it. */
static const struct algorithm *find(lua_State *L, int index, const struct key *k)
{
    const char *name = luaL_checkstring(L, index);
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
        if (strcmp(algorithms[i].name, name) == 0 && fits(&algorithms[i], k->pkey))
            return &algorithms[i];
    return NULL;
}

/* Salts are as long as the digest (RFC 7518 3.5). */
static bool set_padding(const struct algorithm *a, EVP_PKEY_CTX *c)
{
    return !a->is_pss || (EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PSS_PADDING) > 0 &&
                             EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST) > 0);
}

/* ECDSA: two numbers, as DER here and side by side there (RFC 7518 3.4). */

/* Returns the length, 0 for want of memory. */
static size_t join(
    const struct algorithm *a, const unsigned char *der, size_t n, unsigned char out[JOINED_MAX])
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
    int size = (int)a->size;
    bool done = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, size) == size &&
                BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + size, size) == size;
    ECDSA_SIG_free(sig);
    return done ? 2 * a->size : 0;
}

/* The length of DER, in out; 0 for what are no two numbers of this size. */
static size_t part(const struct algorithm *a, struct str joined, unsigned char out[DER_MAX])
{
    if (joined.n != 2 * a->size)
        return 0;
    const unsigned char *p = (const unsigned char *)joined.p;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(p, (int)a->size, NULL), *s = BN_bin2bn(p + a->size, (int)a->size, NULL);
    int n = 0;
    if (sig && r && s && ECDSA_SIG_set0(sig, r, s)) {
        r = s = NULL;
        n = i2d_ECDSA_SIG(sig, NULL) <= DER_MAX ? i2d_ECDSA_SIG(sig, &out) : 0;
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return n > 0 ? (size_t)n : 0;
}

/* Signing. */

/* Writes the signature into out, of *n bytes. */
static bool sign(
    const struct algorithm *a, const struct key *k, struct str data, unsigned char *out, size_t *n)
{
    EVP_PKEY_CTX *pc;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool done = c && EVP_DigestSignInit_ex(c, &pc, a->md, NULL, NULL, k->pkey, NULL) > 0 &&
                set_padding(a, pc) &&
                EVP_DigestSign(c, out, n, (const unsigned char *)data.p, data.n) > 0;
    EVP_MD_CTX_free(c);
    ERR_clear_error();
    return done;
}

/* sign(key, alg, data) → the signature, or nil where the key is none to sign with so */
static int l_sign(lua_State *L)
{
    unsigned char made[RSA_BITS_MAX / 8], joined[JOINED_MAX];
    size_t n = sizeof made;
    const unsigned char *out = made;
    const struct key *k = key_check(L, 1);
    const struct algorithm *a = find(L, 2, k);
    struct str data = crypto_check_str(L, 3);
    bool done = a && k->is_private && sign(a, k, data, made, &n);
    if (done && a->group) {
        n = join(a, made, n, joined);
        out = joined;
    }
    if (done && n)
        lua_pushlstring(L, (const char *)out, n);
    else
        lua_pushnil(L);
    return 1;
}

/* Verifying. */

static bool verify(const struct algorithm *a, const struct key *k, struct str data, struct str sig)
{
    EVP_PKEY_CTX *pc;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool is_good = c && EVP_DigestVerifyInit_ex(c, &pc, a->md, NULL, NULL, k->pkey, NULL) > 0 &&
                   set_padding(a, pc) &&
                   EVP_DigestVerify(c, (const unsigned char *)sig.p, sig.n,
                       (const unsigned char *)data.p, data.n) > 0;
    EVP_MD_CTX_free(c);
    ERR_clear_error();
    return is_good;
}

/* verify(key, alg, data, signature) → whether it is one of the data by that key */
static int l_verify(lua_State *L)
{
    unsigned char der[DER_MAX];
    const struct key *k = key_check(L, 1);
    const struct algorithm *a = find(L, 2, k);
    struct str data = crypto_check_str(L, 3), sig = crypto_check_str(L, 4);
    if (a && a->group)
        sig = (struct str){(const char *)der, part(a, sig, der)};
    lua_pushboolean(L, a && sig.n && verify(a, k, data, sig));
    return 1;
}

/* takes(key, alg) → whether the algorithm takes keys of that kind */
static int l_takes(lua_State *L)
{
    lua_pushboolean(L, find(L, 2, key_check(L, 1)) != NULL);
    return 1;
}

void crypto_open_signing(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"sign", l_sign}, {"verify", l_verify}, {"takes", l_takes}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}

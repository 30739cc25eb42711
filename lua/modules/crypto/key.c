/* Keys of PEM, and of the numbers that a JWK has (RFC 7518 6, RFC 8037 2). */
#include "lua/modules/crypto/key.h"

#include "lua/modules/crypto/parts.h"

#include <lauxlib.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

enum { PEM_MAX = 64 << 10, COORDINATE_MAX = 66 };

static const char key_key;

const struct key *key_check(lua_State *L, int index)
{
    const struct key *k = lua_touserdata(L, index);
    bool is_key = false;
    if (k && lua_getmetatable(L, index)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &key_key);
        is_key = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    luaL_argexpected(L, is_key, index, "key");
    return k;
}

static int l_key_gc(lua_State *L)
{
    struct key *k = lua_touserdata(L, 1);
    EVP_PKEY_free(k->pkey);
    k->pkey = NULL;
    return 0;
}

static struct key *push_key(lua_State *L)
{
    struct key *k = lua_newuserdatauv(L, sizeof *k, 0);
    *k = (struct key){NULL};
    lua_rawgetp(L, LUA_REGISTRYINDEX, &key_key);
    lua_setmetatable(L, -2);
    return k;
}

/* What makes a key of RSA one that is not used here; NULL for a good one. */
static const char *fault_of_rsa(const EVP_PKEY *pkey)
{
    BIGNUM *e = NULL;
    int bits = EVP_PKEY_get_bits(pkey);
    if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
        return "an RSA key has 2048 to 8192 bits";
    bool is_good = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) && BN_is_odd(e) &&
                   !BN_is_one(e) && BN_num_bits(e) <= RSA_EXPONENT_BITS_MAX;
    BN_free(e);
    return is_good ? NULL : "the exponent of an RSA key is odd, above 1, and below 64 bits";
}

static const char *fault_of(const struct key *k)
{
    static const char *const kinds[] = {"EC", "ED25519", "ED448"};
    if (!k->pkey)
        return "the key cannot be read";
    if (EVP_PKEY_is_a(k->pkey, "RSA"))
        return fault_of_rsa(k->pkey);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (EVP_PKEY_is_a(k->pkey, kinds[i]))
            return NULL;
    return "it is no key of RSA, EC or EdDSA";
}

/* The key on top of the stack, or nil and why. */
static int give(lua_State *L, const struct key *k)
{
    const char *fault = fault_of(k);
    ERR_clear_error();
    if (!fault)
        return 1;
    lua_pushnil(L);
    lua_pushstring(L, fault);
    return 2;
}

/* PEM. */

/* A key that is encrypted is none: nobody is asked for its password. */
static int refuse_password(char *out, int size, int writes, void *data)
{
    (void)out, (void)size, (void)writes, (void)data;
    return -1;
}

static EVP_PKEY *read_certificate(BIO *bio)
{
    X509 *x = PEM_read_bio_X509(bio, NULL, refuse_password, NULL);
    EVP_PKEY *pkey = x ? X509_get_pubkey(x) : NULL;
    X509_free(x);
    return pkey;
}

static bool has(struct str text, const char *word)
{
    return memmem(text.p, text.n, word, strlen(word));
}

static void read_pem(struct key *k, struct str text, BIO *bio)
{
    if (has(text, "PRIVATE KEY-----"))
        k->pkey = PEM_read_bio_PrivateKey(bio, NULL, refuse_password, NULL);
    else if (has(text, "PUBLIC KEY-----"))
        k->pkey = PEM_read_bio_PUBKEY(bio, NULL, refuse_password, NULL);
    else
        k->pkey = read_certificate(bio);
    k->is_private = has(text, "PRIVATE KEY-----");
}

/* pem_key(text) → key, or nil and why */
static int l_pem_key(lua_State *L)
{
    struct str text = crypto_check_str(L, 1);
    struct key *k = push_key(L);
    BIO *bio = text.n <= PEM_MAX ? BIO_new_mem_buf(text.p, (int)text.n) : NULL;
    if (bio)
        read_pem(k, text, bio);
    BIO_free(bio);
    return give(L, k);
}

/* Numbers. */

/* Collects parameters; whatever fails, the rest is skipped, and nothing is lost. */
struct building {
    OSSL_PARAM_BLD *params;
    BIGNUM *numbers[8];
    size_t count;
    bool failed;
};

/* The bytes of a field of the table at index 2; none where it has none. */
static struct str field(lua_State *L, const char *name)
{
    struct str s = {"", 0};
    if (lua_getfield(L, 2, name) == LUA_TSTRING)
        s.p = lua_tolstring(L, -1, &s.n);
    lua_pop(L, 1); /* the table holds it */
    return s;
}

static void add_number(struct building *b, const char *name, struct str bytes)
{
    BIGNUM *n = b->count < 8 && bytes.n && bytes.n <= RSA_BITS_MAX / 8
                    ? BN_bin2bn((const unsigned char *)bytes.p, (int)bytes.n, NULL)
                    : NULL;
    b->failed = b->failed || !n || !OSSL_PARAM_BLD_push_BN(b->params, name, n);
    if (n)
        b->numbers[b->count++] = n;
}

static EVP_PKEY *make(struct building *b, const char *kind, int selection)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = b->failed ? NULL : OSSL_PARAM_BLD_to_param(b->params);
    EVP_PKEY_CTX *c = params ? EVP_PKEY_CTX_new_from_name(NULL, kind, NULL) : NULL;
    if (c &&
        (EVP_PKEY_fromdata_init(c) <= 0 || EVP_PKEY_fromdata(c, &pkey, selection, params) <= 0))
        pkey = NULL;
    EVP_PKEY_CTX_free(c);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b->params);
    while (b->count)
        BN_clear_free(b->numbers[--b->count]);
    return pkey;
}

static struct building begin(void)
{
    OSSL_PARAM_BLD *params = OSSL_PARAM_BLD_new();
    return (struct building){.params = params, .failed = !params};
}

static int selection_of(const struct key *k)
{
    return k->is_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY;
}

/* The primes may be left out, but not some of what belongs to them. */
static void read_rsa(lua_State *L, struct key *k)
{
    static const struct {
        const char *name, *param;
    } primes[] = {{"p", OSSL_PKEY_PARAM_RSA_FACTOR1}, {"q", OSSL_PKEY_PARAM_RSA_FACTOR2},
        {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1}, {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2},
        {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1}};
    struct building b = begin();
    struct str d = field(L, "d");
    k->is_private = d.n > 0;
    if (!b.failed) {
        add_number(&b, OSSL_PKEY_PARAM_RSA_N, field(L, "n"));
        add_number(&b, OSSL_PKEY_PARAM_RSA_E, field(L, "e"));
    }
    if (!b.failed && k->is_private)
        add_number(&b, OSSL_PKEY_PARAM_RSA_D, d);
    for (size_t i = 0; !b.failed && k->is_private && field(L, "p").n && i < 5; i++)
        add_number(&b, primes[i].param, field(L, primes[i].name));
    k->pkey = make(&b, "RSA", selection_of(k));
}

/* The name that OpenSSL has for a curve, and the bytes of a coordinate (RFC 7518 6.2.1); NULL. */
static const char *curve_of(struct str name, size_t *size)
{
    static const struct {
        const char *name, *group;
        size_t size;
    } curves[] = {{"P-256", "prime256v1", 32}, {"P-384", "secp384r1", 48},
        {"P-521", "secp521r1", COORDINATE_MAX}};
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
        *size = curves[i].size;
        if (str_eq(name, str_of(curves[i].name)))
            return curves[i].group;
    }
    return NULL;
}

/* A point that is not on its curve makes no key. */
static void read_ec(lua_State *L, struct key *k)
{
    unsigned char point[1 + 2 * COORDINATE_MAX] = {4};
    size_t size;
    const char *group = curve_of(field(L, "crv"), &size);
    struct str x = field(L, "x"), y = field(L, "y"), d = field(L, "d");
    if (!group || x.n != size || y.n != size || (d.n && d.n != size))
        return;
    memcpy(point + 1, x.p, size);
    memcpy(point + 1 + size, y.p, size);
    struct building b = begin();
    k->is_private = d.n > 0;
    b.failed =
        b.failed ||
        !OSSL_PARAM_BLD_push_utf8_string(b.params, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) ||
        !OSSL_PARAM_BLD_push_octet_string(b.params, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size);
    if (!b.failed && k->is_private)
        add_number(&b, OSSL_PKEY_PARAM_PRIV_KEY, d);
    k->pkey = make(&b, "EC", selection_of(k));
}

/* What signs has its public part made of the private one: the JWK's may be another's. */
static void read_okp(lua_State *L, struct key *k)
{
    struct str crv = field(L, "crv"), x = field(L, "x"), d = field(L, "d");
    const char *kind = str_eq(crv, STR("Ed25519")) ? "ED25519"
                       : str_eq(crv, STR("Ed448")) ? "ED448"
                                                   : NULL;
    k->is_private = d.n > 0;
    if (kind && k->is_private)
        k->pkey =
            EVP_PKEY_new_raw_private_key_ex(NULL, kind, NULL, (const unsigned char *)d.p, d.n);
    else if (kind)
        k->pkey = EVP_PKEY_new_raw_public_key_ex(NULL, kind, NULL, (const unsigned char *)x.p, x.n);
}

/* number_key(kty, numbers) → key, or nil and why: the fields of a JWK, those of base64 as bytes */
static int l_number_key(lua_State *L)
{
    struct str kind = crypto_check_str(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    struct key *k = push_key(L);
    if (str_eq(kind, STR("RSA")))
        read_rsa(L, k);
    else if (str_eq(kind, STR("EC")))
        read_ec(L, k);
    else if (str_eq(kind, STR("OKP")))
        read_okp(L, k);
    return give(L, k);
}

void crypto_open_keys(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"pem_key", l_pem_key}, {"number_key", l_number_key}, {NULL, NULL}};
    lua_newtable(L);
    lua_pushcfunction(L, l_key_gc);
    lua_setfield(L, -2, "__gc");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key_key);
    luaL_setfuncs(L, functions, 0);
}

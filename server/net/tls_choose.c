/* Chooses the certificate that a client is shown: by the name that it asks for, and by what it can
 * verify. */
#include "net/tls_private.h"

#include "core/log.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <string.h>
#include <strings.h>

/* How well a certificate matches a name, the best first. */
enum fit { FIT_EXACT, FIT_WILDCARD, FIT_NONE };

/* Kinds of keys, the cheapest for the server first. */
enum kind { KIND_ED25519, KIND_P256, KIND_P384, KIND_P521, KIND_RSA, KIND_OTHER };

static enum kind kind_of(const SSL_CTX *ctx)
{
    const EVP_PKEY *key = SSL_CTX_get0_privatekey(ctx);
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_ED25519:
        return KIND_ED25519;
    case EVP_PKEY_RSA:
        return KIND_RSA;
    case EVP_PKEY_EC:
        break;
    default:
        return KIND_OTHER;
    }
    int bits = EVP_PKEY_get_bits(key);
    if (bits == 256)
        return KIND_P256;
    return bits == 384 ? KIND_P384 : KIND_P521;
}

static bool has_name(const SSL_CTX *ctx, struct str name, unsigned flags)
{
    return X509_check_host(SSL_CTX_get0_certificate(ctx), name.p, name.n, flags, NULL) == 1;
}

static enum fit fit_of(const SSL_CTX *ctx, struct str name)
{
    if (has_name(ctx, name, X509_CHECK_FLAG_NO_WILDCARDS))
        return FIT_EXACT;
    return has_name(ctx, name, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS) ? FIT_WILDCARD : FIT_NONE;
}

/* Whether a key of the kind can make signatures of the scheme (RFC 8446 4.2.3). TLS 1.2 ties no
 * curve to a hash, and allows PKCS #1 too. */
static bool signs(enum kind kind, unsigned scheme, bool tls13)
{
    bool is_ecdsa = (scheme & 0xff) == 3, is_pss = scheme >= 0x0804 && scheme <= 0x0806;
    switch (kind) {
    case KIND_ED25519:
        return scheme == 0x0807;
    case KIND_P256:
        return tls13 ? scheme == 0x0403 : is_ecdsa;
    case KIND_P384:
        return tls13 ? scheme == 0x0503 : is_ecdsa;
    case KIND_P521:
        return tls13 ? scheme == 0x0603 : is_ecdsa;
    case KIND_RSA:
        return is_pss || (!tls13 && (scheme & 0xff) == 1);
    default:
        return true;
    }
}

static bool can_verify(SSL *ssl, enum kind kind)
{
    int count = SSL_get_sigalgs(ssl, 0, NULL, NULL, NULL, NULL, NULL);
    bool tls13 = SSL_version(ssl) == TLS1_3_VERSION;
    for (int i = 0; i < count; i++) {
        unsigned char sign, hash;
        SSL_get_sigalgs(ssl, i, NULL, NULL, NULL, &sign, &hash);
        if (signs(kind, (unsigned)hash << 8 | sign, tls13))
            return true;
    }
    return count <= 0; /* the client has not said */
}

/* Whether client and server share a cipher suite for the kind. Those of TLS 1.3 are for all
 * kinds. */
static bool has_suite(SSL *ssl, enum kind kind)
{
    STACK_OF(SSL_CIPHER) *theirs = SSL_get_client_ciphers(ssl);
    int wanted = kind == KIND_RSA ? NID_auth_rsa : NID_auth_ecdsa;
    if (SSL_version(ssl) == TLS1_3_VERSION || kind == KIND_OTHER)
        return true;
    for (int i = 0; i < sk_SSL_CIPHER_num(theirs); i++) {
        const SSL_CIPHER *suite = sk_SSL_CIPHER_value(theirs, i);
        if (SSL_CIPHER_get_auth_nid(suite) == wanted &&
            sk_SSL_CIPHER_find(SSL_get_ciphers(ssl), suite) >= 0)
            return true;
    }
    return false;
}

/* In TLS 1.2 the groups of a client apply to certificates too (RFC 8422 5.1.1). */
static bool has_curve(SSL *ssl, enum kind kind)
{
    static const int curves[] = {[KIND_P256] = NID_X9_62_prime256v1,
        [KIND_P384] = NID_secp384r1,
        [KIND_P521] = NID_secp521r1};
    enum { GROUPS = 64 };
    int groups[GROUPS], count = SSL_get1_groups(ssl, NULL);
    if (SSL_version(ssl) == TLS1_3_VERSION || kind < KIND_P256 || kind > KIND_P521 || count <= 0 ||
        count > GROUPS)
        return true;
    SSL_get1_groups(ssl, groups);
    while (count > 0 && groups[count - 1] != curves[kind])
        count--;
    return count > 0;
}

static bool suits(SSL *ssl, const SSL_CTX *ctx)
{
    enum kind kind = kind_of(ctx);
    return can_verify(ssl, kind) && has_suite(ssl, kind) && has_curve(ssl, kind);
}

/* The best of those that match the name so well; NULL if the client can use none. */
static SSL_CTX *best_of(SSL *ssl, const struct tls *tls, struct str name, enum fit fit)
{
    SSL_CTX *best = NULL;
    for (size_t i = 0; i < tls->count; i++) {
        SSL_CTX *ctx = tls->contexts[i];
        if (fit_of(ctx, name) == fit && suits(ssl, ctx) && (!best || kind_of(ctx) < kind_of(best)))
            best = ctx;
    }
    return best;
}

/* A certificate with the name, though the client cannot use it: the handshake then fails with the
 * reason. */
static SSL_CTX *any_of(const struct tls *tls, struct str name)
{
    for (size_t i = 0; i < tls->count; i++) {
        if (fit_of(tls->contexts[i], name) != FIT_NONE)
            return tls->contexts[i];
    }
    return NULL;
}

/* If no certificate has the name, or none is asked for, the order of the pairs decides. */
static SSL_CTX *first_that_suits(SSL *ssl, const struct tls *tls)
{
    for (size_t i = 0; i < tls->count; i++) {
        if (suits(ssl, tls->contexts[i]))
            return tls->contexts[i];
    }
    return tls->contexts[0];
}

static SSL_CTX *choose(SSL *ssl, const struct tls *tls)
{
    const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    struct str name = asked ? str_of(asked) : STR("");
    SSL_CTX *any = asked ? any_of(tls, name) : NULL, *best = NULL;
    if (!any)
        return first_that_suits(ssl, tls);
    for (enum fit fit = FIT_EXACT; !best && fit < FIT_NONE; fit++)
        best = best_of(ssl, tls, name, fit);
    return best ? best : any;
}

int tls_choose(SSL *ssl, void *arg)
{
    const struct tls *tls = arg;
    if (tls->count == 1)
        return 1;
    /* Errors that a certificate with a broken extension leaves in the queue are not the peer's
     * fault. */
    ERR_set_mark();
    SSL_CTX *ctx = choose(ssl, tls);
    ERR_pop_to_mark();
    return SSL_set_SSL_CTX(ssl, ctx) == ctx;
}

/* Pairs that are never chosen. */

static bool lists(const SSL_CTX *ctx, struct str name)
{
    GENERAL_NAMES *names =
        X509_get_ext_d2i(SSL_CTX_get0_certificate(ctx), NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);
        found =
            one->type == GEN_DNS && (size_t)ASN1_STRING_length(one->d.dNSName) == name.n &&
            strncasecmp((const char *)ASN1_STRING_get0_data(one->d.dNSName), name.p, name.n) == 0;
    }
    GENERAL_NAMES_free(names);
    return found;
}

/* Whether one of the first n pairs is of the kind and, if name is not NULL, has the name. */
static bool is_taken(const struct tls *tls, size_t n, enum kind kind, const struct str *name)
{
    for (size_t i = 0; i < n; i++) {
        if (kind_of(tls->contexts[i]) == kind && (!name || lists(tls->contexts[i], *name)))
            return true;
    }
    return false;
}

static bool is_idle(const struct tls *tls, size_t index)
{
    const SSL_CTX *ctx = tls->contexts[index];
    enum kind kind = kind_of(ctx);
    GENERAL_NAMES *names =
        X509_get_ext_d2i(SSL_CTX_get0_certificate(ctx), NID_subject_alt_name, NULL, NULL);
    bool idle = is_taken(tls, index, kind, NULL);
    for (int i = 0; idle && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);
        if (one->type != GEN_DNS)
            continue;
        const struct str name = {(const char *)ASN1_STRING_get0_data(one->d.dNSName),
            (size_t)ASN1_STRING_length(one->d.dNSName)};
        idle = is_taken(tls, index, kind, &name);
    }
    if (!names) /* without such names the common name counts */
        idle = false;
    GENERAL_NAMES_free(names);
    return idle;
}

size_t tls_next_idle(const struct tls *tls, size_t from)
{
    ERR_set_mark();
    while (from < tls->count && !is_idle(tls, from))
        from++;
    ERR_pop_to_mark();
    return from;
}

void tls_warn(const struct tls *tls, const struct tls_files *files)
{
    for (size_t i = tls_next_idle(tls, 0); i < tls->count; i = tls_next_idle(tls, i + 1)) {
        log_event(LOG_WARN, "certificate never chosen", log_str("cert", files[i].cert),
            log_str("reason", "others of its kind before it have all of its names"));
    }
}

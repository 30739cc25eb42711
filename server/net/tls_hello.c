/* What a ClientHello decides before OpenSSL looks for a session to resume. */
#include "net/tls_private.h"

#include <openssl/evp.h>

#include <string.h>

static const char groups[] = "X25519:P-256", last_group[] = "P-384";

bool tls_set_groups(SSL_CTX *ctx)
{
    return SSL_CTX_set1_groups_list(ctx, groups);
}

/* RFC 8422 5.1.1 and RFC 8446 4.2.7: a length, and numbers of two bytes. */
static bool needs_last_group(SSL *ssl)
{
    enum { P256 = 23, P384 = 24, X25519 = 29 };
    const unsigned char *list;
    size_t n;
    bool has_last = false;
    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_groups, &list, &n))
        return false;
    for (size_t i = 2; i + 1 < n; i += 2) {
        int group = list[i] << 8 | list[i + 1];
        if (group == X25519 || group == P256)
            return false;
        has_last |= group == P384;
    }
    return has_last;
}

/* The server name, which follows two lengths and a type (RFC 6066 3); empty if there is none. A
 * malformed one is refused later by OpenSSL. */
static struct str name_of(SSL *ssl)
{
    enum { HEAD = 5 };
    const unsigned char *list;
    size_t n;
    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &list, &n) || n < HEAD)
        return STR("");
    return (struct str){(const char *)list + HEAD, n - HEAD};
}

/* RFC 6066 3: a session is not resumed under another name, nor with other certificates. OpenSSL, in
 * all versions, compares the session context's id before it resumes a session. */
static bool set_session_context(SSL *ssl, const struct tls *tls, struct str name)
{
    unsigned char id[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) &&
              EVP_DigestUpdate(md, tls->digest, sizeof tls->digest) &&
              EVP_DigestUpdate(md, name.p, name.n) && EVP_DigestFinal_ex(md, id, &n);
    EVP_MD_CTX_free(md);
    return ok && SSL_set_session_id_context(ssl, id, n);
}

int tls_on_hello(SSL *ssl, int *alert, void *arg)
{
    *alert = SSL_AD_INTERNAL_ERROR;
    if (needs_last_group(ssl) && !SSL_set1_groups_list(ssl, last_group))
        return SSL_CLIENT_HELLO_ERROR;
    return set_session_context(ssl, arg, name_of(ssl)) ? SSL_CLIENT_HELLO_SUCCESS
                                                       : SSL_CLIENT_HELLO_ERROR;
}

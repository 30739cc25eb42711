#include "net/tls_private.h"

#include "core/mem.h"
#include "net/tls_selfsigned.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The protocols of ALPN, the preferred ones first. */
static const char *const protocols[] = {"h2", "http/1.1", "http/1.0"};
enum { PROTOCOLS = sizeof protocols / sizeof *protocols };

static bool same(const char *text, const unsigned char *name, size_t len)
{
    return strlen(text) == len && memcmp(text, name, len) == 0;
}

const char *tls_protocol(const unsigned char *name, size_t len)
{
    for (size_t i = 0; i < PROTOCOLS; i++) {
        if (same(protocols[i], name, len))
            return protocols[i];
    }
    return NULL;
}

/* Whether the client's list of length-prefixed names contains the protocol. OpenSSL has checked the
 * lengths. */
static bool offers(const unsigned char *list, size_t len, const char *protocol)
{
    const unsigned char *end = list + len;
    for (const unsigned char *name = list; name < end; name += 1 + name[0]) {
        if (same(protocol, name + 1, name[0]))
            return true;
    }
    return false;
}

/* RFC 7301 3.2: without a protocol in common the handshake ends with no_application_protocol. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *list, unsigned len, void *arg)
{
    (void)ssl, (void)arg;
    for (size_t i = 0; i < PROTOCOLS; i++) {
        if (offers(list, len, protocols[i])) {
            *out = (const unsigned char *)protocols[i];
            *out_len = (unsigned char)strlen(protocols[i]);
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Every name is acknowledged, even one that no certificate has: a TLS 1.2 session keeps only an
 * acknowledged name, and tls_info reports it after a resumption. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
    (void)alert, (void)arg;
    return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) ? SSL_TLSEXT_ERR_OK
                                                              : SSL_TLSEXT_ERR_NOACK;
}

/* Called instead of a prompt on the terminal: notes in *asked that a passphrase is needed. */
static int on_passphrase(char *buf, int size, int writing, void *asked)
{
    (void)buf, (void)size, (void)writing;
    if (asked)
        *(bool *)asked = true;
    return -1;
}

static bool set_policy(SSL_CTX *ctx, struct tls *tls)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
    SSL_CTX_set_client_hello_cb(ctx, tls_on_hello, tls);
    SSL_CTX_set_cert_cb(ctx, tls_choose, tls);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(ctx, on_passphrase);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) &&
           SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") && tls_set_groups(ctx);
}

static const char *reason_of(unsigned long error)
{
    const char *reason = ERR_reason_error_string(error);
    return reason ? reason : "no reason given";
}

static enum rc lack_memory(char why[TLS_WHY])
{
    snprintf(why, TLS_WHY, "TLS cannot be set up: %s", rc_text(RC_NOMEM));
    return RC_NOMEM;
}

/* Writes the message, unless memory ran out, and empties the error queue. */
__attribute__((format(printf, 2, 3))) static enum rc refuse(
    char why[TLS_WHY], const char *format, ...)
{
    bool out_of_memory = ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE;
    ERR_clear_error();
    if (out_of_memory)
        return lack_memory(why);
    va_list args;
    va_start(args, format);
    vsnprintf(why, TLS_WHY, format, args);
    va_end(args);
    return RC_INVALID;
}

static enum rc refuse_cert(const struct tls_files *files, char why[TLS_WHY])
{
    unsigned long error = ERR_peek_error();
    const char *name = files->cert;
    if (ERR_SYSTEM_ERROR(error))
        return refuse(
            why, "certificate \"%s\" cannot be read: %s", name, strerror(ERR_GET_REASON(error)));
    if (ERR_GET_REASON(error) == PEM_R_NO_START_LINE)
        return refuse(why, "\"%s\" holds no PEM certificate", name);
    return refuse(why, "certificate \"%s\" cannot be used: %s", name, reason_of(error));
}

static enum rc refuse_key(const struct tls_files *files, bool encrypted, char why[TLS_WHY])
{
    unsigned long error = ERR_peek_error();
    const char *name = files->key;
    if (ERR_SYSTEM_ERROR(error))
        return refuse(why, "key \"%s\" cannot be read: %s", name, strerror(ERR_GET_REASON(error)));
    if (encrypted)
        return refuse(why, "key \"%s\" is encrypted: give one without a passphrase", name);
    if (ERR_GET_LIB(error) == ERR_LIB_PEM || ERR_GET_LIB(error) == ERR_LIB_OSSL_DECODER)
        return refuse(why, "\"%s\" holds no PEM private key", name);
    return refuse(why, "key \"%s\" cannot be used: %s", name, reason_of(error));
}

/* Whether the key belongs to a certificate of the file other than the first (RFC 8446 4.4.2). */
static bool is_of_chain(SSL_CTX *ctx, const struct tls_files *files)
{
    bool found = false;
    FILE *f = fopen(files->key, "re");
    EVP_PKEY *key = f ? PEM_read_PrivateKey(f, NULL, on_passphrase, NULL) : NULL;
    STACK_OF(X509) *chain = NULL;
    SSL_CTX_get0_chain_certs(ctx, &chain);
    for (int i = 0; key && !found && i < sk_X509_num(chain); i++)
        found = X509_check_private_key(sk_X509_value(chain, i), key);
    EVP_PKEY_free(key);
    if (f)
        fclose(f);
    return found;
}

static enum rc refuse_pair(SSL_CTX *ctx, const struct tls_files *files, char why[TLS_WHY])
{
    if (is_of_chain(ctx, files))
        return refuse(why,
            "key \"%s\" does not match the first certificate of \"%s\" but a later one: the chain "
            "is in the wrong order, the server's own certificate goes first",
            files->key, files->cert);
    return refuse(why, "key \"%s\" does not match certificate \"%s\"", files->key, files->cert);
}

static enum rc use_files(SSL_CTX *ctx, const struct tls_files *files, char why[TLS_WHY])
{
    bool asked = false;
    ERR_clear_error();
    if (!SSL_CTX_use_certificate_chain_file(ctx, files->cert))
        return refuse_cert(files, why);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, &asked);
    bool used = SSL_CTX_use_PrivateKey_file(ctx, files->key, SSL_FILETYPE_PEM);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
    /* A key of the certificate's kind was compared at once; one of another kind only by this
     * check. */
    if (!used && ERR_GET_LIB(ERR_peek_error()) != ERR_LIB_X509)
        return refuse_key(files, asked, why);
    if (!used || !SSL_CTX_check_private_key(ctx))
        return refuse_pair(ctx, files, why);
    return RC_OK;
}

static enum rc use_selfsigned(SSL_CTX *ctx, char why[TLS_WHY])
{
    X509 *cert = NULL;
    EVP_PKEY *key = NULL;
    ERR_clear_error();
    bool ok = tls_selfsigned(&cert, &key) == RC_OK && SSL_CTX_use_certificate(ctx, cert) &&
              SSL_CTX_use_PrivateKey(ctx, key);
    X509_free(cert);
    EVP_PKEY_free(key);
    if (ok)
        return RC_OK;
    return refuse(why, "a certificate for localhost cannot be made (%s): give one in a file",
        reason_of(ERR_peek_error()));
}

static SSL_CTX *new_context(struct tls *tls)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx && set_policy(ctx, tls))
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

/* The digest covers all certificates so far, since the order of the pairs counts too. */
static bool add_digest(struct tls *tls, const SSL_CTX *ctx)
{
    unsigned char pieces[2 * SHA256_DIGEST_LENGTH];
    unsigned n = 0;
    memcpy(pieces, tls->digest, sizeof tls->digest);
    return X509_digest(
               SSL_CTX_get0_certificate(ctx), EVP_sha256(), pieces + sizeof tls->digest, &n) &&
           SHA256(pieces, sizeof pieces, tls->digest);
}

static enum rc set_context(
    struct tls *tls, size_t i, const struct tls_files *files, char why[TLS_WHY])
{
    ERR_clear_error();
    tls->contexts[i] = new_context(tls);
    if (!tls->contexts[i])
        return refuse(why, "TLS cannot be set up: %s", reason_of(ERR_peek_error()));
    /* A self-signed certificate is made anew by each process, and must not end its sessions. */
    if (!files)
        return use_selfsigned(tls->contexts[i], why);
    enum rc rc = use_files(tls->contexts[i], files, why);
    if (!rc && !add_digest(tls, tls->contexts[i]))
        rc = lack_memory(why);
    return rc;
}

static size_t size_for(size_t count)
{
    return sizeof(struct tls) + count * sizeof(SSL_CTX *);
}

enum rc tls_new(const struct tls_files *files, size_t count, struct tls **out, char why[TLS_WHY])
{
    size_t contexts = count ? count : 1;
    struct tls *tls = mem_get_zeroed(size_for(contexts));
    if (!tls)
        return lack_memory(why);
    tls->count = contexts;
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < contexts; i++)
        rc = set_context(tls, i, count ? &files[i] : NULL, why);
    if (rc == RC_OK)
        *out = tls;
    else
        tls_free(tls);
    return rc;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    for (size_t i = 0; i < tls->count; i++)
        SSL_CTX_free(tls->contexts[i]);
    mem_put(tls, size_for(tls->count));
}

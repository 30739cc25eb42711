/* TLS of connections to other servers, whose identity is verified. */
#include "net/tls_private.h"

#include "core/mem.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <stdio.h>

static bool set_policy(SSL_CTX *ctx, bool verify)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(ctx, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) &&
           SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") &&
           SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384");
}

/* The system's store, which takes milliseconds to read: all contexts share one, which is kept until
 * the process ends. */
static bool use_system_store(SSL_CTX *ctx)
{
    static X509_STORE *store;
    X509_STORE *read = store ? NULL : X509_STORE_new();
    if (read && X509_STORE_set_default_paths(read))
        store = read;
    else
        X509_STORE_free(read);
    if (store)
        SSL_CTX_set1_cert_store(ctx, store);
    return store;
}

static bool load_store(SSL_CTX *ctx, bool verify, const char *cas)
{
    if (cas)
        return SSL_CTX_load_verify_file(ctx, cas);
    return !verify || use_system_store(ctx);
}

/* A key that is encrypted can't be read: nobody is there to be asked for its password. */
static int no_password(char *buf, int size, int writes, void *data)
{
    (void)buf, (void)size, (void)writes, (void)data;
    return -1;
}

static bool load_pair(SSL_CTX *ctx, const struct tls_client_files *files)
{
    if (!files->cert)
        return true;
    const char *key = files->key ? files->key : files->cert;
    SSL_CTX_set_default_passwd_cb(ctx, no_password);
    return SSL_CTX_use_certificate_chain_file(ctx, files->cert) == 1 &&
           SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1;
}

static enum rc refuse(const char *what, const char *file, char why[TLS_WHY])
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    snprintf(why, TLS_WHY, "%s \"%s\" cannot be used: %s", what, file,
        reason ? reason : "none could be read");
    ERR_clear_error();
    return RC_INVALID;
}

static enum rc load_files(
    SSL_CTX *ctx, bool verify, const struct tls_client_files *files, char why[TLS_WHY])
{
    if (!load_store(ctx, verify, files->cas))
        return refuse("certificates", files->cas ? files->cas : "of the system", why);
    if (!load_pair(ctx, files))
        return refuse("the client's certificate", files->cert, why);
    return RC_OK;
}

enum rc tls_client_new(
    bool verify, const struct tls_client_files *files, struct tls_client **out, char why[TLS_WHY])
{
    struct tls_client *client = mem_get_zeroed(sizeof *client);
    snprintf(why, TLS_WHY, "TLS cannot be set up: %s", rc_text(RC_NOMEM));
    if (!client)
        return RC_NOMEM;
    ERR_clear_error();
    client->context = SSL_CTX_new(TLS_client_method());
    if (!client->context || !set_policy(client->context, verify)) {
        tls_client_free(client);
        return RC_NOMEM;
    }
    enum rc rc = load_files(client->context, verify, files, why);
    if (rc)
        tls_client_free(client);
    else
        *out = client;
    return rc;
}

void tls_client_free(struct tls_client *client)
{
    SSL_CTX_free(client->context);
    mem_put(client, sizeof *client);
}

static bool is_address(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* RFC 6066 3: an address is not sent as a server name. */
static bool name_peer(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (is_address(host))
        return X509_VERIFY_PARAM_set1_ip_asc(param, host);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, host, 0) && SSL_set_tlsext_host_name(ssl, host);
}

const struct str tls_alpn_h2 = {"\002h2\010http/1.1", 12};
const struct str tls_alpn_http_1 = {"\010http/1.1", 9};

static bool offer(SSL *ssl, struct str alpn)
{
    if (alpn.n == 0)
        return true;
    return SSL_set_alpn_protos(ssl, (const unsigned char *)alpn.p, (unsigned)alpn.n) ==
           0; /* 0 is success here */
}

enum rc tls_client_transport(struct transport *t, struct tls_client *client, struct wire *wire,
    const char *host, struct str alpn)
{
    SSL *ssl = SSL_new(client->context);
    if (ssl && (!name_peer(ssl, host) || !offer(ssl, alpn))) {
        SSL_free(ssl);
        ssl = NULL;
    }
    if (ssl)
        SSL_set_connect_state(ssl);
    return tls_transport_adopt(t, ssl, wire);
}

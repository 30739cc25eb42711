/* Shared by the files of TLS alone. */
#ifndef NET_TLS_PRIVATE_H
#define NET_TLS_PRIVATE_H

#include "core/str.h"
#include "net/tls.h"

#include <openssl/sha.h>
#include <openssl/ssl.h>

struct tls {
    unsigned char digest[SHA256_DIGEST_LENGTH]; /* of the certificates that files have */
    size_t count;
    SSL_CTX *contexts[]; /* one for each certificate; connections start with the first */
};

struct tls_client {
    SSL_CTX *context;
};

/* A transport for one connection with an SSL made for it, which it takes over, also where it fails;
 * NULL is the failure to make one. RC_NOMEM. */
enum rc tls_transport_adopt(struct transport *t, SSL *ssl, struct wire *wire) MUST_CHECK;

/* Callbacks of OpenSSL, whose argument is the struct tls. */
int tls_on_hello(SSL *ssl, int *alert, void *arg);
int tls_choose(SSL *ssl, void *arg);

/* The index of the first pair, from the given one on, that no client is ever shown; the number of
 * pairs where there is none. */
size_t tls_next_idle(const struct tls *tls, size_t from);

/* The groups for the exchange of keys: no finite fields, where the client chooses the cost;
 * tls_on_hello adds P-384 for a client that has no other. */
bool tls_set_groups(SSL_CTX *ctx) MUST_CHECK;

/* The protocol of that name among those that ALPN may agree upon, in static storage; else NULL. */
const char *tls_protocol(const unsigned char *name, size_t len);

#endif

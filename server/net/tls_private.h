/* What the files of TLS share; nobody else includes it. */
#ifndef NET_TLS_PRIVATE_H
#define NET_TLS_PRIVATE_H

#include "net/tls.h"

#include <openssl/ssl.h>

struct tls {
    size_t count;
    SSL_CTX *contexts[]; /* one for each certificate; connections start with the first */
};

struct tls_client {
    SSL_CTX *context;
};

/* A transport for one connection with an SSL made for it, which it takes over, also where it fails;
 * NULL is the failure to make one. RC_NOMEM. */
enum rc tls_transport_adopt(struct transport *t, SSL *ssl, struct wire *wire) MUST_CHECK;

/* The protocol of that name among those that ALPN may agree upon, in static storage; else NULL. */
const char *tls_protocol(const unsigned char *name, size_t len);

#endif

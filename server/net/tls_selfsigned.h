/* A certificate for localhost, made in memory. */
#ifndef NET_TLS_SELFSIGNED_H
#define NET_TLS_SELFSIGNED_H

#include "core/rc.h"

#include <openssl/x509.h>

/*
 * A new key on P-256 and its certificate, signed by itself, for localhost, 127.0.0.1 and ::1, good
 * for 90 days. The caller frees both. RC_SYSTEM: OpenSSL's error queue says why.
 */
enum rc tls_selfsigned(X509 **cert, EVP_PKEY **key) MUST_CHECK;

#endif

/*
 * TLS on OpenSSL: contexts, which hold certificates and policy and serve many connections, and the
 * transport that seals one connection's bytes.
 *
 * Policy: TLS 1.2 and later, forward-secret AEAD suites alone (RFC 9113 9.2.2), no renegotiation,
 * no compression, X25519, P-256 and P-384, session tickets that are good for one name, ALPN "h2",
 * "http/1.1" and "http/1.0".
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "core/rc.h"
#include "net/transport.h"

#include <stdbool.h>
#include <stddef.h>

struct tls;

struct tls_files {
    const char *cert; /* PEM: the certificate, then its chain */
    const char *key;  /* PEM: the private key */
};

/* Room for any message in *why below. */
enum { TLS_WHY = 512 };

/*
 * Contexts for the given pairs. A client is shown a certificate that it can verify, ECDSA before
 * RSA: first of those that have the name as it is, then of those that match it by a wildcard. For a
 * name that no certificate has, or none sent, it is the first that the client can verify. With no
 * pairs, a certificate for localhost is made in memory, signed by itself, good for 90 days. On
 * failure why holds one line that names the file and the cure. RC_INVALID, RC_NOMEM.
 */
enum rc tls_new(
    const struct tls_files *files, size_t count, struct tls **out, char why[TLS_WHY]) MUST_CHECK;
void tls_free(struct tls *tls);
/* Logs each pair that no client is ever shown, since pairs of the same kind before it have all of
 * its names; the files are those that tls was made from. */
void tls_warn(const struct tls *tls, const struct tls_files *files);

/* A server's transport for one connection; tls is borrowed for its life. RC_NOMEM. */
enum rc tls_transport(struct transport *t, struct tls *tls, struct wire *wire) MUST_CHECK;

/* TLS in the client role. */
struct tls_client;

/* Certificates are verified against the system's store, or the one in the PEM file cas, unless
 * verify is false. On failure why holds one line. RC_INVALID, RC_NOMEM. */
enum rc tls_client_new(
    bool verify, const char *cas, struct tls_client **out, char why[TLS_WHY]) MUST_CHECK;
void tls_client_free(struct tls_client *client);
/* A client's transport for one connection to a host, by its name or address, offering h2 and
 * http/1.1, or the latter alone. RC_NOMEM. */
enum rc tls_client_transport(struct transport *t, struct tls_client *client, struct wire *wire,
    const char *host, bool offer_h2) MUST_CHECK;

/* How many KeyUpdates (RFC 8446 4.6.3) the peer has sent since the last call. */
uint32_t tls_take_key_updates(const struct transport *t);

/* After the handshake. Strings are borrowed from the transport, or static. */
struct tls_info {
    const char *version; /* "TLSv1.3" */
    const char *cipher;
    const char *sni;  /* NULL where the client sent none */
    const char *alpn; /* the protocol agreed upon; NULL where there is none */
};
struct tls_info tls_info(const struct transport *t);

#endif

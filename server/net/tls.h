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
#include "core/str.h"
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

/* PEM files; NULL is none. */
struct tls_client_files {
    const char *cas;        /* authorities in place of the system's */
    const char *cert, *key; /* what the client shows where it is asked */
};

/* The peer's certificate is verified unless verify is false. On failure why holds one line.
 * RC_INVALID, RC_NOMEM. */
enum rc tls_client_new(bool verify, const struct tls_client_files *files, struct tls_client **out,
    char why[TLS_WHY]) MUST_CHECK;
void tls_client_free(struct tls_client *client);
/* The protocols that a client offers, for ALPN: each name behind a byte with its length. */
extern const struct str tls_alpn_h2, tls_alpn_http_1; /* h2 and http/1.1; the latter alone */
/* A client's transport for one connection to a host, by its name or address; alpn may be empty. The
 * client may be freed before it. RC_NOMEM. */
enum rc tls_client_transport(struct transport *t, struct tls_client *client, struct wire *wire,
    const char *host, struct str alpn) MUST_CHECK;

/* How many KeyUpdates (RFC 8446 4.6.3) the peer has sent since the last call. */
uint32_t tls_take_key_updates(const struct transport *t);

/* After the handshake. Strings are borrowed from the transport, or static. */
struct tls_info {
    const char *version; /* "TLSv1.3" */
    const char *cipher;
    const char *sni;  /* NULL if the client sent none */
    const char *alpn; /* the protocol agreed upon; NULL if there is none */
};
struct tls_info tls_info(const struct transport *t);
/* The protocol agreed upon, whatever it is called; n is 0 if there is none. Borrowed. */
struct str tls_alpn(const struct transport *t);

#endif

/* Traffic that came to the wrong kind of listener: it is recognised by its first bytes, and
 * answered. */
#ifndef NET_MISPLACED_H
#define NET_MISPLACED_H

#include "http/handler.h"

#include <stdint.h>

/* Why a connection that begins with these bytes can't be served, for the log; NULL if it may be. */
const char *misplaced_reason(bool tls, const uint8_t *data, size_t n);
/* Whether HTTP/1.1 answers these first bytes, as a malformed request. */
bool misplaced_is_answered(const uint8_t *data, size_t n);
/* Whether the first bytes for a TLS listener are those of HTTP in plaintext. */
bool misplaced_is_plaintext(const uint8_t *data, size_t n);
/* Answers each request that came in plaintext to a TLS listener with 400 and the URL to ask for. */
extern struct handler misplaced_handler;

#endif

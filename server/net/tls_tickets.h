/*
 * The keys that session tickets are sealed with (RFC 5077, RFC 8446 4.6.1). All workers have the
 * same, so that any of them resumes what another began; the master makes them and sends them new
 * ones.
 */
#ifndef NET_TLS_TICKETS_H
#define NET_TLS_TICKETS_H

#include "core/rc.h"

#include <stdint.h>

struct tls;

enum { TLS_TICKET_KEYS = 2, TLS_TICKET_NAME = 16, TLS_TICKET_SECRET = 32 };

struct tls_ticket_key {
    uint8_t name[TLS_TICKET_NAME]; /* goes with the ticket, in the clear */
    uint8_t aes[TLS_TICKET_SECRET];
    uint8_t hmac[TLS_TICKET_SECRET];
};

/* The first seals; each opens. */
struct tls_tickets {
    struct tls_ticket_key keys[TLS_TICKET_KEYS];
};

/* Makes all keys. RC_SYSTEM: no randomness. */
enum rc tls_tickets_init(struct tls_tickets *t) MUST_CHECK;
/* Makes a new first key; the one before opens on. RC_SYSTEM: the keys are as they were. */
enum rc tls_tickets_rotate(struct tls_tickets *t) MUST_CHECK;
/* Lets tls use the keys, which are borrowed and may change. */
void tls_tickets_use(struct tls *tls, const struct tls_tickets *t);

#endif

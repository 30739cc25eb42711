/*
 * Dialling: a connection that this server opens, from a list of addresses to a session in its
 * client role. The addresses are tried as net/connecting.h says.
 *
 *     DIAL_IDLE ──dial_start──▶ DIAL_DIALLING ──opened──▶ DIAL_OPEN
 *     DIAL_DIALLING, DIAL_OPEN ──closed, or dial_cancel──▶ DIAL_IDLE
 *
 * The owner embeds one. None of its operations is called from within dial_start; each records and
 * queues.
 */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include "core/rc.h"
#include "http/cut.h"
#include "net/connecting.h"
#include "net/protocol.h"
#include "net/timer.h"

#include <stddef.h>
#include <sys/socket.h>

struct conn;
struct dial;
struct loop;
struct session;
struct tls_client;

struct dial_ops {
    /* d->session takes calls from now on. */
    void (*opened)(struct dial *d);
    /* The session's room may have changed, or it is going. */
    void (*changed)(struct dial *d);
    /* The connection failed or has ended; the calls on it have been told. why is borrowed. */
    void (*closed)(struct dial *d, const char *why);
};

struct dial_to {
    struct sockaddr_storage addresses[CONNECTING_ADDRESSES];
    size_t count;
    struct tls_client *tls; /* NULL for plaintext; borrowed, as host */
    const char *host;       /* with TLS: the name that the certificate must have */
    enum protocol protocol; /* to be spoken; UNKNOWN with TLS: what ALPN agrees upon */
    double timeout;         /* seconds until it is open; 0 is no limit */
};

enum dial_state {
    DIAL_IDLE,
    DIAL_DIALLING, /* an address is tried, or the connection shakes hands */
    DIAL_OPEN,     /* there is a session */
};

struct dial {
    enum dial_state state;
    const struct dial_ops *ops;
    struct loop *loop;
    struct dial_to to;
    struct connecting *connecting; /* while no address has answered */
    struct conn *conn;             /* from then on */
    struct session *session;       /* in DIAL_OPEN */
    struct timer patience;
};

void dial_init(struct dial *d, struct loop *loop, const struct dial_ops *ops);
/* Begins to dial d->to, which the owner has filled in, with one address at least; from DIAL_IDLE.
 * RC_NOMEM. */
enum rc dial_start(struct dial *d) MUST_CHECK;
/* Ends it at once, from any state; closed is not called, but calls under way are lost. */
void dial_cancel(struct dial *d, struct cut cut);
/* Ends it when the last call has; see session_ops.shut_down. */
void dial_shut_down(struct dial *d);

/* For connections. */

void dial_opened(struct dial *d, struct session *session);
void dial_changed(struct dial *d);
void dial_lost(struct dial *d, const char *why);

#endif

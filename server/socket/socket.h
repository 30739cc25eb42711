/*
 * A socket: a connection of this worker to another server, whose bytes the owner reads and writes
 * as it likes. The names, addresses and TLS are those of other connections that are dialled.
 *
 *     SOCKET_RESOLVING ──▶ SOCKET_CONNECTING ──▶ SOCKET_SHAKING_HANDS ──▶ SOCKET_OPEN
 *                                    └──without TLS──────────────────────▶ SOCKET_OPEN
 *     SOCKET_OPEN ──socket_start_tls──▶ SOCKET_SHAKING_HANDS
 *     SOCKET_OPEN ──socket_keep──▶ SOCKET_KEPT ──socket_take──▶ SOCKET_OPEN
 *     any ──it fails──▶ SOCKET_FAILED
 *     any ──socket_close──▶ SOCKET_CLOSING, which sends what is left, and is freed
 *
 * Everything is recorded: bytes go out in the step of the turn that follows (loop.h), and are
 * received from the loop, as far as there is room for them. The owner is told, and may do anything
 * but close the socket there. struct socket_group (socket_group.h) owns them all.
 */
#ifndef SOCKET_SOCKET_H
#define SOCKET_SOCKET_H

#include "core/bytes.h"
#include "core/list.h"
#include "net/address.h"
#include "net/descriptor.h"
#include "net/timer.h"
#include "net/tls.h"
#include "net/transport.h"
#include "socket/inbox.h"
#include "socket/socket_url.h"

#include <stdbool.h>

struct shelf;
struct socket;
struct socket_call;
struct socket_group;

enum {
    SOCKET_QUEUE = 65536, /* bytes that are to be sent */
};

enum socket_state {
    SOCKET_RESOLVING,
    SOCKET_CONNECTING,
    SOCKET_SHAKING_HANDS,
    SOCKET_OPEN,
    SOCKET_KEPT,
    SOCKET_FAILED,
    SOCKET_CLOSING,
};

enum socket_failure {
    SOCKET_WELL,
    SOCKET_UNREACHABLE, /* no connection came about, or no TLS */
    SOCKET_LOST,
    SOCKET_NO_MEMORY,
};

/* Called from the loop. */
struct socket_ops {
    void (*on_state)(struct socket *s); /* it is open, or has failed */
    void (*on_input)(struct socket *s); /* more is there, or its end */
    void (*on_room)(struct socket *s);  /* more may be written */
};

/* How TLS is spoken, and with whom. Each is NULL or empty where nothing is said. */
struct socket_tls {
    bool verify;
    const char *ca, *cert, *key;
    const char *server_name; /* in place of the URL's host */
    struct str alpn;         /* each name behind a byte with its length */
};

struct socket_order {
    struct socket_url url;
    struct socket_tls tls; /* for SOCKET_TLS */
};

struct socket {
    struct list link;  /* of all */
    struct list dirty; /* it has something to send, or is to be freed */
    struct socket_group *all;
    enum socket_state state;
    enum socket_failure failure;
    char why[SOCKET_WHY];
    const struct socket_ops *ops;
    void *owner;
    struct socket_call *call; /* until it is connected */
    int fd;                   /* -1 for none */
    struct descriptor descriptor;
    unsigned events;            /* those that are watched */
    struct transport transport; /* of TLS; its ops are NULL without */
    bool has_tls;               /* and it stands between */
    char remote[ADDRESS_TEXT];
    struct inbox in;
    size_t wanted;       /* the owner is told of input if so many bytes are there */
    struct bytes out;    /* to be sealed and sent */
    struct bytes sealed; /* what the system did not take at once; with TLS alone */
    bool ended;          /* the peer has ended its direction */
    bool cut;            /* the peer takes nothing more: what it has sent can still be read */
    bool finishing;      /* this side's ends after what is queued */
    bool finished;
    struct timer patience; /* for the rest, after socket_close */
    char *key;             /* under which it may be kept; NULL for none */
    size_t key_size;
    struct shelf *shelf; /* while it is kept */
    struct list shelved; /* of that */
    double kept_until;   /* of clock_recent */
};

/* Begins to connect. The order is copied. on_state tells how it ends, never from within. RC_INVALID
 * if a file of the TLS options cannot be used, RC_NOMEM; why then says what is wrong. */
enum rc socket_open(struct socket_group *all, const struct socket_order *order,
    const struct socket_ops *ops, void *owner, struct socket **out,
    char why[SOCKET_WHY]) MUST_CHECK;
/* Releases it: what is queued is still sent, as far as the peer takes it soon. It is freed later.
 */
void socket_close(struct socket *s);
/* The same, but what is queued is dropped. */
void socket_drop(struct socket *s);
/* The key under which it may be kept (socket_group.h) is copied. RC_NOMEM: it has none. */
enum rc socket_set_key(struct socket *s, struct str key) MUST_CHECK;
/* Begins TLS on an open socket: after what is queued has been sent. Nothing may be there that is
 * not read. on_state tells how it ends. RC_INVALID, RC_NOMEM as socket_open. */
enum rc socket_start_tls(struct socket *s, const struct socket_tls *tls, const char *host,
    char why[SOCKET_WHY]) MUST_CHECK;

/* Queues as many of n bytes as there is room for. RC_NOMEM. */
enum rc socket_write(struct socket *s, const char *data, size_t n, size_t *taken) MUST_CHECK;
/* Ends this side's direction after what is queued. */
void socket_finish(struct socket *s);
static inline bool socket_has_unsent(const struct socket *s)
{
    return s->out.len || s->sealed.len;
}

/* Drops bytes that have been read from the front of s->in, and reads on. */
void socket_consume(struct socket *s, size_t n);
/* Whether more can be received without a larger place. */
bool socket_has_room(const struct socket *s);
/* As those of the inbox. */
void socket_lend(struct socket *s, char *place, size_t size);

/* For the files of sockets alone. */

void socket_mark_dirty(struct socket *s);
void socket_set_state(struct socket *s, enum socket_state state);
/* Connected: fd belongs to the socket. */
void socket_connected(struct socket *s, int fd, const struct sockaddr_storage *address);
/* Makes the transport for TLS with the host. RC_INVALID, RC_NOMEM. */
enum rc socket_make_transport(struct socket *s, const struct socket_tls *tls, const char *host,
    char why[SOCKET_WHY]) MUST_CHECK;
/* It fails: why is copied. The owner is told. */
void socket_fail(struct socket *s, enum socket_failure failure, const char *why);
/* Tells the owner, by one of its ops. */
void socket_tell(struct socket *s, void (*what)(struct socket *s));
/* Sends what can be sent, in the sockets' step. May free s. */
void socket_run(struct socket *s);
/* Frees it at once. */
void socket_free(struct socket *s);
/* socket_io.c */
void socket_watch(struct socket *s);
void socket_on_ready(struct descriptor *d, unsigned events);
void socket_shake_hands(struct socket *s);
/* Sends what can be sent. Returns whether nothing is left, or nothing more can be sent. */
bool socket_send(struct socket *s);
/* socket_call.c: from the URL to socket_connected, or to a failure. */
enum rc socket_call_start(struct socket *s, const struct socket_url *url) MUST_CHECK;
void socket_call_end(struct socket *s);

#endif

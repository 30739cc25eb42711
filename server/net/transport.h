/*
 * A transport: what stands between a socket's bytes and a session's. Plain TCP passes them on, TLS
 * seals and opens them. Neither does a system call: the connection receives into the wire and sends
 * from it.
 */
#ifndef NET_TRANSPORT_H
#define NET_TRANSPORT_H

#include "core/rc.h"

#include <stddef.h>
#include <stdint.h>

enum {
    WIRE_IN = 32768,     /* bytes taken from a socket at once */
    WIRE_RECORD = 16384, /* bytes of a session sealed at once: a full TLS record */
    WIRE_MARK = 65536,   /* a connection sends once this much is gathered */
    WIRE_OUT = WIRE_MARK + 2 * WIRE_RECORD, /* records have headers, and alerts may come on top */
};

/*
 * The bytes of one connection on their way, while it has its turn. One for each worker: a
 * connection leaves it empty, having consumed all input, and having sent all output or kept the
 * rest.
 */
struct wire {
    const uint8_t *in_next; /* received and not yet opened */
    size_t in_left;
    size_t out_len; /* sealed and not yet sent */
    uint8_t in[WIRE_IN];
    uint8_t plain[WIRE_RECORD]; /* opened, or to be sealed */
    uint8_t out[WIRE_OUT];
};

struct transport;

struct transport_ops {
    /* RC_OK once done, RC_AGAIN while more input is needed, RC_PROTOCOL; *why then says what broke,
     * in static or thread-local storage. */
    enum rc (*handshake)(struct transport *t, const char **why);
    /* The next opened bytes, borrowed until the next call. RC_AGAIN when the wire's input is used
     * up, RC_CLOSED at the peer's orderly end, RC_PROTOCOL. */
    enum rc (*open)(struct transport *t, const uint8_t **data, size_t *n);
    /* Seals n bytes, at most WIRE_RECORD, into the wire. RC_NOMEM, RC_SYSTEM. */
    enum rc (*seal)(struct transport *t, const uint8_t *data, size_t n);
    /* Adds the message of an orderly end to the wire. */
    void (*end)(struct transport *t);
    void (*fini)(struct transport *t);
};

struct transport {
    const struct transport_ops *ops;
    struct wire *wire; /* borrowed */
    void *state;       /* the implementation's own */
};

/* Plain TCP. */
void transport_plain(struct transport *t, struct wire *wire);

#endif

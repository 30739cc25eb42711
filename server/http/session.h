/*
 * What a connection asks of a protocol. A session turns bytes into exchanges and exchanges into
 * bytes; it does no input or output, and knows of its connection only the host below.
 */
#ifndef HTTP_SESSION_H
#define HTTP_SESSION_H

#include "core/rc.h"
#include "http/cut.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct call;
struct handler;
struct peer;
struct session;

/* The connection, as a session sees it. It outlives the session. */
struct session_host {
    void (*dirty)(struct session_host *host); /* the session wants fill and reap in this turn */
    /* The session wants on_alarm in so many seconds; one alarm at a time, the last set. */
    void (*alarm)(struct session_host *host, double seconds);
    /* A session in its client role: its room may have changed, or it is going. */
    void (*changed)(struct session_host *host);
    struct handler *handler; /* of a session in its server role */
    const struct peer *peer;
};

/* The two steps of a graceful end. Some time passes between them, so that what the peer sent before
 * it knew is still taken (RFC 9113 6.8). */
enum session_end {
    END_NOTICE, /* the peer is told that the end comes */
    END_NOW,    /* exchanges under way finish, and no other begins */
};

struct session_ops {
    /* Feeds received bytes. On any error the connection is over once what fill gives is sent. */
    enum rc (*recv)(struct session *s, const uint8_t *data, size_t n);
    /* Whether recv may be called; if not, the session calls dirty once it may again. Bytes fed
     * anyway are queued, up to a few reads. */
    bool (*wants_input)(const struct session *s);
    /* The peer sends nothing more; false where nothing is left to be done then. */
    bool (*end_input)(struct session *s);
    /* Writes up to room bytes to out and returns how many; 0 where there is nothing to send now. */
    size_t (*fill)(struct session *s, uint8_t *out, size_t room);
    /* Whether nothing more is to be read or sent. */
    bool (*is_over)(const struct session *s);
    /* Whether no exchange is under way. */
    bool (*is_idle)(const struct session *s);
    /* One step of a graceful end. In the client role each means that no other call is taken. */
    void (*shut_down)(struct session *s, enum session_end how);
    void (*on_alarm)(struct session *s);
    /* Bytes that it holds, and its exchanges with it. NULL in the client role. */
    size_t (*memory)(const struct session *s);
    /* Counts the seconds since the last sweep against timeouts. */
    void (*sweep)(struct session *s, double seconds);
    /* Frees exchanges that are done. */
    void (*reap)(struct session *s);
    /* Aborts all exchanges for the cause given, and frees the session. */
    void (*free)(struct session *s, struct cut cut);
};

/* What a session in its client role can do besides. */
struct session_client_ops {
    /* Takes a call, and holds it until it is done. RC_NOMEM: the call is as it was. Only where
     * there is room. */
    enum rc (*begin)(struct session *s, struct call *c);
    /* How many more calls it takes now. */
    uint32_t (*room)(const struct session *s);
    /* Whether it takes no more calls. */
    bool (*is_going)(const struct session *s);
    /* How many it carries at a time; false where its peer has not said yet, and there is room for
     * what is safe in any case. */
    bool (*carries)(const struct session *s, uint32_t *calls);
    bool shares; /* many calls go over it at a time */
};

struct session {
    const struct session_ops *ops;
    const struct session_client_ops *client; /* NULL in the server role */
    struct session_host *host;
    bool cut; /* what was sent last is not whole: the peer is not to be told of an orderly end */
};

#endif

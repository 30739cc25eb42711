/*
 * A call: one request that this server makes of another, and the response to it. It is an exchange
 * seen from the other end: the owner, which makes it, pushes the request and takes the response; a
 * session in its client role moves both through a connection. Neither knows the other: the agent
 * (proxy/pool.h), which finds the session, stands between them.
 *
 *     CALL_IDLE ──an agent takes it──▶ CALL_HELD ──on_done, or call_cancel──▶ CALL_DONE
 *         ▲                                                                       │
 *         └──────────────────────────────call_rewind──────────────────────────────┘
 *
 * While it is HELD others refer to it: it must not be moved or freed. In IDLE and DONE it is the
 * owner's alone, which may free it.
 *
 * The owner embeds it (container_of gives the owner back), or allocates it. What it holds of the
 * request and of the response lives in its arena and in its two queues until call_fini, so that
 * the response can still be read after on_done.
 *
 * The two messages end in any order. A response may be whole while the request is still going up
 * (c->ended with call_sending): the owner goes on writing, or gives up with
 * call_cancel(ERROR_NO_ERROR). on_done with CALL_WHOLE comes when both have ended; or when the
 * response has ended and the other server wants no more of the request (RST_STREAM NO_ERROR,
 * "connection: close"), and whatever the owner writes from then on goes nowhere.
 *
 * Nothing here calls the owner except to record and queue, and nothing here sends.
 */
#ifndef HTTP_CALL_H
#define HTTP_CALL_H

#include "core/arena.h"
#include "core/bytes.h"
#include "http/field.h"
#include "http/outgoing.h"

#include <stdbool.h>
#include <stdint.h>

struct call;

enum call_state { CALL_IDLE, CALL_HELD, CALL_DONE };

/* What became of a call. */
enum call_end {
    CALL_WHOLE,       /* the response has ended as it should */
    CALL_UNREACHABLE, /* no connection: nothing of the request went anywhere */
    CALL_REFUSED,     /* the other server did not process it: it may be made again (RFC 9113 8.7) */
    CALL_RESET,       /* the other server reset it, with c->reset_code */
    CALL_LOST,        /* the connection ended */
    CALL_PROTOCOL,    /* what came over it was no HTTP, or a flood */
    CALL_TOO_LARGE,   /* the response has passed a bound of ours, c->limit */
    CALL_TIMED_OUT,   /* a limit of call_options passed; why is its name */
    CALL_CONNECT_TIMED_OUT, /* the same before there was a connection */
    CALL_CROWDED, /* none of the connections that this server allows itself came free in time */
};

enum call_version { CALL_ANY_HTTP, CALL_HTTP_1, CALL_HTTP_2 };

/* How a call is made. Seconds of 0 are no limit. */
struct call_options {
    enum call_version version; /* ANY: what the origin's scheme says, and ALPN with https */
    bool insecure;             /* with https: the certificate is not verified */
    const char *cas;           /* a PEM file to verify it by; NULL for the system's store */
    double connect_timeout;    /* until a session takes it: queue, name, connection, handshake */
    double response_timeout;   /* then without progress until the response's head; what the owner
                                  keeps waiting does not count, here and in the next */
    double idle_timeout;       /* then without progress in either direction */
    uint64_t client;           /* the client in whose share of connections it counts; 0 for none */
    bool elsewhere;            /* another server can be asked: this one is not retried for long */
    bool spread;               /* calls go round the addresses of a name, those that work */
    double keepalive; /* over HTTP/2, while it is under way: after so long without a frame the other
                         server is asked for one, and left where none comes in half as long */
};
/* No version forced, verified, 10 s, 60 s, 60 s, neither of the last three. */
extern const struct call_options call_options_default;

/* What a call asks of the session that holds it. All record, none sends. */
struct call_host {
    const char *protocol;                       /* as in struct call; of HTTP/1.x "HTTP/1.1" */
    void (*dirty)(struct call *c);              /* there may be something to send */
    void (*consumed)(struct call *c, size_t n); /* the owner read n bytes of the response */
    void (*cancelled)(struct call *c, uint32_t code); /* let go of it, now; see c->expired, too */
};

/* What the owner is told. Each records and queues, and calls none of the functions below. */
struct call_ops {
    /* An interim response (RFC 9110 15.2), 100 included; the fields are borrowed. */
    void (*on_interim)(struct call *c, int status, const struct fields *fields);
    /* c->status, c->fields and c->protocol are the response's. */
    void (*on_head)(struct call *c);
    /* More of the body has arrived, or its end: then c->ended, and c->trailers are there. */
    void (*on_readable)(struct call *c);
    /* There is room again, after a call_write that took less than it was given; or a session has
     * taken the call and begun to send it. */
    void (*on_writable)(struct call *c);
    /* Comes last: the call is DONE, and may be freed from here on, even by this function. Nothing
     * more is sent, and the session reads no memory of the call. why is a phrase for the log,
     * borrowed. */
    void (*on_done)(struct call *c, enum call_end end, const char *why);
};

/* An agent finds sessions for calls. */
struct call_agent {
    /* A session lets go of a call that it took, unless its owner cancelled. Returns true to hold
     * the call on, so that another session may take it; false: the owner is to be told. */
    bool (*on_done)(struct call *c, enum call_end end, const char *why);
    /* The owner cancelled; a session has let go of it. */
    void (*on_cancel)(struct call *c);
};

enum {
    CALL_ARENA_MAX = 1 << 20, /* bytes of fields, of both messages, at the most */
    CALL_ARENA_FIRST = 1536,  /* of which these lie in the call */
    CALL_KEPT_MAX = 16384,    /* bytes of a request's body kept, for it to be made again */
    CALL_INTERIMS_MAX = 256,  /* interim responses to one request */
};

struct call {
    enum call_state state;
    const struct call_ops *ops;

    /* The request. It is set up by call_aim and the functions of outgoing.h on c->request. */
    struct str method, scheme, authority, target; /* target: path and query, or "*" */
    struct outgoing request; /* fields named host in it are dropped: authority says it */
    struct bytes kept;       /* what sessions took of its body, while it may be made again */
    bool keeps;              /* they are not dropped as the response begins */
    bool wants_room;         /* on_writable is to come */

    /* The response. */
    const char *protocol; /* "HTTP/2", "HTTP/1.1" or "HTTP/1.0"; static; NULL before the head */
    int status;           /* 0 before the head */
    unsigned interims;    /* heads before it */
    struct fields fields; /* lower case; content-length is among them where it came */
    struct fields trailers;
    struct bytes body;   /* received, and not consumed */
    bool began;          /* something of the response has come */
    bool ended;          /* all of the body, and the trailers, have arrived */
    bool expired;        /* its time is over, and so it ended: its connection may be dead */
    bool ended_by_head;  /* HTTP/2: the head itself was the end (END_STREAM on HEADERS) */
    uint32_t reset_code; /* with CALL_RESET */
    const char *limit;   /* with CALL_TOO_LARGE: the name of the option; static */

    /* Set while it is held. */
    const struct call_host *host;   /* the session; NULL without one */
    void *held;                     /* the session's own */
    const struct call_agent *agent; /* NULL without one */
    void *ticket;                   /* the agent's own */
    double keepalive;               /* of call_options; the agent sets it */
    double progressed;              /* when bytes of a body, or the head, last moved, of
                                       clock_recent */

    struct arena arena;
    char first[CALL_ARENA_FIRST];
};

/* For owners. */

void call_init(struct call *c, const struct call_ops *ops);
/* Frees what c owns; it must not be HELD. */
void call_fini(struct call *c);

/* Says what is asked for; all are copied. RC_INVALID for a method that is no token, a target that
 * is neither "*" nor starts with "/" or has a byte that no target may have, an authority that is
 * no host with or without a port, so that nothing here can split a message of HTTP/1.x; RC_NOMEM.
 * CONNECT is RC_INVALID. */
enum rc call_aim(struct call *c, struct str method, struct str scheme, struct str authority,
    struct str target) MUST_CHECK;
/* Like outgoing_write and outgoing_finish; the session that holds the call is told. Both may be
 * called before it is held, too: a request that is whole by then carries its content-length. */
enum rc call_write(struct call *c, const char *data, size_t n, size_t *taken) MUST_CHECK;
enum rc call_finish(struct call *c) MUST_CHECK;
/* The head goes out, though there is no body yet. RC_STATE once the request has ended. */
enum rc call_flush(struct call *c) MUST_CHECK;
/* Whether the request has not been handed over whole, and the call is not done. */
bool call_sending(const struct call *c);

/* The next bytes of the response's body, in one piece; *n is 0 if none are queued. They are
 * borrowed until call_consume. Good after on_done, too. */
const char *call_peek(const struct call *c, size_t *n);
void call_consume(struct call *c, size_t n);

/* The owner is done with the call: it is DONE when this returns, and on_done does not come. On
 * HTTP/2 its stream is reset with the code, on HTTP/1.x the connection is closed, unless both
 * messages have been moved whole. No effect on a call that is not held. */
void call_cancel(struct call *c, uint32_t code);
/* Like call_cancel, when the owner's time limit has passed: a connection over which nothing came in
 * that time gets no other calls. */
void call_expire(struct call *c);

/* Resets a call that no session has to the state before one took it; its owner's request is kept. A
 * DONE call is IDLE afterwards, and may be made again, perhaps of another origin. RC_STATE if bytes
 * of its body are gone, or the response had begun; RC_NOMEM. */
enum rc call_rewind(struct call *c) MUST_CHECK;
/* The same for a call whose response has begun, which is dropped: it is cancelled. RC_STATE, and
 * nothing has changed, if bytes of the request's body are gone: they are kept as long as the
 * response has not begun, or c->keeps is set. */
enum rc call_again(struct call *c) MUST_CHECK;
/* Whether a request may be sent again when it is not known whether it was processed: whether its
 * method is idempotent (RFC 9110 9.2.2). */
bool call_is_idempotent(const struct call *c);

/* For agents. */

/* Takes an idle call. */
void call_engage(struct call *c, const struct call_agent *agent, void *ticket);
/* The agent ends the call; a session that has it lets go of it. */
void call_fail(struct call *c, enum call_end end, const char *why);
/* Whether time that passes now is time that the other server takes. */
bool call_waits(const struct call *c);

/* For sessions. */

/* Takes a call from its agent, or an idle one. body_max bounds what is queued of the response. */
void call_hold(struct call *c, const struct call_host *host, void *held, size_t body_max);
/* What the session takes of the body is kept until the response begins, up to CALL_KEPT_MAX bytes,
 * so that the call may be made again. */
void call_keep(struct call *c);
/* Completes and takes the request's head: as outgoing_take_head. */
enum rc call_take_head(struct call *c) MUST_CHECK;
/* A head is complete, and c->fields are its fields, which the session has checked, counted and
 * copied to the arena. An interim one clears the fields again, and does not count as progress: it
 * costs the other server nothing. RC_LIMIT for one too many of these. */
enum rc call_receive_head(struct call *c, const char *protocol, int status) MUST_CHECK;
/* A piece of the body has arrived. RC_LIMIT past the queue's bound, RC_NOMEM. */
enum rc call_receive(struct call *c, const void *data, size_t n) MUST_CHECK;
/* The response has ended. */
void call_receive_end(struct call *c);
/* Something was handed to the connection: wakes an owner that waits for room. */
void call_progress(struct call *c);
/* Whether both messages have been moved whole. */
bool call_is_complete(const struct call *c);
/* The session lets go of the call, and must not look at it again. Where the response has ended, the
 * call is whole, whatever ended it. */
void call_end(struct call *c, enum call_end end, const char *why);

#endif

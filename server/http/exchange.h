/*
 * An exchange: one request and its response. A session owns it and moves bytes through it; a
 * handler borrows it while it answers. Neither knows the other.
 *
 * A handler is attached from its start until it detaches, or until the exchange is aborted,
 * whichever comes first; after that it must not touch the exchange, which the session frees when
 * the stream is over as well. Nothing here calls a handler except to record and queue, and nothing
 * here sends.
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include "core/arena.h"
#include "core/list.h"
#include "http/cut.h"
#include "http/request.h"
#include "http/response.h"

struct handler;
struct exchange;

/* What an exchange knows of the connection; borrowed from it. */
struct peer {
    char remote[64];         /* "127.0.0.1:51234", "[::1]:51234" */
    uint64_t conn;           /* the connection's number in this process */
    const char *tls_version; /* "TLSv1.3"; NULL on plaintext, like tls_cipher and tls_sni */
    const char *tls_cipher;
    const char *tls_sni;                 /* NULL if the client sent none */
    struct exchange_observer *observers; /* told of each exchange, by their next; NULL for nobody */
};

/* An observer is told of exchanges that are over. An access log is one. */
struct exchange_observer {
    struct exchange_observer *next;
    /* Called once for each that began; x can be read until this returns. */
    void (*ended)(struct exchange_observer *o, const struct exchange *x);
};

/* What its two bodies are. */
enum exchange_kind {
    EXCHANGE_MESSAGES, /* those of a request and a response */
    EXCHANGE_TUNNEL,   /* a raw stream in each direction, which has a timeout of its own */
};

/* What an exchange asks of the session that owns it. All record, none sends. */
struct exchange_host {
    void (*dirty)(struct exchange *x);              /* there may be something to send */
    void (*consumed)(struct exchange *x, size_t n); /* the handler read n bytes of the body */
    void (*detached)(struct exchange *x);           /* the handler is done with it */
    void (*tunnel)(struct exchange *x); /* what is received is raw from here on; may be NULL */
};

/* What a waiting handler waits for. */
enum exchange_want {
    WANT_NOTHING,
    WANT_INFORMED, /* interim responses have been handed to the connection */
    WANT_ROOM,     /* the queue of the body has fallen to OUTGOING_QUEUE_LOW */
    WANT_HANDED,   /* all that was written has been handed to the connection */
    WANT_SENT,     /* the response's end has been handed to the connection */
};

enum {
    EXCHANGE_ARENA_MAX = 1 << 20, /* bytes of fields, ours and the peer's, at the most */
    EXCHANGE_ARENA_FIRST = 1536,  /* of which these lie in the exchange */
};

struct exchange {
    const struct exchange_host *host;
    const struct peer *peer;
    struct handler *handler;
    void *instance;  /* the handler's own; not NULL while it is attached */
    uint32_t stream; /* the stream's number, for logs and ids */
    struct request request;
    struct response response;
    enum exchange_kind kind;
    enum exchange_want want;
    bool wants_body;   /* the handler waits for the request's body */
    bool reset_wanted; /* a reset with reset_code is to go out */
    uint32_t reset_code;
    struct cut cut; /* what cut it short first */
    double began;   /* for the peer's observers: of clock_monotonic, when its head was complete; 0
                       before that, and where there is none */
    const char *answered_by; /* for the peer's observers: the script; in the arena. NULL if
                                nobody says */
    struct arena arena;
    char first[EXCHANGE_ARENA_FIRST];
};

/* For sessions. */

/* body_max bounds what is queued of the request's body. */
void exchange_init(struct exchange *x, const struct exchange_host *host, const struct peer *peer,
    struct handler *handler, size_t body_max);
/* Frees what x owns; no handler may be attached. */
void exchange_fini(struct exchange *x);
/* What the request's head says of its body, before exchange_start: that none comes, and that the
 * client waits for 100 (Continue) to send it. */
void exchange_note_body(struct exchange *x, bool none, bool expects_continue);
/* Whether 100 (Continue) is due: the client waits for it, the handler for the body, and no final
 * response has begun. */
bool exchange_owes_continue(const struct exchange *x);
/* The client was told to send its body, or sends it unasked. */
void exchange_note_continue(struct exchange *x);
/* The request's head is complete: the handler starts. One that declines leaves a 404. */
void exchange_start(struct exchange *x);
/* A piece of the body has arrived. RC_LIMIT past body_max, RC_NOMEM. */
enum rc exchange_receive(struct exchange *x, const void *data, size_t n) MUST_CHECK;
/* The request has ended. */
void exchange_receive_end(struct exchange *x);
/* The memory it holds, in bytes: fields, and what is queued of both bodies. */
size_t exchange_memory(const struct exchange *x);
/* Bytes of the body that have arrived so far. */
uint64_t exchange_received(const struct exchange *x);
/* Whether a body is owed at some rate: a handler waits for it, nothing of the response has gone
 * out, and it is no stream whose messages come as things happen. */
bool exchange_owed_body(const struct exchange *x);
/* Something was handed to the connection: wakes a handler that waits for it. */
void exchange_progress(struct exchange *x);
/* The session gives up on the exchange: the handler is told why, and detached; the client gets the
 * status or, if that is 0 or comes too late, a reset with CANCEL. */
void exchange_refuse(struct exchange *x, struct cut cut, int status);
/* The stream is lost: the handler is told why, and detached. */
void exchange_abort(struct exchange *x, struct cut cut);

/* For handlers. */

/* The next bytes of the request's body, in one piece; *n is 0 if none are queued. They are
 * borrowed until exchange_consume. */
const char *exchange_peek(const struct exchange *x, size_t *n);
void exchange_consume(struct exchange *x, size_t n);
/* The handler waits for the body: on_readable will tell it. */
void exchange_want_body(struct exchange *x);
/* As the functions of response.h, and the session is told. */
enum rc exchange_flush(struct exchange *x) MUST_CHECK;
enum rc exchange_inform(struct exchange *x, int status, const struct fields *fields) MUST_CHECK;
enum rc exchange_write(struct exchange *x, const char *data, size_t n, size_t *taken) MUST_CHECK;
enum rc exchange_write_whole(
    struct exchange *x, const char *data, size_t n, bool *taken) MUST_CHECK;
enum rc exchange_finish(struct exchange *x) MUST_CHECK;
/* Grants a request for a tunnel (RFC 9110 7.8, RFC 8441): 101, or 200 to an extended CONNECT. From
 * then on the request's body and the response's are a raw stream in each direction, of which each
 * ends by itself. The protocol is one of those in request.tunnel, which names that alone
 * afterwards. RC_INVALID if the request asks for none, or not for this; RC_STATE once the
 * response has started; RC_NOMEM. */
enum rc exchange_tunnel(struct exchange *x, struct str protocol) MUST_CHECK;
/* A short text as the whole response. Where the head is out already, or memory runs out, the stream
 * is reset with INTERNAL_ERROR in its place. Header fields set before are gone, but for those that
 * are kept (outgoing_keep_head), and those of more, which may be NULL, are there. A remote
 * procedure call gets it in its own terms (rpc.h). */
void exchange_respond(struct exchange *x, int status, struct str text, const struct fields *more);
/* Resets the stream: what was not handed to the connection is discarded. Detaches the handler. */
void exchange_reset(struct exchange *x, uint32_t code);
/* The handler is done with x. */
void exchange_detach(struct exchange *x);
/* Whether what x->want says has come about. */
bool exchange_want_met(const struct exchange *x);

#endif

/*
 * A response under construction, and the one place that decides what of it goes out next: whether
 * the head ends the message, whether a body may follow, how it is framed, and when trailers come.
 * A handler pushes at one end; a session takes at the other, in the steps of response_next.
 *
 * States:
 *
 *     OPEN ──write, flush──▶ STARTED ──finish──▶ FINISHED ──end handed over──▶ SENT
 *       │                                            ▲
 *       └──────────────────finish────────────────────┘
 *     OPEN, STARTED, FINISHED, SENT ──abort──▶ ABORTED
 *
 * It owns the queue of body bytes; its strings live in the arena that it borrows.
 */
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include "core/arena.h"
#include "core/bytes.h"
#include "http/field.h"

#include <stdbool.h>
#include <stdint.h>

enum response_state {
    RESPONSE_OPEN,     /* the head may change */
    RESPONSE_STARTED,  /* the head is fixed, the body grows */
    RESPONSE_FINISHED, /* all is known, the rest is on its way */
    RESPONSE_SENT,     /* the end was handed to the connection */
    RESPONSE_ABORTED,  /* nothing more goes out */
};

/* How a body's end is told. Sessions set what they do where its length is not known in advance;
 * once the head is taken it is what is done. */
enum framing {
    FRAMING_OWN,    /* the protocol has its own mark: HTTP/2 */
    FRAMING_CHUNKS, /* HTTP/1.1 (RFC 9112 7.1) */
    FRAMING_CLOSE,  /* the connection ends with it: HTTP/1.0 */
    FRAMING_LENGTH, /* HTTP/1.x, by content-length, or there is no body */
};

/* What a session is to send next. */
enum response_step {
    RESPONSE_NOTHING,  /* not now; or never again */
    RESPONSE_HEAD,     /* the head, and more will follow */
    RESPONSE_HEAD_END, /* the head, which ends the message */
    RESPONSE_BODY,     /* queued bytes of the body */
    RESPONSE_TRAILERS, /* the trailers, which end the message */
    RESPONSE_END,      /* only the mark that the message ends */
};

enum {
    RESPONSE_QUEUE_HIGH = 65536, /* bytes of body queued at the most */
    RESPONSE_QUEUE_LOW = 16384,  /* a writer that waits goes on at this many */
};

/* An interim response (RFC 9110 15.2), sent before the final one. */
struct inform {
    struct inform *next;
    int status;
    struct fields fields;
};

struct response {
    enum response_state state;
    int status;
    enum framing framing;
    bool trailers_accepted;     /* with FRAMING_CHUNKS: the client says TE: trailers */
    bool answers_head;          /* the request's method is HEAD */
    bool head_taken;            /* a session has taken the head: it can't be changed back */
    bool head_handed;           /* the head was handed to the connection */
    bool length_set;            /* the handler set content-length */
    uint64_t length;            /* what it said */
    uint64_t written;           /* bytes of body that the handler wrote */
    struct inform *informs;     /* interim responses that wait, in order */
    uint32_t informs_submitted; /* handed to the session */
    uint32_t informs_handed;    /* handed to the connection */
    struct fields head;
    struct fields trailers;
    struct bytes body;
    struct arena *arena; /* borrowed */
};

void response_init(struct response *r, struct arena *arena);
void response_fini(struct response *r);

/* Head. All fail with RC_STATE once the response has started, RC_NOMEM where memory runs out. */

/* RC_INVALID outside 200..599. */
enum rc response_set_status(struct response *r, int status) MUST_CHECK;
/* Sets a field, replacing those of its name; RC_INVALID by the rules of field.h, and for a
 * content-length that is no number. Name and value are copied. */
enum rc response_set_header(struct response *r, struct str name, struct str value) MUST_CHECK;
/* As response_set_header, beside those of its name. */
enum rc response_add_header(struct response *r, struct str name, struct str value) MUST_CHECK;
enum rc response_remove_header(struct response *r, struct str name) MUST_CHECK;
/* Adds a name to the Trailer field (RFC 9110 6.6.2), once. It goes out where trailers do. */
enum rc response_declare_trailer(struct response *r, struct str name) MUST_CHECK;

/* Whether trailers may be appended. With HTTP/1.1 that takes a client that asks for them, and
 * chunks (RFC 9112 7.1.2). Where there is no content, they are dropped with it. */
bool response_supports_trailers(const struct response *r);
/* Adds a trailer. RC_STATE once the response has ended, and where trailers are not supported;
 * RC_INVALID, RC_NOMEM. */
enum rc response_append_trailer(struct response *r, struct str name, struct str value) MUST_CHECK;

/* Queues an interim response with a copy of the fields. RC_STATE once the response has started,
 * RC_INVALID for a status outside 100..199, for 101, and by the rules of field.h; RC_NOMEM. */
enum rc response_inform(struct response *r, int status, const struct fields *fields) MUST_CHECK;
/* Fixes the head. RC_STATE once the response has ended. */
enum rc response_start(struct response *r) MUST_CHECK;
/* Starts the response and queues as many of n bytes as there is room for; *taken says how many.
 * RC_STATE after the end, RC_LIMIT for more than content-length, RC_NOMEM. */
enum rc response_write(struct response *r, const char *data, size_t n, size_t *taken) MUST_CHECK;
/* Ends the response. RC_STATE when it has ended, RC_LIMIT where less was written than
 * content-length says. */
enum rc response_finish(struct response *r) MUST_CHECK;
/* Back to an empty OPEN response, for an error page. RC_STATE once a session took the head. */
enum rc response_restart(struct response *r) MUST_CHECK;
/* Drops what has not gone out. */
void response_abort(struct response *r);

/* For sessions. */

enum response_step response_next(const struct response *r);
/* Completes the head (date, content-length), decides on the framing, and marks the head taken.
 * RC_NOMEM. */
enum rc response_take_head(struct response *r) MUST_CHECK;
/* Whether the whole message has been handed over, or never will be. */
bool response_over(const struct response *r);

/* Bytes of the body that a session has taken. */
uint64_t response_sent(const struct response *r);

#endif

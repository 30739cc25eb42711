/*
 * A message that this server sends, response or request, under construction; and the one place that
 * decides what of it goes out next: whether the head ends the message, whether a body may follow,
 * how it is framed, and when trailers come. The writer pushes at one end; a session takes at the
 * other, in the steps of outgoing_next. response.h and call.h add what one kind alone has.
 *
 * States:
 *
 *     OPEN ──write, start──▶ STARTED ──finish──▶ FINISHED ──end handed over──▶ SENT
 *       │                                            ▲
 *       └──────────────────finish────────────────────┘
 *     OPEN, STARTED, FINISHED, SENT ──abort──▶ ABORTED
 *
 * Two arrows lead back: SENT ──rewind──▶ FINISHED, for a request that is made again; and OPEN,
 * STARTED, FINISHED ──restart──▶ OPEN, for an error page. Only outgoing.c sets the state.
 *
 * It owns the queue of body bytes, and its filters; its strings live in the arena that it borrows.
 */
#ifndef HTTP_OUTGOING_H
#define HTTP_OUTGOING_H

#include "core/arena.h"
#include "core/bytes.h"
#include "http/field.h"
#include "http/filter.h"

#include <stdbool.h>
#include <stdint.h>

enum outgoing_state {
    OUTGOING_OPEN,     /* the head may change */
    OUTGOING_STARTED,  /* the head is fixed, the body grows */
    OUTGOING_FINISHED, /* all is known, the rest is on its way */
    OUTGOING_SENT,     /* the end was handed to the connection */
    OUTGOING_ABORTED,  /* nothing more goes out */
};

/* How the end of a body is marked. Sessions set what they do if its length is not known in advance;
 * after the head is taken, it is what is done. */
enum framing {
    FRAMING_OWN,    /* the protocol has its own mark: HTTP/2 */
    FRAMING_CHUNKS, /* HTTP/1.1 (RFC 9112 7.1) */
    FRAMING_CLOSE,  /* the connection ends with it: HTTP/1.0 */
    FRAMING_LENGTH, /* HTTP/1.x, by content-length, or there is no body */
    FRAMING_RAW,    /* a tunnel's bytes as they are, up to the end of the stream or connection */
};

/* What a session is to send next. */
enum outgoing_step {
    OUTGOING_NOTHING,  /* not now; or never again */
    OUTGOING_HEAD,     /* the head, and more will follow */
    OUTGOING_HEAD_END, /* the head, which ends the message */
    OUTGOING_BODY,     /* queued bytes of the body */
    OUTGOING_TRAILERS, /* the trailers, which end the message */
    OUTGOING_END,      /* only the mark that the message ends */
    OUTGOING_FAILED,   /* a filter has failed: the message can't be ended */
};

enum {
    OUTGOING_QUEUE_HIGH = 65536, /* bytes of body queued at the most */
    OUTGOING_QUEUE_LOW = 16384,  /* a writer that waits goes on at this many */
};

struct outgoing {
    enum outgoing_state state;
    enum framing framing;
    bool trailers_accepted; /* with FRAMING_CHUNKS: the peer takes trailers */
    bool raw;               /* what follows the head is a tunnel's: neither length nor trailers */
    bool no_content;        /* neither content nor trailers go out, whatever is written */
    bool head_taken;        /* a session has taken the head: it can't be changed back */
    bool head_handed;       /* the head was handed to the connection */
    bool length_set;        /* content-length was set */
    uint64_t length;        /* to this */
    uint64_t written;       /* bytes of body so far, as they were written */
    struct fields head;
    struct fields trailers;
    struct bytes body;  /* may be longer than its maximum, by what was written whole */
    struct bytes *kept; /* what sessions took of the body, as long as all of it fits; NULL if
                           none of it is kept. Borrowed */
    struct filter_chain *filters; /* NULL for none */
    const struct fields *stays;   /* header fields that a restart leaves; NULL for none */
    struct arena *arena;          /* borrowed */
};

void outgoing_init(struct outgoing *o, struct arena *arena);
void outgoing_fini(struct outgoing *o);

/* The head. All fail with RC_STATE once the message has started, RC_NOMEM if memory runs out. */

/* Sets a field, replacing those of its name; RC_INVALID by the rules of field.h, and for a
 * content-length that is no number. Name and value are copied. */
enum rc outgoing_set_header(struct outgoing *o, struct str name, struct str value) MUST_CHECK;
/* As outgoing_set_header, beside those of its name. */
enum rc outgoing_add_header(struct outgoing *o, struct str name, struct str value) MUST_CHECK;
enum rc outgoing_remove_header(struct outgoing *o, struct str name) MUST_CHECK;
/* The fields of the head stay if the message begins anew, but for content-length. RC_NOMEM. */
enum rc outgoing_keep_head(struct outgoing *o) MUST_CHECK;
/* Adds to them the fields that were not among those of before, which was a copy of the head's. */
enum rc outgoing_keep_added(struct outgoing *o, const struct fields *before) MUST_CHECK;
/* Adds a name to the Trailer field (RFC 9110 6.6.2), once. It goes out where trailers do. */
enum rc outgoing_declare_trailer(struct outgoing *o, struct str name) MUST_CHECK;

/* Whether trailers may be appended. With HTTP/1.1 that takes a peer that accepts them, and chunks
 * (RFC 9112 7.1.2): no content-length, though one that was set after them gives way. Without
 * content they are dropped too. */
bool outgoing_supports_trailers(const struct outgoing *o);
/* Adds a trailer. RC_STATE once the message has ended, and where trailers are not supported;
 * RC_INVALID, RC_NOMEM. */
enum rc outgoing_append_trailer(struct outgoing *o, struct str name, struct str value) MUST_CHECK;

/* Puts a filter in front of those that there are: what is written comes to it first. It is the
 * message's from then on. RC_STATE once the message has started, RC_NOMEM; then f is the caller's.
 */
enum rc outgoing_add_filter(struct outgoing *o, struct filter *f) MUST_CHECK;

/* Fixes the head; filters pass on what they hold. RC_STATE once the message has ended, RC_NOMEM. */
enum rc outgoing_start(struct outgoing *o) MUST_CHECK;
/* Fixes the head of a message whose body is a tunnel's: a content-length that was set is gone.
 * RC_STATE once the message has started; else as outgoing_start. */
enum rc outgoing_start_raw(struct outgoing *o) MUST_CHECK;
/* Starts the message and queues as many of n bytes as there is room for; *taken says how many.
 * RC_STATE after the end, RC_LIMIT for more than content-length, RC_NOMEM. */
enum rc outgoing_write(struct outgoing *o, const char *data, size_t n, size_t *taken) MUST_CHECK;
/* The same of all n bytes or none: all where nothing is queued, however many they are, or where
 * there is room for them. */
enum rc outgoing_write_whole(
    struct outgoing *o, const char *data, size_t n, bool *taken) MUST_CHECK;
/* Ends the message. RC_STATE when it has ended, RC_LIMIT where less was written than content-length
 * says. */
enum rc outgoing_finish(struct outgoing *o) MUST_CHECK;
/* Drops what has not gone out. */
void outgoing_abort(struct outgoing *o);

/* Back to an OPEN message that is framed alike, with its filters, and empty but for the fields that
 * are kept. RC_STATE once a session took the head, RC_NOMEM. */
enum rc outgoing_restart(struct outgoing *o) MUST_CHECK;
/* Back to what it was before a session took it, for another one. RC_STATE where bytes of the body
 * are gone, RC_NOMEM. */
enum rc outgoing_rewind(struct outgoing *o) MUST_CHECK;

/* For sessions. */

enum outgoing_step outgoing_next(struct outgoing *o);
/* Completes the head, decides on the framing, and marks the head taken. Where add_length is true, a
 * message that is whole carries its length; one with trailers does not, so that it is framed alike
 * by every version of HTTP. RC_NOMEM. */
enum rc outgoing_take_head(struct outgoing *o, bool add_length) MUST_CHECK;
/* The head was handed to the connection, and the message's end, of one that is FINISHED. */
void outgoing_note_head(struct outgoing *o);
void outgoing_note_end(struct outgoing *o);
/* Takes up to room bytes of the body; returns how many. */
size_t outgoing_take_body(struct outgoing *o, void *out, size_t room);
/* Whether the whole message has been handed over, or never will be. */
bool outgoing_over(const struct outgoing *o);
/* Bytes of the body that a session has taken, as they came out of the filters. */
uint64_t outgoing_sent(const struct outgoing *o);

#endif

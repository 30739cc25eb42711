/* A stream of an HTTP/2 session; shared by the files of this folder alone. */
#ifndef H2_STREAM_H
#define H2_STREAM_H

#include "core/list.h"
#include "core/log.h"
#include "h2/ended.h"
#include "h2/frames.h"
#include "h2/gaps.h"
#include "h2/header_size.h"
#include "h2/session.h"
#include "http/exchange.h"
#include "http/limits.h"
#include "http/session.h"
#include "http/waited.h"

#include <nghttp2/nghttp2.h>

struct h2_session;

/* What a session does with its streams, by its role. Streams are the nodes of its lists. */
struct h2_role {
    /* Submits what a stream in the dirty list has to send. */
    void (*output)(struct list *dirty);
    /* Frees a stream in the dead list. */
    void (*free_dead)(struct list *dead);
    /* Frees a stream of a connection that has ended. */
    void (*free_lost)(struct list *link, const char *reason);
    /* Counts the seconds since the last sweep against a stream's timeouts; may be NULL. */
    void (*sweep)(struct list *link, double seconds);
    /* One step of a graceful end. */
    void (*shut_down)(struct h2_session *s);
};

struct h2_session {
    struct session base;
    const struct h2_role *role;
    const struct http_limits *common;
    const struct h2_limits *limits;
    nghttp2_session *ng;
    struct list streams; /* all, by their link; h2_stream, or h2_leg in the client role */
    struct list dirty;   /* those that may have something to send, by their dirty, as the next */
    struct list dead;    /* those to be freed by reap */
    struct list ending;  /* those that wait for the client's end, by h2_stream.dirty */
    struct h2_stream *recent; /* the one that nghttp2 spoke of last, until it closes it */
    struct str rest;          /* of the frame that fill could not take whole; nghttp2 owns it */
    struct guard guard;
    struct frames frames;
    struct gaps gaps;
    struct ended ended;
    uint32_t window_credit; /* WINDOW_UPDATEs that the DATA we sent accounts for */
    bool dribbled;          /* the last DATA was tiny for want of window */
    uint32_t continuations; /* of the header block under way */
    uint32_t legs;          /* streams, in the client role */
    uint32_t resets;        /* of streams by us, in the client role */
    size_t held;            /* bytes of bodies received and not read */
    size_t owed;            /* bytes of credit for the connection kept back for that */
    double preface_seconds; /* waited for the peer's SETTINGS */
    double header_seconds;  /* waited for the end of the header block under way */
    bool greeted;           /* the peer's SETTINGS have come */
    bool judged;            /* the peer has broken a rule that ends the connection */
    bool going;             /* shut_down was called once, or in the client role resets are many */
    bool leaving;           /* and once more: the last GOAWAY is due */
    bool failed;            /* only what tells the peer of the end goes out */
    bool broken;            /* a frame was lost for lack of memory: nothing goes out */
};

/* session.c: what the roles share in making a session. It is made in steps: h2_session_make, then
 * nghttp2's session in s->ng, with options and callbacks, then h2_session_greet. */
struct h2_session *h2_session_make(struct session_host *host, const struct http_limits *common,
    const struct h2_limits *limits, const struct h2_role *role);
/* NULL when memory ran out. */
const nghttp2_option *h2_session_options(void);
/* Sends SETTINGS; frees the session where that fails. RC_NOMEM. */
enum rc h2_session_greet(
    struct h2_session *s, const nghttp2_settings_entry *settings, size_t count) MUST_CHECK;
/* Bytes of a body that may have to be held: a peer that has not seen our SETTINGS yet sends by the
 * window that RFC 9113 6.9.2 gives it. */
size_t h2_body_max(const struct http_limits *limits);
/* Bytes of a body are no longer held: credit for the connection that was kept back is given. */
void h2_release_held(struct h2_session *s, size_t n);

/*
 * A stream is freed when nghttp2 has closed it and no handler is attached, whichever comes last.
 */
struct h2_stream {
    struct exchange exchange;
    struct h2_session *session;
    struct list link, dirty;
    struct header_size size; /* of its header list */
    double age;              /* seconds since it was opened, as sweep counts them */
    double starved_seconds;  /* waited for the client's body, with nothing received */
    double stuck_seconds;    /* waited for the client's windows, with nothing sent */
    double ending_since;     /* when its response ended before its request, in the ending list */
    bool received;           /* something since the last sweep */
    bool sent;               /* something since the last sweep */
    bool deferred;           /* nghttp2 waits for us to have body or an end */
    bool reset;              /* RST_STREAM was submitted */
    bool closed;             /* nghttp2 has closed it */
};

static inline struct h2_stream *h2_stream_of(struct exchange *x)
{
    return container_of(x, struct h2_stream, exchange);
}

static inline int32_t h2_stream_id(const struct h2_stream *st)
{
    return (int32_t)st->exchange.stream;
}

/* The stream of the id, NULL where nghttp2 has none or has closed it. It speaks of one stream
 * several times in a row: not to look that one up is 220 instructions less a request. */
static inline struct h2_stream *h2_stream_find(struct h2_session *s, int32_t id)
{
    if (s->recent && h2_stream_id(s->recent) == id)
        return s->recent;
    struct h2_stream *st = nghttp2_session_get_stream_user_data(s->ng, id);
    if (st)
        s->recent = st;
    return st;
}

/* A new stream of s; NULL when memory runs out. */
struct h2_stream *h2_stream_new(struct h2_session *s, int32_t id);
/* Ends the connection with a code; the log gives the event and its detail. */
void h2_judge(struct h2_session *s, uint32_t code, const char *event, struct log_field detail);
/* Counts an event of the peer's; ends the connection where it is one too many. */
void h2_count(struct h2_session *s, enum guard_kind kind);
/* Queues st for the next fill. */
void h2_stream_dirty(struct h2_stream *st);
/* Queues st for reap, if nothing holds it any more. */
void h2_stream_release(struct h2_stream *st);
/* Tells the handler that the stream is lost, and resets it. */
void h2_stream_fail(struct h2_stream *st, uint32_t code);

/* input.c: takes in received bytes, up to a verdict; 0, or an error of nghttp2's. */
ssize_t h2_input(struct h2_session *s, const uint8_t *data, size_t n);
/* input.c: gives credit for bytes of DATA on the connection, on receipt, so that a body which
 * nobody reads holds up no other, up to a bound for all of them together. */
int h2_give_credit(struct h2_session *s, size_t n);
/* input.c: the callback that logs. */
int h2_on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *user);
/* input.c: sets the callbacks for received frames. */
void h2_input_callbacks(nghttp2_session_callbacks *callbacks);
/* output.c: a GOAWAY was sent. */
void h2_note_goaway(struct h2_session *s, const nghttp2_goaway *frame);
/* output.c: n bytes of DATA were sent, perhaps with more to follow: they earn WINDOW_UPDATEs; DATA
 * that the peer keeps tiny is counted against it. */
void h2_note_data(struct h2_session *s, size_t n, bool more);
/* output.c: sets the callbacks for sent frames. */
void h2_output_callbacks(nghttp2_session_callbacks *callbacks);
/* output.c: submits what the stream's exchange has to send. */
void h2_output(struct h2_stream *st);
/* output.c: resets streams whose client did not end its request in time after the response. */
void h2_end_early(struct h2_session *s);

/* sweep.c: see h2_role.sweep and session_ops.sweep. */
void h2_sweep_stream(struct list *link, double seconds);
void h2_sweep(struct session *base, double seconds);

#endif

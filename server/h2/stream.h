/* A stream of an HTTP/2 session; shared by the files of this folder alone. */
#ifndef H2_STREAM_H
#define H2_STREAM_H

#include "core/list.h"
#include "h2/session.h"
#include "http/exchange.h"
#include "http/session.h"

#include <nghttp2/nghttp2.h>

struct h2_session {
    struct session base;
    const struct h2_limits *limits;
    nghttp2_session *ng;
    struct list streams; /* all, by h2_stream.link */
    struct list dirty;   /* those that may have something to send, by h2_stream.dirty */
    struct list dead;    /* those to be freed by reap, by h2_stream.dirty */
    const uint8_t *rest; /* of the frame that fill could not take whole; nghttp2 owns it */
    size_t rest_len;
    bool going;  /* shut_down was called once */
    bool failed; /* recv has failed: only what tells the peer goes out */
    bool broken; /* a frame was lost for lack of memory: nothing goes out */
};

/*
 * A stream is freed when nghttp2 has closed it and no handler is attached, whichever comes last.
 */
struct h2_stream {
    struct exchange exchange;
    struct h2_session *session;
    struct list link, dirty;
    size_t header_bytes, header_fields;
    bool too_large; /* its header list passed a limit */
    bool deferred;  /* nghttp2 waits for us to have body or an end */
    bool reset;     /* RST_STREAM was submitted */
    bool closed;    /* nghttp2 has closed it */
};

static inline struct h2_stream *h2_stream_of(struct exchange *x)
{
    return container_of(x, struct h2_stream, exchange);
}

static inline int32_t h2_stream_id(const struct h2_stream *st)
{
    return (int32_t)st->exchange.stream;
}

/* A new stream of s; NULL when memory runs out. */
struct h2_stream *h2_stream_new(struct h2_session *s, int32_t id);
/* Queues st for the next fill. */
void h2_stream_dirty(struct h2_stream *st);
/* Queues st for reap, if nothing holds it any more. */
void h2_stream_release(struct h2_stream *st);
/* Tells the handler that the stream is lost, and resets it. */
void h2_stream_fail(struct h2_stream *st, uint32_t code);

/* input.c: sets the callbacks for received frames. */
void h2_input_callbacks(nghttp2_session_callbacks *callbacks);
/* output.c: sets the callbacks for sent frames. */
void h2_output_callbacks(nghttp2_session_callbacks *callbacks);
/* output.c: submits what the stream's exchange has to send. */
void h2_output(struct h2_stream *st);

#endif

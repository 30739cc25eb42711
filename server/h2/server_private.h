/* A stream of an HTTP/2 session in its server role; for the files of this folder alone. */
#ifndef H2_SERVER_PRIVATE_H
#define H2_SERVER_PRIVATE_H

#include "h2/server.h"
#include "h2/session_private.h"
#include "http/exchange.h"
#include "http/pace.h"

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
    struct pace body;        /* of the client's body, as all that follows the first sweep */
    struct pace taking;      /* of the response's */
    bool swept;              /* by one sweep at least */
    bool received;           /* something since the last sweep */
    bool sent;               /* something since the last sweep */
    bool deferred;           /* nghttp2 waits for us to have body or an end */
    bool reset;              /* RST_STREAM was submitted */
    bool peer_reset;         /* and one has come */
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

/* The stream of the id, NULL where nghttp2 has none or has closed it. nghttp2 names the same stream
 * several times in a row: remembering it saves 220 instructions a request. */
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
/* Queues st for the next fill. */
void h2_stream_dirty(struct h2_stream *st);
/* Queues st for reap, unless something still holds it. */
void h2_stream_release(struct h2_stream *st);
/* Tells the handler that the stream is lost, and resets it. */
void h2_stream_fail(struct h2_stream *st, uint32_t code);

/* server_input.c: sets the callbacks for received frames. */
void h2_server_input_callbacks(nghttp2_session_callbacks *callbacks);
/* server_output.c: sets the callbacks for sent frames. */
void h2_server_output_callbacks(nghttp2_session_callbacks *callbacks);
/* server_output.c: submits what the stream's exchange has to send. */
void h2_output(struct h2_stream *st);
/* server_output.c: resets streams whose client did not end its request in time after the response.
 */
void h2_end_early(struct h2_session *s);

/* server_sweep.c: see h2_role.sweep and watch. */
void h2_server_sweep(struct list *link, double seconds);
void h2_server_watch(struct h2_session *s, double seconds);

#endif

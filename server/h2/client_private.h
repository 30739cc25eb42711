/* A stream of an HTTP/2 session in its client role; shared by the files of this folder alone. */
#ifndef H2_CLIENT_PRIVATE_H
#define H2_CLIENT_PRIVATE_H

#include "h2/client.h"
#include "h2/session_private.h"
#include "http/call.h"

/*
 * It is freed when nghttp2 has closed it, or never had it, and no call is attached, whichever comes
 * last. A call that is cancelled is detached at once: nghttp2 has copies of all its strings.
 */
struct h2_leg {
    struct list link, dirty;
    struct h2_session *session;
    struct call *call; /* NULL once it is done */
    int32_t id;        /* 0 before the request's head was submitted */
    int status;        /* of the header list under way */
    uint32_t heard;    /* the session's, when it began */
    struct header_size size;
    const char *why;   /* what is wrong with the response, or NULL */
    enum call_end end; /* what that makes of the call */
    bool deferred;     /* nghttp2 waits for us to have body or an end */
    bool reset;        /* RST_STREAM was submitted */
    bool peer_reset;   /* RST_STREAM was received */
    bool refused;      /* HEADERS did not go out: the connection takes no further request */
    bool closed;       /* nghttp2 has closed it */
};

/* client.c: lets go of the call. */
void h2_leg_end(struct h2_leg *leg, enum call_end end, const char *why);
/* client.c: queues it for reap, unless something still holds it. */
void h2_leg_release(struct h2_leg *leg);
/* client.c: resets the stream, unless it was already, or never was opened. */
void h2_leg_reset(struct h2_leg *leg, uint32_t code);

/* client_input.c: sets the callbacks for received frames. */
void h2_client_input_callbacks(nghttp2_session_callbacks *callbacks);
/* client_output.c: sets the callbacks for sent frames. */
void h2_client_output_callbacks(nghttp2_session_callbacks *callbacks);
/* client_output.c: submits what the call has to send. */
void h2_client_output(struct h2_leg *leg);

/* client_keepalive.c: a call begins that may ask for a sign of life now and then. */
void h2_keepalive_watch(struct h2_session *s, const struct call *c);
/* client_keepalive.c: a frame has come. */
void h2_keepalive_hear(struct h2_session *s);
/* client_keepalive.c: the alarm for it. */
void h2_keepalive_look(struct h2_session *s);

#endif

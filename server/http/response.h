/*
 * A response under construction: an outgoing message with a status, and the interim responses that
 * go before it.
 */
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include "http/outgoing.h"

/* An interim response (RFC 9110 15.2), sent before the final one. */
struct inform {
    struct inform *next;
    int status;
    struct fields fields;
};

struct response {
    struct outgoing out;
    int status;
    bool answers_head;          /* the request's method is HEAD */
    struct inform *informs;     /* interim responses that wait, in order */
    uint32_t informs_submitted; /* handed to the session */
    uint32_t informs_handed;    /* handed to the connection */
};

void response_init(struct response *r, struct arena *arena);
void response_fini(struct response *r);

/* The method of the request that it answers. */
void response_answer(struct response *r, struct str method);
/* Opens a tunnel with the status, 101 or 200: what is written from then on is a raw stream.
 * RC_STATE once the response has started, RC_INVALID if it has no content. */
enum rc response_start_tunnel(struct response *r, int status) MUST_CHECK;
/* RC_INVALID outside 200..599, RC_STATE once the response has started. */
enum rc response_set_status(struct response *r, int status) MUST_CHECK;
/* Queues an interim response with a copy of the fields. RC_STATE once the response has started,
 * RC_INVALID for a status outside 100..199, for 101, and by the rules of field.h; RC_NOMEM. */
enum rc response_inform(struct response *r, int status, const struct fields *fields) MUST_CHECK;
/* As outgoing_restart, for an error page. */
enum rc response_restart(struct response *r) MUST_CHECK;
/* Drops what has not gone out. */
void response_abort(struct response *r);

/* For sessions. */

/* As outgoing_take_head; adds the date. */
enum rc response_take_head(struct response *r) MUST_CHECK;

#endif

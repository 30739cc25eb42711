/* The inside of a forward; shared by the files that make it up alone. */
#ifndef PROXY_FORWARD_PRIVATE_H
#define PROXY_FORWARD_PRIVATE_H

#include "core/bytes.h"
#include "http/forwarder.h"
#include "net/timer.h"
#include "proxy/forward.h"
#include "proxy/upstreams.h"

/*
 * What has become of the response.
 *
 *     FORWARD_NEW ──the call is made──▶ FORWARD_CALLING ──its head goes on──▶ FORWARD_ANSWERING
 *     FORWARD_ANSWERING ──the call is lost──▶ FORWARD_OVER: what has come of it still goes out
 *
 * A forward that has passed all on, or has failed otherwise, is freed from whichever it is in.
 */
enum forward_state { FORWARD_NEW, FORWARD_CALLING, FORWARD_ANSWERING, FORWARD_OVER };

/*
 * Where the request's body is.
 *
 *     FORWARD_BODY_HELD ──it is wanted, or comes anyway──▶ FORWARD_BODY_STREAMED
 *     FORWARD_BODY_STREAMED ──its end is with the call──▶ FORWARD_BODY_SENT
 *
 * The part that is kept for another try is in the call.
 */
enum forward_body { FORWARD_BODY_HELD, FORWARD_BODY_STREAMED, FORWARD_BODY_SENT };

struct forward {
    struct list queue;
    enum forward_state state;
    enum forward_body body;
    struct forward_shared *shared;
    struct exchange *x;
    struct lender *lender;
    struct upstreams *upstreams;
    struct upstream *upstream; /* the one asked */
    struct upstream *only;     /* owned; NULL if there are upstreams */
    struct str prefix, target, path;
    struct fields head; /* of the request as it goes up, in the exchange's arena */
    double timeout;
    bool malformed;             /* as the client sent it */
    bool retried;               /* another upstream was asked before */
    bool pauses;                /* its lender is to be told of the head */
    bool paused;                /* and has been */
    bool tells;                 /* its lender answers where there is no response */
    struct forward_retry retry; /* of its lender; attempts counts those that are left */
    bool hurried;               /* its body has been waited for long enough */
    unsigned informs;           /* interim responses so far */
    enum call_end end;
    char why[64];
    struct timer patience; /* runs while the body is held, or waited for */
    struct call call;      /* set up in any state but FORWARD_NEW */
};

/* forward.c */
void forward_set_state(struct forward *f, enum forward_state state);
void forward_set_body(struct forward *f, enum forward_body body);
/* forward.c: what a call tells. */
extern const struct call_ops forward_call_ops;

/* forward_request.c */

/* Chooses an upstream: another than before, if there is one. */
void forward_pick(struct forward *f);
/* Whether the call has to wait for the body: a call that takes a whole connection to the upstream
 * does so only after the client has begun to send, or has had the time to. */
bool forward_awaits_body(const struct forward *f);
/* Makes the call. RC_INVALID for a request that cannot be sent, RC_LIMIT if too many wait,
 * RC_NOMEM. */
enum rc forward_begin(struct forward *f) MUST_CHECK;
/* Makes the call again, to another upstream if there is one, if all of it is still available; else
 * RC_STATE. Drops a response that has begun. Otherwise as forward_begin. */
enum rc forward_begin_again(struct forward *f) MUST_CHECK;
/* Takes what the client has sent to the call, up to what that has room for; nothing while the body
 * is held back. */
enum rc forward_send_up(struct forward *f) MUST_CHECK;

#endif

/* The inside of a forward; shared by the files that make it up alone. */
#ifndef PROXY_FORWARD_PRIVATE_H
#define PROXY_FORWARD_PRIVATE_H

#include "core/bytes.h"
#include "net/timer.h"
#include "proxy/forward.h"
#include "proxy/upstreams.h"

enum {
    FORWARD_KEPT = 16384
}; /* bytes of a request's body kept, to be sent again where it is refused */

struct forward {
    struct list queue;
    struct forward_shared *shared;
    struct exchange *x;
    struct lender *lender;
    struct upstreams *upstreams;
    struct upstream *upstream; /* the one asked */
    struct upstream *only;     /* owned; NULL where there are upstreams */
    struct str prefix, target;
    struct fields head; /* of the request as it goes up, in the exchange's arena */
    double timeout;
    struct call call;
    struct bytes kept; /* what went up of the body */
    bool keeps;        /* all of it is in kept */
    bool begun;        /* the call has been made */
    bool sent;         /* all of the request is with the call */
    bool expects;      /* the body is held back until the other server wants it */
    bool retried;      /* the call was made a second time */
    bool answering;    /* the response's head has been passed on */
    bool over;         /* the call is, with end and why */
    unsigned informs;  /* interim responses so far */
    enum call_end end;
    char why[64];
    struct timer patience; /* runs while expects */
};

/* forward.c: what a call tells. */
extern const struct call_ops forward_call_ops;

/* forward_request.c */

/* Makes the call, of the upstream whose turn it is. RC_INVALID for a request that can't be sent,
 * RC_LIMIT where too many wait, RC_NOMEM. */
enum rc forward_begin(struct forward *f) MUST_CHECK;
/* Makes it once more, of another upstream, where nothing of it has gone anywhere: what went up of
 * the body is still with the call. As forward_begin; RC_STATE where that is not so. */
enum rc forward_begin_again(struct forward *f) MUST_CHECK;
/* Takes what the client has sent to the call, up to what that has room for; nothing while the body
 * is held back. */
enum rc forward_send_up(struct forward *f) MUST_CHECK;

#endif

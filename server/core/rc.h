/* Result codes: what every function that can fail returns. Outputs are the last arguments,
 * pointers. */
#ifndef CORE_RC_H
#define CORE_RC_H

/* The compiler refuses a call that ignores the result. */
#define MUST_CHECK __attribute__((warn_unused_result))

enum rc {
    RC_OK = 0,
    RC_AGAIN,    /* nothing now; an event will say when */
    RC_CLOSED,   /* the other side has ended, or this side has */
    RC_NOMEM,    /* memory or a bound of ours ran out */
    RC_INVALID,  /* an argument breaks its rules */
    RC_STATE,    /* right call, wrong moment */
    RC_LIMIT,    /* a configured limit was passed */
    RC_PROTOCOL, /* the peer broke its protocol */
    RC_SYSTEM,   /* a system call or a library failed; errno or its own error queue says how */
};

/* A short English phrase for rc; static storage. */
const char *rc_text(enum rc rc);

#endif

/*
 * Why an exchange, or a connection with all that it carries, ended before it was whole. Decisions
 * hang on the cause and the code; cut_text is for scripts and the log:
 *
 *     cut_text(cut_by_peer(ERROR_CANCEL), text)    "CANCEL"
 *     cut_text(cut_of(CUT_LOST), text)             "connection lost"
 */
#ifndef HTTP_CUT_H
#define HTTP_CUT_H

#include "http/code.h"

enum cut_cause {
    CUT_NOT,        /* it was not: the cause of a struct cut that is all zero */
    CUT_BY_PEER,    /* the peer has reset it, with the code */
    CUT_BY_US,      /* this server has reset it, with the code */
    CUT_BY_HANDLER, /* what answers the request has reset it */
    CUT_TIMEOUT,    /* a time ran out */
    CUT_LOST,       /* the connection failed, or the peer closed it */
    CUT_CLOSED,     /* this server has closed the connection, with nothing left to say */
    CUT_SHUTDOWN,   /* the server ends */
    CUT_RELOAD,     /* what answers the request has been replaced */
};

struct cut {
    enum cut_cause cause;
    uint32_t code; /* of CUT_BY_PEER and CUT_BY_US; of others 0 */
};

static inline struct cut cut_of(enum cut_cause cause)
{
    return (struct cut){cause, 0};
}

static inline struct cut cut_by_peer(uint32_t code)
{
    return (struct cut){CUT_BY_PEER, code};
}

static inline struct cut cut_by_us(uint32_t code)
{
    return (struct cut){CUT_BY_US, code};
}

/* The code's name as code_name gives it, or what the cause is called: "" for CUT_NOT. Written to
 * out where it is not static. */
const char *cut_text(struct cut cut, char out[CODE_NAME_SIZE]);

#endif

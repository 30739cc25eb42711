/*
 * The inside of an HTTP/1.x session; shared by the files of this folder alone.
 *
 *     IDLE ──a request begins──▶ HEAD ──▶ BUSY ──response out, request read, handler gone──▶ IDLE
 *
 * BUSY is drained where the response is out and the handler gone before the request has been read.
 * What arrives behind the request waits in a queue. Once the session is closing, no other request
 * is taken, and it is over when the response is out.
 */
#ifndef H1_SERVER_PRIVATE_H
#define H1_SERVER_PRIVATE_H

#include "h1/parser.h"
#include "h1/server.h"
#include "h1/writer.h"
#include "http/exchange.h"
#include "http/limits.h"
#include "http/pace.h"
#include "http/session.h"
#include "http/waited.h"

enum {
    H1_QUEUE_STOP = 65536,            /* bytes of later requests that are read ahead */
    H1_QUEUE_MAX = 4 * H1_QUEUE_STOP, /* with what is fed after that was reached */
    H1_DRAIN_MAX = 262144, /* bytes of a body that nobody wants, to keep the connection */
};

struct h1_exchange {
    struct exchange exchange;
    struct h1_session *session;
    bool started;    /* the head is complete, and was taken */
    bool sent;       /* the end of the response was handed to the connection */
    bool is_1_0;     /* the request is of HTTP/1.0 */
    bool asks_close; /* the connection is to end with this exchange: it is asked to, or its body may
                        never come */
    bool received;   /* something of the body since the last sweep */
    size_t drained;  /* bytes of the body that nobody took */
    uint64_t sent_before;   /* in a tunnel: bytes that had been sent at the last sweep */
    double age;             /* seconds since it began, as sweep counts them */
    double starved_seconds; /* waited for the client's body, with nothing received */
    struct pace body;       /* of the client's body; begins with the first sweep */
    bool swept;             /* by one sweep at least */
};

struct h1_session {
    struct session base;
    const struct http_limits *limits;
    struct h1_parser parser;
    struct h1_exchange *x; /* the one under way, or NULL */
    struct bytes queue;    /* received and not parsed yet */
    struct h1_writer out;
    uint32_t requests;   /* so far */
    double head_seconds; /* waited for the end of the head under way */
    bool draining;       /* the alarm is set that ends it */
    bool input_ended;    /* the client sends nothing more */
    bool deaf;           /* what the client sends is no request: nothing of it is looked at */
    bool going;          /* shut_down was called */
    bool closing;        /* no other request is taken */
    bool broken;         /* only the rest goes out */
};

/* A new exchange; NULL when memory ran out, and then the session is broken. */
struct h1_exchange *h1_exchange_new(struct h1_session *s);
/* Whether a head is under way, complete or not, without an exchange that has started. */
bool h1_in_head(const struct h1_session *s);

/* input.c: takes from the data what can be taken now. */
void h1_input(struct h1_session *s, struct str *data);
/* output.c: see session_ops.fill. */
size_t h1_output(struct h1_session *s, char *out, size_t room);
/* sweep.c: see session_ops.sweep. */
void h1_sweep(struct session *base, double seconds);

#endif

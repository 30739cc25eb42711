/*
 * The inside of an HTTP/1.x session; shared by the files of this folder alone.
 *
 * One request is under way at a time (h1_phase):
 *
 *     H1_IDLE ──a request begins──▶ H1_HEAD ──▶ H1_BUSY
 *     H1_BUSY ──response out, request read, handler gone──▶ H1_IDLE
 *
 * What arrives behind the request waits in a queue. What is done with the client's bytes is one
 * state, h1_input, and what still goes out to it another, h1_output:
 *
 *     H1_READING ◀──request read──┐
 *         └──response out, handler gone, request not read──▶ H1_DRAINING
 *     H1_READING, H1_DRAINING ──the client ends──▶ H1_ENDED
 *     H1_READING, H1_DRAINING, H1_ENDED ──what it sends is no request, or too much──▶ H1_DEAF
 *
 *     H1_KEEPING ──▶ H1_LAST_RESPONSE ──▶ H1_CUT, or H1_KEEPING ──▶ H1_CUT
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

/* What a session is doing. */
enum h1_phase {
    H1_IDLE, /* between requests */
    H1_HEAD, /* a head is under way, complete or not, and no exchange has started */
    H1_BUSY, /* an exchange has started */
};

enum h1_input {
    H1_READING,
    H1_DRAINING, /* the rest of a request goes nowhere, and the alarm is set that ends this */
    H1_ENDED,    /* the client sends nothing more: what it has sent whole is answered */
    H1_DEAF,     /* what the client sends is ignored */
};

enum h1_output {
    H1_KEEPING,
    H1_LAST_RESPONSE, /* no other request is taken: it is over when the response is out, if any */
    H1_CUT,           /* only the text that is made already goes out */
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
    enum h1_input input;
    enum h1_output output;
    bool going; /* shut_down was called */
};

enum h1_phase h1_phase(const struct h1_session *s);
void h1_set_input(struct h1_session *s, enum h1_input input);
/* No other request is taken. No effect once the output is cut. */
void h1_take_no_more(struct h1_session *s);
/* From here on, what the client sends is ignored, and no other request is taken. */
void h1_deafen(struct h1_session *s);
/* Only the text that is made already goes out. */
void h1_cut(struct h1_session *s);

/* A new exchange, where there is none; NULL when memory ran out, and then the output is cut. */
struct h1_exchange *h1_exchange_new(struct h1_session *s);

/* input.c: takes from the data what can be taken now. */
void h1_input(struct h1_session *s, struct str *data);
/* output.c: see session_ops.fill. */
size_t h1_output(struct h1_session *s, char *out, size_t room);
/* sweep.c: see session_ops.sweep. */
void h1_sweep(struct session *base, double seconds);

#endif

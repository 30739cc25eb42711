/*
 * The inside of an HTTP/1.x session in its client role; shared by the files of this folder alone.
 *
 *     H1_CLIENT_IDLE ──begin──▶ H1_CLIENT_BUSY ──response ended, request out──▶ H1_CLIENT_IDLE
 *     H1_CLIENT_IDLE, H1_CLIENT_BUSY ──the connection is to end──▶ H1_CLIENT_LAST
 *     H1_CLIENT_IDLE, H1_CLIENT_BUSY, H1_CLIENT_LAST ──it is of no use──▶ H1_CLIENT_DEAD
 *
 * In H1_CLIENT_LAST a call is let go of when its response has ended, even where its request still
 * goes up.
 */
#ifndef H1_CLIENT_PRIVATE_H
#define H1_CLIENT_PRIVATE_H

#include "core/bytes.h"
#include "h1/client.h"
#include "h1/parser.h"
#include "h1/writer.h"
#include "http/call.h"
#include "http/limits.h"
#include "http/session.h"

enum h1_client_state {
    H1_CLIENT_IDLE, /* no call, and room for one */
    H1_CLIENT_BUSY, /* one call */
    H1_CLIENT_LAST, /* no other call is taken: it is over without one */
    H1_CLIENT_DEAD, /* nothing more goes out, and nothing is looked at; it is over */
};

struct h1_client {
    struct session base;
    const struct http_limits *limits;
    struct h1_parser parser;
    struct call *call;        /* the one under way, or NULL */
    struct bytes queue;       /* received and not parsed yet */
    struct fields connection; /* what the head's Connection fields say; in the call's arena */
    struct h1_writer out;
    enum h1_client_state state;
    bool input_ended; /* the server sends nothing more */
    bool going;       /* shut_down was called: the call under way, if any, is the last */
};

/* client.c: no other call is taken. No effect on one that is dead. */
void h1_client_take_no_more(struct h1_client *s);

/* client.c: lets go of the call. */
void h1_client_end(struct h1_client *s, enum call_end end, const char *why);
/* client.c: lets go of the call if both messages have been moved whole, or all of them that will
 * be. */
void h1_client_settle(struct h1_client *s);
/* client.c: the connection and what comes over it are useless; a call under way ends so. */
void h1_client_break(struct h1_client *s, enum call_end end, const char *why);

/* client_input.c: takes from the data what can be taken now. */
void h1_client_input(struct h1_client *s, struct str *data);
/* client_input.c: the server sends nothing more, and all that it sent was parsed. */
void h1_client_input_end(struct h1_client *s);

#endif

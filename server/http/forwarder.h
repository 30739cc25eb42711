/*
 * The seam between a handler that hands its exchange on to another server, and what carries it
 * there and back. The exchange is lent: while it is, its handler and instance are the forwarder's.
 *
 *     the lender's ──begin──▶ lent ──the response is whole, there is none, cancel──▶ the lender's
 *                              └──the exchange is lost──▶ lender's on_abort
 */
#ifndef HTTP_FORWARDER_H
#define HTTP_FORWARDER_H

#include "core/rc.h"
#include "core/str.h"
#include "http/field.h"

struct exchange;
struct forward;
struct forwarder;
struct handler;

enum {
    FORWARDER_WHY = 256, /* room for any message in *why below */
    FORWARDER_STATUSES = 16,
};

/* When a request is made again, if it may be sent again. */
struct forward_retry {
    int attempts;                     /* in all; 0: as the upstreams have it */
    int statuses[FORWARDER_STATUSES]; /* that are asked again for, with an idempotent method */
    int count;
};

/* What is to go where; all of it is borrowed for the call of begin, but fields, and the path, which
 * live in the exchange's arena. */
struct forward_order {
    struct str url;    /* of the other server, whose path goes in front of the request's; or
                          "upstream:" and the name of a pool */
    struct str target; /* path and query in place of the request's own; p is NULL for those */
    struct fields
        fields;     /* replace those of their names; one whose value's p is NULL is left out */
    double timeout; /* seconds to wait for the other server; 0: as configured */
    struct forward_retry retry;
    bool pauses; /* the lender is told of the response's head, which goes out after proceed */
    bool tells;  /* the lender answers where there is no response: see refused */
};

/* The lender of an exchange. The owner embeds one, and sets returned. */
struct lender {
    /* The response has ended, as the other server ended it or with an error page: the exchange is
     * the lender's again. Called from the forwarder's run. */
    void (*returned)(struct lender *l);
    /* The head of the response is that of the exchange, and may be changed: nothing more is done
     * before proceed or cancel. Likewise. */
    void (*headed)(struct lender *l);
    struct handler *handler; /* the lender's, to give back */
    void *instance;
    struct forward *forward; /* NULL while nothing is lent */
    int refused; /* once it has returned: the status with which the lender is to answer; 0: none */
};

struct forwarder_ops {
    /* Takes over an exchange whose response has not started. RC_INVALID; why then says what is
     * wrong with the order. RC_NOMEM. */
    enum rc (*begin)(struct forwarder *f, struct exchange *x, const struct forward_order *order,
        struct lender *l, char why[FORWARDER_WHY]);
    /* The response goes on whose head was told of. */
    void (*proceed)(struct forwarder *f, struct lender *l);
    /* The exchange is the lender's again, at once, and what was under way is given up. No effect
     * where nothing is lent. */
    void (*cancel)(struct forwarder *f, struct lender *l);
};

struct forwarder {
    const struct forwarder_ops *ops;
};

#endif

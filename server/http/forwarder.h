/*
 * The seam between a handler that hands its exchange on to another server, and what carries it
 * there and back. The exchange is lent: while it is, its handler and instance are the forwarder's.
 *
 *     the lender's ──begin──▶ lent ──the response is whole, cancel──▶ the lender's
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

enum { FORWARDER_WHY = 256 }; /* room for any message in *why below */

/* What is to go where; all of it is borrowed for the call of begin, but fields, and the path, which
 * live in the exchange's arena. */
struct forward_order {
    struct str url;    /* of the other server; a path in it goes in front of the request's */
    struct str target; /* path and query in place of the request's own; p is NULL for those */
    struct fields
        fields;     /* replace those of their names; one whose value's p is NULL is left out */
    double timeout; /* seconds to wait for the other server; 0: as configured */
};

/* The lender of an exchange. The owner embeds one, and sets returned. */
struct lender {
    /* The response has ended, as the other server ended it or with an error page: the exchange is
     * the lender's again. Called from the forwarder's run. */
    void (*returned)(struct lender *l);
    struct handler *handler; /* the lender's, to give back */
    void *instance;
    struct forward *forward; /* NULL while nothing is lent */
};

struct forwarder_ops {
    /* Takes over an exchange whose response has not started. RC_INVALID; why then says what is
     * wrong with the order. RC_NOMEM. */
    enum rc (*begin)(struct forwarder *f, struct exchange *x, const struct forward_order *order,
        struct lender *l, char why[FORWARDER_WHY]);
    /* The exchange is the lender's again, at once, and what was under way is given up. No effect
     * where nothing is lent. */
    void (*cancel)(struct forwarder *f, struct lender *l);
};

struct forwarder {
    const struct forwarder_ops *ops;
};

#endif

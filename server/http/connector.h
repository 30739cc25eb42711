/*
 * The seam between a handler that makes calls of its own, and what finds connections for them. The
 * handler owns its calls (call.h); a connector is borrowed.
 */
#ifndef HTTP_CONNECTOR_H
#define HTTP_CONNECTOR_H

#include "core/rc.h"
#include "core/str.h"
#include "http/call.h"

struct connector;

enum { CONNECTOR_WHY = 256 }; /* room for any message in *why below */

/* What is asked, and of which server. Everything is borrowed for the call of begin. */
struct connector_order {
    struct str method;
    struct str url;       /* of the other server, with the path and query that are asked for */
    struct str target;    /* path and query in place of the URL's; p is NULL for those */
    struct str authority; /* in place of the URL's host and port; p is NULL for those */
    struct call_options options;
};

struct connector_ops {
    /* Aims an idle call, whose fields are set, and has it made: from here on it is held (call.h).
     * RC_LIMIT where too many wait for the other server, RC_INVALID, RC_STATE, RC_NOMEM: it is idle
     * still, and why says what is wrong. */
    enum rc (*begin)(struct connector *k, struct call *c, const struct connector_order *order,
        char why[CONNECTOR_WHY]);
};

struct connector {
    const struct connector_ops *ops;
};

#endif

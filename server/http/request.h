/*
 * A request as a handler sees it. Every string lives in the exchange's arena. The body arrives
 * while the handler runs: what is queued is what was received and not yet read.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "core/bytes.h"
#include "http/field.h"
#include "http/version.h"

#include <stdbool.h>
#include <stdint.h>

struct request {
    enum http_version version;
    struct str method;
    struct str scheme;
    struct str authority;
    struct str path;       /* percent-encoded, without the query; starts with "/", or is "*" */
    struct str query;      /* without the "?"; p is NULL if there is no "?" */
    struct str connection; /* what Connection fields of HTTP/1.x name; p is NULL for nothing */
    struct str tunnel;     /* protocols that the client would speak in a tunnel: Upgrade's or
                              :protocol's; p is NULL for none */
    struct fields fields;
    struct fields trailers;
    struct bytes body;
    uint64_t taken;        /* bytes of the body that the handler has read */
    bool ended;            /* all of the body, and the trailers, have arrived */
    bool expects_continue; /* the client waits for 100 before it sends the body (RFC 9110 10.1.1) */
};

/* Splits a request target into path and query; both borrow from it. */
static inline void request_set_target(struct request *r, struct str target)
{
    const char *mark = target.n ? memchr(target.p, '?', target.n) : NULL;
    r->path = (struct str){target.p, mark ? (size_t)(mark - target.p) : target.n};
    r->query = mark ? (struct str){mark + 1, target.n - r->path.n - 1} : (struct str){NULL, 0};
}

#endif

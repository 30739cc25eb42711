/* The first line of a message (RFC 9112 sections 3 and 4), and the target of a request. */
#ifndef H1_START_H
#define H1_START_H

#include "core/str.h"
#include "h1/fault.h"

/* What borrows from the line. */
struct h1_start {
    struct str method; /* of a request */
    struct str target;
    int status; /* of a response */
    struct str reason;
    int minor; /* 1 for HTTP/1.1 and later ones of HTTP/1, 0 for HTTP/1.0 */
};

/* One space on each side of the target, and nothing that may not be there. */
enum h1_fault h1_start_request(struct str line, struct h1_start *out);
enum h1_fault h1_start_response(struct str line, struct h1_start *out);

/* A request's target, taken apart; authority.p is NULL if it has none. */
struct h1_target {
    struct str authority; /* of the absolute form */
    struct str path;      /* with the query: the rest, which may be "" in the absolute form */
};

/* The absolute form of a URI of ours (RFC 9112 3.2.2) is taken apart; anything else is a path, for
 * http/head.h to judge. */
void h1_target_split(struct str target, struct h1_target *out);

#endif

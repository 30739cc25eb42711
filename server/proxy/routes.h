/*
 * Which requests go to which servers: by the beginning of their path. The longest prefix wins.
 *
 * A prefix ends at a slash of the path or at its end: "/api" and "/api/" take "/api/users", and
 * neither takes "/apis"; "/api" takes "/api" itself as well. Escapes are compared as what they
 * stand for, but "%2F", which is no slash.
 */
#ifndef PROXY_ROUTES_H
#define PROXY_ROUTES_H

#include "core/arena.h"
#include "proxy/upstreams.h"

struct request;

struct route {
    struct route *next;
    struct str prefix; /* borrowed, as the URLs are */
    struct upstreams upstreams;
};

struct routes {
    struct route *first;
};

/* Adds "[PREFIX=]URL", which is borrowed; without a prefix it is "/", which takes all. More URLs of
 * one prefix take turns. RC_INVALID, RC_LIMIT, why then is one line; RC_NOMEM. */
enum rc routes_add(struct routes *r, const char *text, char why[ORIGIN_WHY]) MUST_CHECK;
void routes_fini(struct routes *r);
/* Whether all requests go to other servers. */
bool routes_take_all(const struct routes *r);
/* The route of a path; NULL. */
struct route *routes_find(const struct routes *r, struct str path);

/* What becomes of a request's target at a server: its base in place of the prefix, where it has
 * one. In the arena, or borrowed from the request. RC_INVALID where a path that is rewritten, or
 * confined to a prefix, may have a segment of dots to whoever resolves it (uri.h); RC_NOMEM. */
enum rc routes_target(const struct request *r, struct str prefix, struct str base, struct arena *a,
    struct str *out) MUST_CHECK;

#endif

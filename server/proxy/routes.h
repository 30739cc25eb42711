/*
 * Which requests go to which servers: by the beginning of their path (http/prefix.h).
 */
#ifndef PROXY_ROUTES_H
#define PROXY_ROUTES_H

#include "core/arena.h"
#include "http/dispatch.h"
#include "proxy/upstreams.h"

struct proxy;
struct request;

struct route {
    struct route *next;
    struct str prefix; /* borrowed, as the URLs are */
    struct upstreams upstreams;
    struct dispatch_prefix at; /* with it the proxy takes what has the prefix */
    struct handler handler;
    struct proxy *proxy;
};

struct routes {
    struct route *first;
};

/* Adds "[PREFIX=]URL", which is borrowed; without a prefix it is "/", which takes all. More URLs of
 * one prefix take turns. RC_INVALID, RC_LIMIT, why then is one line; RC_NOMEM. */
enum rc routes_add(struct routes *r, const char *text, char why[ORIGIN_WHY]) MUST_CHECK;
void routes_fini(struct routes *r);

/* What becomes of a request's target at a server: its base in place of the prefix, where it has
 * one. In the arena, or borrowed from the request. RC_INVALID where a path that is rewritten, or
 * confined to a prefix, may have a segment of dots to a server that resolves it (uri.h); RC_NOMEM.
 */
enum rc routes_target(const struct request *r, struct str prefix, struct str base, struct arena *a,
    struct str *out) MUST_CHECK;

#endif

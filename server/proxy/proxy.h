/*
 * The proxy: the handler that answers by asking another server. It stands in front of another
 * handler, which gets what no route takes; and it is what carries exchanges that other one lends.
 *
 * It owns the routes and what is under way; the pool, which comes later, and the next handler are
 * borrowed.
 */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

#include "core/rc.h"
#include "http/call.h"
#include "proxy/origin.h"
#include "proxy/upstreams.h"

#include <stdbool.h>
#include <stdio.h>

struct ev_loop;
struct forwarder;
struct handler;
struct pool;
struct proxy;

struct proxy_options {
    struct call_options call;
    struct upstreams_rules upstreams;
    bool pass_host; /* the client's Host goes on, in place of the upstream's own */
};
/* 10 s, 60 s and 300 s; out for 10 s after 3 failures; the upstream's own Host. */
extern const struct proxy_options proxy_options_default;

/* The options are copied, but for their strings. RC_NOMEM. */
enum rc proxy_new(
    struct ev_loop *ev, const struct proxy_options *options, struct proxy **out) MUST_CHECK;
/* Every exchange must be over. */
void proxy_free(struct proxy *p);
/* A route to an upstream, "[PREFIX=]URL", which is borrowed. RC_INVALID, RC_LIMIT, RC_NOMEM; why
 * then is one line. */
enum rc proxy_add(struct proxy *p, const char *route, char why[ORIGIN_WHY]) MUST_CHECK;
/* Whether nothing is left for another handler. */
bool proxy_takes_all(const struct proxy *p);
/* Who gets what no route takes; may be NULL where they take all. */
void proxy_set_next(struct proxy *p, struct handler *next);
/* To be called before the first request. */
void proxy_set_pool(struct proxy *p, struct pool *pool);
/* A line for each upstream, with the paths that it takes. */
void proxy_print_routes(const struct proxy *p, FILE *out);
struct handler *proxy_handler(struct proxy *p);
struct forwarder *proxy_forwarder(struct proxy *p);

#endif

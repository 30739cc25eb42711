/*
 * The proxy: it answers by asking another server, what has the prefix of one of its routes; and it
 * carries exchanges that another handler lends.
 *
 * It owns the routes and what is under way; the pool, which comes later, is borrowed.
 */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

#include "core/rc.h"
#include "http/call.h"
#include "proxy/origin.h"
#include "proxy/upstreams.h"

#include <stdbool.h>
#include <stdio.h>

struct dispatch;
struct ev_loop;
struct forwarder;
struct part;
struct pool;
struct proxy;

struct proxy_options {
    struct call_options call;
    struct upstreams_rules upstreams;
    bool pass_host; /* the client's Host goes on, in place of the upstream's own */
};
/* 10 s, 60 s and 300 s; out for 10 s after 3 failures; the upstream's own Host. */
extern const struct proxy_options proxy_options_default;

/* The options are copied, their strings borrowed. RC_NOMEM. */
enum rc proxy_new(
    struct ev_loop *ev, const struct proxy_options *options, struct proxy **out) MUST_CHECK;
/* Every exchange must be over. */
void proxy_free(struct proxy *p);
/* A route to an upstream, "[PREFIX=]URL", which is borrowed. RC_INVALID, RC_LIMIT, RC_NOMEM; why
 * then is one line. */
enum rc proxy_add(struct proxy *p, const char *route, char why[ORIGIN_WHY]) MUST_CHECK;
/* An upstream of a pool, "NAME=URL"; else likewise. */
enum rc proxy_add_pool(struct proxy *p, const char *pool, char why[ORIGIN_WHY]) MUST_CHECK;
/* Takes the prefixes of its routes, of which all have been added. */
void proxy_take_prefixes(struct proxy *p, struct dispatch *d);
/* To be called before the first request. */
void proxy_set_pool(struct proxy *p, struct pool *pool);
/* A line for each upstream, with the paths that it takes. */
void proxy_print_routes(const struct proxy *p, FILE *out);
struct part *proxy_part(struct proxy *p);
struct forwarder *proxy_forwarder(struct proxy *p);

#endif

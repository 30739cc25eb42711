/*
 * HTTP/2 sessions (RFC 9113) in their server role, on nghttp2: one for each connection, owning its
 * streams, each of which holds an exchange. weigh.c looks at frames ahead of nghttp2;
 * server_input.c turns what nghttp2 reads into exchanges; server_output.c turns what exchanges hold
 * into frames; guard.c counts what a peer may not do too often.
 */
#ifndef H2_SERVER_H
#define H2_SERVER_H

#include "core/rc.h"

struct h2_limits;
struct http_limits;
struct session;
struct session_host;

/* A server session; both limits are borrowed for its life. RC_NOMEM. */
enum rc h2_server_new(struct session_host *host, const struct http_limits *common,
    const struct h2_limits *limits, struct session **out) MUST_CHECK;

#endif

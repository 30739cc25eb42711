/*
 * HTTP/2 sessions in their client role: many calls at a time, each on a stream of its own.
 * client_input.c turns what nghttp2 reads into calls' responses; client_output.c turns calls'
 * requests into frames. Nothing may be pushed.
 */
#ifndef H2_CLIENT_H
#define H2_CLIENT_H

#include "core/rc.h"

struct h2_limits;
struct http_limits;
struct session;
struct session_host;

/* Both limits are borrowed for its life; of max_streams it is calls at a time. RC_NOMEM. */
enum rc h2_client_new(struct session_host *host, const struct http_limits *common,
    const struct h2_limits *limits, struct session **out) MUST_CHECK;

#endif

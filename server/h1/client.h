/*
 * HTTP/1.x sessions in their client role: one call at a time; another begins when the response to
 * the last has ended. Nothing is pipelined: a client that pipelines does not know what was
 * processed.
 */
#ifndef H1_CLIENT_H
#define H1_CLIENT_H

#include "core/rc.h"

struct http_limits;
struct session;
struct session_host;

/* The limits are borrowed for its life. RC_NOMEM. */
enum rc h1_client_new(
    struct session_host *host, const struct http_limits *limits, struct session **out) MUST_CHECK;

#endif

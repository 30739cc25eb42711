/*
 * HTTP/1.x sessions (RFC 9112): one for each connection, with one exchange at a time. parser.c
 * finds the messages in what is received; input.c turns them into exchanges; output.c turns what an
 * exchange holds into bytes.
 */
#ifndef H1_SERVER_H
#define H1_SERVER_H

#include "core/rc.h"

struct http_limits;
struct session;
struct session_host;

/* A server session; limits are borrowed for its life. RC_NOMEM. */
enum rc h1_server_new(
    struct session_host *host, const struct http_limits *limits, struct session **out) MUST_CHECK;

#endif

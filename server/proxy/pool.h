/*
 * The pool: a worker's connections to other servers, and the calls that go over them. A call goes
 * to a connection that has room for it: one of HTTP/2 carries many at a time, one of HTTP/1.x one
 * after the other. Where there is none, a new one is opened, up to a limit for each origin; past
 * that calls wait, in order, up to a limit as well.
 *
 * A call that provably was not processed (REFUSED_STREAM, GOAWAY below its stream) is made again:
 * once at once, and then with growing pauses, for as long as a call may wait for a connection. One
 * that was lost before anything of the response came, on a connection that had carried calls
 * before, which the other server may have closed meanwhile, is made once more where the request is
 * idempotent (RFC 9110 9.2.2). In either case only while all of its body is at hand.
 *
 * No client has more than its share of the connections: its further calls wait behind its own, up
 * to as many as may wait for a connection.
 *
 * It owns its connections' records and TLS contexts; calls, the loop and the resolver are borrowed.
 */
#ifndef PROXY_POOL_H
#define PROXY_POOL_H

#include "core/rc.h"
#include "http/call.h"
#include "proxy/origin.h"

struct loop;
struct pool;

/* 0 is no limit. */
struct pool_limits {
    uint32_t max_conns;   /* to one origin */
    uint32_t max_each;    /* of all, for the calls of one client: see share.h */
    uint32_t max_idle;    /* of these without a call */
    uint32_t max_waiting; /* calls that wait for a connection to one origin */
    uint32_t max_streams; /* calls on one connection of HTTP/2; its peer may allow fewer */
    double idle_timeout;  /* seconds that a connection is kept without a call */
};

/* The defaults: 512, 256, 64, 1024, 100, 50 s. */
extern const struct pool_limits pool_limits_default;

/* Since the pool was made. */
struct pool_stats {
    uint64_t opened;  /* connections tried */
    uint64_t reused;  /* calls on a connection that had carried another */
    uint64_t retried; /* calls made once more */
};

/* One for each worker; the loop, which must have been initialized, and the limits are borrowed for
 * its life. RC_NOMEM. */
enum rc pool_new(struct loop *loop, const struct pool_limits *limits, struct pool **out) MUST_CHECK;
/* Before loop_fini or after it, and before the libev loop is destroyed. Calls that the pool holds
 * end: those that wait with CALL_UNREACHABLE, those under way with CALL_LOST. */
void pool_free(struct pool *p);

/* Whether connections to an origin carry many calls each, as far as is known. */
bool pool_shares(struct pool *p, const struct origin *origin, const struct call_options *options);
/* Makes a call of an origin; both origin and options are copied. Nothing goes out while the request
 * is OPEN, though the call takes its place on a connection. From here on the pool holds the call
 * until on_done or call_cancel; on_done never comes from within. RC_LIMIT where too many wait for
 * this origin, in all or of this client, RC_NOMEM: the call is as it was then. */
enum rc pool_call(struct pool *p, const struct origin *origin, const struct call_options *options,
    struct call *c) MUST_CHECK;

const struct pool_stats *pool_stats(const struct pool *p);

#endif

/*
 * A site: an origin as it is called in one way, its connections, and the calls that wait for one.
 * Shared by the files of the pool alone.
 */
#ifndef PROXY_SITE_H
#define PROXY_SITE_H

#include "core/list.h"
#include "net/dial.h"
#include "net/loop.h"
#include "proxy/pool.h"
#include "proxy/resolver.h"

enum { SITE_WHY = 512 };

struct pool {
    struct loop *loop;
    const struct pool_limits *limits;
    struct resolver *resolver; /* NULL before the first name */
    struct list sites;         /* by site.link */
    struct list dirty;         /* those that may have something to do, by site.dirty */
    struct list contexts;      /* of TLS, by tls_entry.link */
    struct loop_step step;
    struct timer sweep; /* runs while there is a site */
    struct pool_stats stats;
};

/* A call that the pool holds. */
struct ticket {
    struct list link; /* while it waits */
    struct call *call;
    struct site *site;
    struct pool_conn *conn; /* while a session has it */
    struct timer timer;
    double connect_timeout, response_timeout, idle_timeout;
    double queued; /* when it began to wait, of clock_recent */
    bool again;    /* it was made before */
    bool reused;   /* on a connection that had carried another */
};

struct pool_conn {
    struct list link; /* in its site's free or busy */
    struct site *site;
    struct dial dial;
    uint32_t calls;
    bool open;
    bool used;         /* it has carried a call */
    double idle_since; /* of clock_recent, where calls is 0 */
};

struct site {
    struct list link, dirty;
    struct pool *pool;
    struct origin origin;
    enum call_version version;
    bool insecure;
    char *cas;           /* NULL for the system's store */
    struct list free;    /* connections with room, the last used first */
    struct list busy;    /* the others, those that are being opened included */
    struct list waiting; /* tickets */
    uint32_t conns, opening, waits;
    bool shares; /* its connections carry many calls; not known before the first */
    struct lookup lookup;
    double looked_up; /* when the addresses were found, of clock_recent; 0 for never */
};

/* The site of these; a new one where there is none; NULL when memory ran out. */
struct site *site_of(
    struct pool *p, const struct origin *origin, const struct call_options *options);
/* Whether it holds nothing that can't be had again. */
bool site_is_empty(const struct site *s);
/* Calls that wait end with CALL_UNREACHABLE, those under way are lost. */
void site_free(struct site *s);

/* Queues a site for site_run in this turn. */
void site_dirty(struct site *s);
/* Gives connections to calls that wait, and opens what is missing. */
void site_run(struct site *s);
/* Closes connections that were idle for too long, or are too many. */
void site_sweep(struct site *s, double now);

/* pool.c: a session has taken the ticket's call. */
void ticket_taken(struct ticket *t, struct pool_conn *pc);
/* pool.c: ends a call that has none, and frees the ticket. */
void ticket_fail(struct ticket *t, enum call_end end, const char *why);
/* pool.c: the context for https; NULL where there is none, for the reason given. */
struct tls_client *pool_tls(struct pool *p, bool insecure, const char *cas, char why[SITE_WHY]);

#endif

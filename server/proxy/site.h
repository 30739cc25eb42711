/*
 * A site: an origin as it is called in one way, its connections, and the calls that wait for one.
 * Shared by the files of the pool alone.
 */
#ifndef PROXY_SITE_H
#define PROXY_SITE_H

#include "core/list.h"
#include "net/dial.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "proxy/pool.h"
#include "proxy/share.h"
#include "proxy/spread.h"

enum { SITE_WHY = 512 };

struct pool {
    struct loop *loop;
    const struct pool_limits *limits;
    struct resolver *resolver; /* NULL before the first name */
    struct list sites;         /* by site.link */
    struct list dirty;         /* those that may have something to do, by site.dirty */
    struct list contexts;      /* of TLS, by tls_entry.link */
    struct shares shares;
    struct loop_step step;
    struct timer sweep; /* runs while there is a site */
    struct pool_stats stats;
};

/*
 * A call that the pool holds.
 *
 *     TICKET_HELD ──its share has room──▶ TICKET_WAITING ──given──▶ TICKET_GIVEN
 *                                             ▲   │                    │
 *                                             │   ◀─lost, or refused──┤
 *                                     its pause is over                │
 *                                             └── TICKET_PAUSED ◀─refused again
 */
enum ticket_state { TICKET_HELD, TICKET_WAITING, TICKET_PAUSED, TICKET_GIVEN };

struct ticket {
    enum ticket_state state;
    struct list link; /* of its share's list, or its site's waiting, or paused; not while given */
    struct call *call;
    struct site *site;
    struct share *share;    /* NULL where nobody's is taken */
    uint64_t part;          /* of that */
    struct pool_conn *conn; /* while a session has it */
    struct timer timer;
    double connect_timeout, response_timeout, idle_timeout;
    double queued;     /* when it began to wait, of clock_recent */
    double began;      /* when a session took it, of clock_recent */
    double rested;     /* when its pause is over, of clock_recent */
    unsigned refusals; /* how often it was refused */
    bool elsewhere;    /* see call_options */
    bool again;        /* it was lost before, and made once more */
    bool reused;       /* on a connection that had carried another */
};

struct pool_conn {
    struct list link; /* in its site's free or busy */
    struct list *in;  /* which of them */
    struct site *site;
    struct dial dial;
    uint32_t calls;
    bool open;
    bool awaited;      /* counted in its site's opening */
    bool going;        /* counted in its site's going */
    bool used;         /* it has carried a call */
    double idle_since; /* of clock_recent, where calls is 0 */
    double refused;    /* when it last refused a call, of clock_recent; 0 once it may have others */
};

struct site {
    struct list link, dirty;
    struct pool *pool;
    struct origin origin;
    enum call_version version;
    bool insecure;
    char *cas;             /* NULL for the system's store */
    struct spread *spread; /* of its addresses, where calls go round them; or NULL */
    struct list free;      /* connections with room: the last used first, with spread last */
    struct list busy;      /* the others, those that are being opened included */
    struct list waiting;   /* tickets that may have a connection */
    struct list paused;    /* tickets that were refused more than once */
    uint32_t conns;
    uint32_t opening;     /* connections of which is not known yet what they carry */
    uint32_t going;       /* those that take no further calls */
    uint32_t waits, held; /* tickets in waiting, and those that their client's share holds back */
    bool known;           /* a connection has told how many calls it carries: */
    uint32_t carries;     /* so many, which may be 0 */
    bool shares;          /* and it speaks HTTP/2 */
    struct timer pause;   /* runs while something was refused */
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
/* A connection that had been kept was silent: those that were idle since before then, of
 * clock_recent, may be as dead. */
void site_distrust(struct site *s, double since);
/* A connection has refused a call, which has left it; NULL if it is gone. */
void site_refused(struct site *s, struct pool_conn *pc);
/* A call has left its connection: it may have room again. */
void site_left(struct pool_conn *pc);
/* Whether connections to it carry many calls each, as far as is known. */
bool site_shares(const struct site *s);
/* How many calls one of its connections carries, as far as is known; 1 at the least. */
uint32_t site_carries(const struct site *s);
/* Whether one of its connections has come about. */
bool site_is_open(const struct site *s);
/* Fails the calls that wait for a connection. */
void site_fail_waiting(struct site *s, const char *why);

/* site_addresses.c: whether there are addresses to dial. Known addresses stay in use while the name
 * is looked up again, and after a failure too, unless the name no longer exists (RFC 8767). If none
 * are known, site_found goes on. */
bool site_has_addresses(struct site *s);
/* site_addresses.c: the site's lookup is done. */
void site_found(struct lookup *l, const char *why);
/* site_addresses.c: if calls go round the addresses, the one that the next connection is to, and
 * one that works and has none though calls wait; else NULL. */
struct spread_address *site_next_address(struct site *s);
struct spread_address *site_bare_address(struct site *s);
/* site_addresses.c: sets the addresses to dial: all of them if one is NULL. */
void site_aim(const struct site *s, struct dial_to *to, const struct spread_address *one);

/* pool.c: a session has taken the ticket's call. */
void ticket_taken(struct ticket *t, struct pool_conn *pc);
/* pool.c: the ticket may have a connection. */
void ticket_wait(struct ticket *t, bool first);
/* pool.c: ends a call that has none, and frees the ticket. */
void ticket_fail(struct ticket *t, enum call_end end, const char *why);
/* pool.c: the context for https; NULL if there is none, for the reason given. */
struct tls_client *pool_tls(struct pool *p, bool insecure, const char *cas, char why[SITE_WHY]);

#endif

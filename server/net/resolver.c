#include "net/resolver.h"

#include "core/check.h"
#include "core/list.h"
#include "core/mem.h"
#include "net/timer.h"

#include <ares.h>
#include <netdb.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>

enum { SOCKETS_MAX = 64, TIMEOUT_MS = 2000, TRIES = 3 };

/* How long the addresses of one family wait for those of the other. */
static const double delay_seconds = 0.05;

/* A socket of c-ares. */
struct watched {
    struct resolver *resolver;
    ev_io io;
    int events; /* 0 if the place is free */
};

struct resolver {
    struct ev_loop *ev;
    ares_channel channel;
    struct timer timeout;
    struct timer turn; /* reports results that were found during lookup_start */
    struct watched watched[SOCKETS_MAX];
    struct list finished; /* queries whose result has to be reported, by query.link */
};

/* The part of a query for one family of addresses. */
struct part {
    struct query *query;
    struct sockaddr_storage list[LOOKUP_MAX];
    size_t count;
};

enum { PART_4, PART_6, PARTS };

/* A query of c-ares cannot be cancelled by itself: it outlives a lookup that was cancelled, or that
 * was answered with one family of addresses only. */
struct query {
    struct list link;
    struct resolver *resolver;
    struct lookup *lookup; /* NULL after it was cancelled or answered */
    struct part parts[PARTS];
    int left;           /* parts without a result */
    bool is_none;       /* there is no such name */
    struct timer delay; /* runs while one family waits for the other */
    const char *why;
};

/* The loop. */

static void set_timeout(struct resolver *r)
{
    struct timeval left;
    if (!ares_timeout(r->channel, NULL, &left))
        timer_stop(&r->timeout);
    else
        timer_start(&r->timeout, (double)left.tv_sec + (double)left.tv_usec / 1e6);
}

static void on_timeout(struct timer *t)
{
    struct resolver *r = container_of(t, struct resolver, timeout);
    ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_timeout(r);
}

static void on_socket(struct ev_loop *ev, ev_io *io, int events)
{
    (void)ev;
    struct resolver *r = container_of(io, struct watched, io)->resolver;
    ares_process_fd(r->channel, events & EV_READ ? io->fd : ARES_SOCKET_BAD,
        events & EV_WRITE ? io->fd : ARES_SOCKET_BAD);
    set_timeout(r);
}

/* The place of the socket, or a free one; NULL if there is none. */
static struct watched *place_of(struct resolver *r, int fd)
{
    struct watched *free = NULL;
    for (size_t i = 0; i < SOCKETS_MAX; i++) {
        struct watched *w = &r->watched[i];
        if (w->events && w->io.fd == fd)
            return w;
        if (!w->events)
            free = w;
    }
    return free;
}

/* c-ares wants to watch a socket, or to stop that. If there is no place for the socket, it times
 * out. */
static void on_state(void *data, ares_socket_t fd, int readable, int writable)
{
    struct resolver *r = data;
    struct watched *w = place_of(r, fd);
    if (!w)
        return;
    if (w->events)
        ev_io_stop(r->ev, &w->io);
    w->events = (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0);
    w->resolver = r;
    ev_io_init(&w->io, on_socket, fd, w->events);
    if (w->events)
        ev_io_start(r->ev, &w->io);
}

/* Queries. */

/* Replaces the known addresses. If no name server had an answer they are kept, unless the answer
 * was that the name does not exist. */
static void replace_addresses(struct lookup *l, const struct query *q)
{
    size_t known = l->count;
    l->count = 0;
    for (int i = 0; i < PARTS; i++)
        for (size_t k = 0; k < q->parts[i].count && l->count < LOOKUP_MAX; k++)
            l->list[l->count++] = q->parts[i].list[k];
    if (l->count == 0 && !q->is_none)
        l->count = known;
}

static void tell(struct query *q)
{
    struct lookup *l = q->lookup;
    q->lookup = NULL;
    timer_stop(&q->delay);
    if (!l)
        return;
    replace_addresses(l, q);
    l->query = NULL;
    l->done(l, q->why);
}

static void on_delay(struct timer *t)
{
    tell(container_of(t, struct query, delay));
}

static void end_query(struct query *q)
{
    list_remove(&q->link);
    tell(q);
    mem_put(q, sizeof *q);
}

static void on_turn(struct timer *t)
{
    struct resolver *r = container_of(t, struct resolver, turn);
    while (!list_empty(&r->finished))
        end_query(container_of(r->finished.next, struct query, link));
}

static void take_addresses(struct part *p, const struct ares_addrinfo *found)
{
    for (const struct ares_addrinfo_node *n = found->nodes; n && p->count < LOOKUP_MAX;
         n = n->ai_next)
        if ((size_t)n->ai_addrlen <= sizeof p->list[0])
            memcpy(&p->list[p->count++], n->ai_addr, (size_t)n->ai_addrlen);
}

/* The result is reported in the next turn. */
static void finish(struct query *q)
{
    list_append(&q->resolver->finished, &q->link);
    timer_start(&q->resolver->turn, 0);
}

/* Numeric addresses are not looked up: c-ares would ask name servers for them. */
static bool take_literal(struct part *p, const char *host, const char *port)
{
    const struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found;
    if (getaddrinfo(host, port, &hints, &found))
        return false;
    memcpy(&p->list[p->count++], found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return true;
}

static void note_failure(struct query *q, int status)
{
    q->is_none |= status == ARES_ENOTFOUND;
    if (status != ARES_ENODATA)
        q->why = ares_strerror(status);
}

/* One family has been found. The lookup waits a little longer for the other (RFC 8305 3), since
 * some name servers do not answer queries for one family. */
static void on_found(void *data, int status, int timeouts, struct ares_addrinfo *found)
{
    (void)timeouts;
    struct part *p = data;
    struct query *q = p->query;
    q->left--;
    if (status == ARES_SUCCESS)
        take_addresses(p, found);
    else
        note_failure(q, status);
    if (found)
        ares_freeaddrinfo(found);
    if (q->left == 0)
        finish(q);
    else if (q->lookup && p->count)
        timer_start(&q->delay, delay_seconds);
}

static void ask(struct query *q, int part, int family, const char *host, const char *port)
{
    const struct ares_addrinfo_hints hints = {.ai_family = family,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = ARES_AI_NUMERICSERV | ARES_AI_NOSORT};
    ares_getaddrinfo(q->resolver->channel, host, port, &hints, on_found, &q->parts[part]);
}

/* Whether the name is local: no name server is asked for it (RFC 6761 6.3), and both families come
 * together. */
static bool is_local(const char *host)
{
    static const char name[] = ".localhost";
    size_t n = strlen(host), dotted = sizeof name - 1;
    return strcasecmp(host, name + 1) == 0 ||
           (n > dotted && strcasecmp(host + n - dotted, name) == 0);
}

static void ask_all(struct query *q, const char *host, const char *port)
{
    if (is_local(host)) {
        q->left = 1;
        ask(q, PART_4, AF_UNSPEC, host, port);
        return;
    }
    q->left = PARTS;
    ask(q, PART_4, AF_INET, host, port);
    ask(q, PART_6, AF_INET6, host, port);
}

static struct query *new_query(struct resolver *r, struct lookup *l)
{
    struct query *q = mem_get_zeroed(sizeof *q);
    if (!q)
        return NULL;
    list_init(&q->link);
    timer_init(&q->delay, r->ev, on_delay);
    q->resolver = r;
    q->lookup = l;
    q->why = "the name has no address";
    for (int i = 0; i < PARTS; i++)
        q->parts[i].query = q;
    return q;
}

enum rc lookup_start(struct lookup *l, struct resolver *r, const char *host, const char *port)
{
    check(!l->query);
    struct query *q = new_query(r, l);
    if (!q)
        return RC_NOMEM;
    l->query = q;
    if (take_literal(&q->parts[PART_4], host, port)) {
        finish(q);
        return RC_OK;
    }
    ask_all(q, host, port);
    set_timeout(r);
    return RC_OK;
}

void lookup_cancel(struct lookup *l)
{
    if (l->query)
        l->query->lookup = NULL;
    l->query = NULL;
}

/* Life. */

enum rc resolver_new(struct ev_loop *ev, const char *servers, struct resolver **out)
{
    struct resolver *r = mem_get_zeroed(sizeof *r);
    if (!r)
        return RC_NOMEM;
    struct ares_options options = {
        .timeout = TIMEOUT_MS, .tries = TRIES, .sock_state_cb = on_state, .sock_state_cb_data = r};
    r->ev = ev;
    list_init(&r->finished);
    timer_init(&r->timeout, ev, on_timeout);
    timer_init(&r->turn, ev, on_turn);
    if (ares_init_options(&r->channel, &options,
            ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) != ARES_SUCCESS) {
        mem_put(r, sizeof *r);
        return RC_SYSTEM;
    }
    if (servers && ares_set_servers_ports_csv(r->channel, servers) != ARES_SUCCESS) {
        resolver_free(r);
        return RC_INVALID;
    }
    *out = r;
    return RC_OK;
}

static bool all_cancelled(const struct resolver *r)
{
    for (struct list *node = r->finished.next; node != &r->finished; node = node->next)
        if (container_of(node, struct query, link)->lookup)
            return false;
    return true;
}

void resolver_free(struct resolver *r)
{
    ares_destroy(r->channel); /* calls on_found for all open queries */
    timer_stop(&r->timeout);
    timer_stop(&r->turn);
    check(all_cancelled(r));
    on_turn(&r->turn);
    mem_put(r, sizeof *r);
}

#include "proxy/resolver.h"

#include "core/check.h"
#include "core/list.h"
#include "core/mem.h"
#include "net/timer.h"

#include <ares.h>
#include <netdb.h>
#include <stdbool.h>
#include <string.h>
#include <sys/time.h>

enum { SOCKETS_MAX = 64, TIMEOUT_MS = 2000, TRIES = 3 };

/* A socket of c-ares's. */
struct watched {
    struct resolver *resolver;
    ev_io io;
    int events; /* 0 while the place is free */
};

struct resolver {
    struct ev_loop *ev;
    ares_channel channel;
    struct timer timeout;
    struct timer turn; /* tells of what was found within lookup_start */
    struct watched watched[SOCKETS_MAX];
    struct list finished; /* queries that are to be told of, by query.link */
};

/* c-ares can't take back what it was asked: a query outlives a lookup that was cancelled. */
struct query {
    struct list link;
    struct resolver *resolver;
    struct lookup *lookup; /* NULL once it is cancelled */
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

/* The place of a socket, or a free one; NULL where there is none. */
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

/* c-ares wants to hear of a socket, or no more. One that there is no place for times out. */
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

static void tell(struct query *q)
{
    struct lookup *l = q->lookup;
    const char *why = q->why;
    list_remove(&q->link);
    mem_put(q, sizeof *q);
    if (!l)
        return;
    l->query = NULL;
    l->done(l, why);
}

static void on_turn(struct timer *t)
{
    struct resolver *r = container_of(t, struct resolver, turn);
    while (!list_empty(&r->finished))
        tell(container_of(r->finished.next, struct query, link));
}

static void take_addresses(struct lookup *l, const struct ares_addrinfo *found)
{
    for (const struct ares_addrinfo_node *n = found->nodes; n && l->count < LOOKUP_MAX;
         n = n->ai_next)
        if ((size_t)n->ai_addrlen <= sizeof l->list[0])
            memcpy(&l->list[l->count++], n->ai_addr, (size_t)n->ai_addrlen);
}

/* Told of in the next turn. */
static void finish(struct query *q, const char *why)
{
    q->why = why;
    list_append(&q->resolver->finished, &q->link);
    timer_start(&q->resolver->turn, 0);
}

/* An address in digits is no name: c-ares would ask the name servers for it. */
static bool take_literal(struct lookup *l, const char *host, const char *port)
{
    const struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found;
    if (getaddrinfo(host, port, &hints, &found))
        return false;
    memcpy(&l->list[l->count++], found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return true;
}

static void on_found(void *data, int status, int timeouts, struct ares_addrinfo *found)
{
    (void)timeouts;
    struct query *q = data;
    if (q->lookup && status == ARES_SUCCESS)
        take_addresses(q->lookup, found);
    if (found)
        ares_freeaddrinfo(found);
    finish(q, status == ARES_SUCCESS ? "the name has no address" : ares_strerror(status));
}

enum rc lookup_start(struct lookup *l, struct resolver *r, const char *host, const char *port)
{
    const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = ARES_AI_NUMERICSERV | ARES_AI_NOSORT};
    check(!l->query);
    struct query *q = mem_get_zeroed(sizeof *q);
    if (!q)
        return RC_NOMEM;
    list_init(&q->link);
    q->resolver = r;
    q->lookup = l;
    l->query = q;
    l->count = 0;
    if (take_literal(l, host, port)) {
        finish(q, "");
        return RC_OK;
    }
    ares_getaddrinfo(r->channel, host, port, &hints, on_found, q);
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
    ares_destroy(r->channel); /* tells on_found of what is still asked */
    timer_stop(&r->timeout);
    timer_stop(&r->turn);
    check(all_cancelled(r));
    on_turn(&r->turn);
    mem_put(r, sizeof *r);
}

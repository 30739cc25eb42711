#include "net/connecting.h"

#include "core/check.h"
#include "core/list.h"
#include "core/mem.h"
#include "net/timer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* Seconds until the next address is tried as well. */
static const double stagger_seconds = 0.25;

struct attempt {
    ev_io connected;
    struct connecting *connecting;
    size_t address;
    int fd; /* -1 after it has failed */
};

struct connecting {
    struct ev_loop *ev;
    const struct sockaddr_storage *addresses;
    size_t count;
    connecting_done *done;
    void *owner;
    struct attempt attempts[CONNECTING_ADDRESSES];
    size_t started, failed;
    struct timer next; /* tries the next address, or reports that there is none */
    const char *why;   /* the reason of the last failure */
};

socklen_t connecting_length(const struct sockaddr_storage *address)
{
    switch (address->ss_family) {
    case AF_INET:
        return sizeof(struct sockaddr_in);
    case AF_INET6:
        return sizeof(struct sockaddr_in6);
    default:
        return sizeof(struct sockaddr_un);
    }
}

void connecting_cancel(struct connecting *g)
{
    timer_stop(&g->next);
    for (size_t i = 0; i < g->started; i++) {
        if (g->attempts[i].fd < 0)
            continue;
        ev_io_stop(g->ev, &g->attempts[i].connected);
        close(g->attempts[i].fd);
    }
    mem_put(g, sizeof *g);
}

static void give_up(struct connecting *g)
{
    connecting_done *done = g->done;
    void *owner = g->owner;
    const char *why = g->why;
    connecting_cancel(g);
    done(owner, -1, NULL, why);
}

/* One attempt fewer: the next address is tried at once. */
static void note_failure(struct attempt *a, int error)
{
    struct connecting *g = a->connecting;
    if (a->fd >= 0) {
        ev_io_stop(g->ev, &a->connected);
        close(a->fd);
    }
    a->fd = -1;
    g->failed++;
    g->why = strerror(error);
    timer_start(&g->next, 0);
}

/* TCP keepalive: nothing else tells that the peer of a connection that is kept unused has silently
 * gone. No effect on sockets other than TCP. */
static void probe_when_idle(int fd)
{
    enum { IDLE_SECONDS = 15, INTERVAL_SECONDS = 5, PROBES = 3 };
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){IDLE_SECONDS}, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &(int){INTERVAL_SECONDS}, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &(int){PROBES}, sizeof(int));
}

static void win(struct attempt *a)
{
    struct connecting *g = a->connecting;
    const struct sockaddr_storage *address = &g->addresses[a->address];
    connecting_done *done = g->done;
    void *owner = g->owner;
    int fd = a->fd;
    ev_io_stop(g->ev, &a->connected);
    a->fd = -1;
    connecting_cancel(g);
    probe_when_idle(fd);
    done(owner, fd, address, NULL);
}

static void on_connected(struct ev_loop *ev, ev_io *w, int events)
{
    (void)ev, (void)events;
    struct attempt *a = container_of(w, struct attempt, connected);
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &len))
        error = errno;
    if (error)
        note_failure(a, error);
    else
        win(a);
}

/* Every outcome is an event: a socket that is connected at once is writable as well. */
static void try_next(struct connecting *g)
{
    struct attempt *a = &g->attempts[g->started];
    const struct sockaddr_storage *address = &g->addresses[g->started];
    a->connecting = g;
    a->address = g->started++;
    a->fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ev_io_init(&a->connected, on_connected, a->fd, EV_WRITE);
    if (a->fd < 0 ||
        (connect(a->fd, (const struct sockaddr *)address, connecting_length(address)) &&
            errno != EINPROGRESS)) {
        note_failure(a, errno);
        return;
    }
    ev_io_start(g->ev, &a->connected);
    if (g->started < g->count)
        timer_start(&g->next, stagger_seconds);
}

static void on_next(struct timer *t)
{
    struct connecting *g = container_of(t, struct connecting, next);
    if (g->started < g->count)
        try_next(g);
    else if (g->failed == g->started)
        give_up(g);
}

enum rc connecting_start(struct ev_loop *ev, const struct sockaddr_storage *addresses, size_t count,
    connecting_done *done, void *owner, struct connecting **out)
{
    check(count > 0 && count <= CONNECTING_ADDRESSES);
    struct connecting *g = mem_get_zeroed(sizeof *g);
    if (!g)
        return RC_NOMEM;
    g->ev = ev;
    g->addresses = addresses;
    g->count = count;
    g->done = done;
    g->owner = owner;
    timer_init(&g->next, ev, on_next);
    try_next(g);
    *out = g;
    return RC_OK;
}

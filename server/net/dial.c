#include "net/dial.h"

#include "core/check.h"
#include "core/list.h"
#include "core/mem.h"
#include "net/conn.h"
#include "net/loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* Seconds until the next address is tried as well. */
static const double stagger_seconds = 0.25;

struct attempt {
    ev_io connected;
    struct dialling *dialling;
    size_t address;
    int fd; /* -1 after it has failed */
};

struct dialling {
    struct dial *dial;
    struct attempt attempts[DIAL_ADDRESSES];
    size_t started, failed;
    struct timer next; /* tries the next address, or reports that there is none */
    const char *why;   /* the reason of the last failure */
};

static void set_state(struct dial *d, enum dial_state state)
{
    check(state == DIAL_IDLE || state == d->state + 1);
    check((state == DIAL_OPEN) == (d->session != NULL));
    d->state = state;
}

static void free_dialling(struct dial *d)
{
    struct dialling *g = d->dialling;
    if (!g)
        return;
    d->dialling = NULL;
    timer_stop(&g->next);
    for (size_t i = 0; i < g->started; i++) {
        if (g->attempts[i].fd < 0)
            continue;
        ev_io_stop(d->loop->ev, &g->attempts[i].connected);
        close(g->attempts[i].fd);
    }
    mem_put(g, sizeof *g);
}

static void give_up(struct dial *d, const char *why)
{
    free_dialling(d);
    timer_stop(&d->patience);
    set_state(d, DIAL_IDLE);
    d->ops->closed(d, why);
}

/* One attempt fewer: the next address is tried at once. */
static void note_failure(struct attempt *a, int error)
{
    struct dialling *g = a->dialling;
    if (a->fd >= 0) {
        ev_io_stop(g->dial->loop->ev, &a->connected);
        close(a->fd);
    }
    a->fd = -1;
    g->failed++;
    g->why = strerror(error);
    timer_start(&g->next, 0);
}

static socklen_t length_of(const struct sockaddr_storage *address)
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

static void win(struct attempt *a)
{
    struct dial *d = a->dialling->dial;
    const struct sockaddr_storage *address = &d->to.addresses[a->address];
    int fd = a->fd;
    ev_io_stop(d->loop->ev, &a->connected);
    a->fd = -1;
    free_dialling(d);
    if (conn_open_out(d->loop, fd, d, (const struct sockaddr *)address, length_of(address)))
        give_up(d, rc_text(RC_NOMEM));
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
static void try_next(struct dialling *g)
{
    struct dial *d = g->dial;
    struct attempt *a = &g->attempts[g->started];
    const struct sockaddr_storage *address = &d->to.addresses[g->started];
    a->dialling = g;
    a->address = g->started++;
    a->fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ev_io_init(&a->connected, on_connected, a->fd, EV_WRITE);
    if (a->fd < 0 || (connect(a->fd, (const struct sockaddr *)address, length_of(address)) &&
                         errno != EINPROGRESS)) {
        note_failure(a, errno);
        return;
    }
    ev_io_start(d->loop->ev, &a->connected);
    if (g->started < d->to.count)
        timer_start(&g->next, stagger_seconds);
}

static void on_next(struct timer *t)
{
    struct dialling *g = container_of(t, struct dialling, next);
    if (g->started < g->dial->to.count)
        try_next(g);
    else if (g->failed == g->started)
        give_up(g->dial, g->why);
}

static void on_impatience(struct timer *t)
{
    struct dial *d = container_of(t, struct dial, patience);
    if (d->conn)
        conn_abandon(d->conn, "connect-timeout");
    else
        give_up(d, "connect-timeout");
}

/* For owners. */

void dial_init(struct dial *d, struct loop *loop, const struct dial_ops *ops)
{
    *d = (struct dial){.ops = ops, .loop = loop};
    timer_init(&d->patience, loop->ev, on_impatience);
}

enum rc dial_start(struct dial *d)
{
    check(d->to.count > 0 && d->to.count <= DIAL_ADDRESSES);
    struct dialling *g = mem_get_zeroed(sizeof *g);
    if (!g)
        return RC_NOMEM;
    set_state(d, DIAL_DIALLING);
    g->dial = d;
    d->dialling = g;
    timer_init(&g->next, d->loop->ev, on_next);
    if (d->to.timeout > 0)
        timer_start(&d->patience, d->to.timeout);
    try_next(g);
    return RC_OK;
}

void dial_cancel(struct dial *d, struct cut cut)
{
    free_dialling(d);
    timer_stop(&d->patience);
    d->session = NULL;
    set_state(d, DIAL_IDLE);
    struct conn *c = d->conn;
    d->conn = NULL;
    if (c)
        conn_disown(c, cut);
}

void dial_shut_down(struct dial *d)
{
    if (d->conn)
        conn_shut_down(d->conn, END_NOW);
}

/* For connections. */

void dial_opened(struct dial *d, struct session *session)
{
    timer_stop(&d->patience);
    d->session = session;
    set_state(d, DIAL_OPEN);
    d->ops->opened(d);
}

void dial_changed(struct dial *d)
{
    if (d->state == DIAL_OPEN)
        d->ops->changed(d);
}

void dial_lost(struct dial *d, const char *why)
{
    d->conn = NULL;
    d->session = NULL;
    give_up(d, why);
}

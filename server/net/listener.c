#include "net/listener.h"

#include "core/list.h"
#include "core/log.h"
#include "net/address.h"
#include "net/listener_kind.h"
#include "net/loop.h"
#include "net/room.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPTS = 64 }; /* connections accepted in one turn */

static const double pause_seconds = 0.5;

/* The connection stays in the kernel's queue until there is room for it. */
static void pause_accepting(struct listener *ls, int error)
{
    log_event(LOG_ERROR, "accept paused", log_str("reason", strerror(error)));
    ev_io_stop(ls->loop->ev, &ls->readable);
    timer_start(&ls->pause, pause_seconds);
}

static void on_pause_over(struct timer *t)
{
    struct listener *ls = container_of(t, struct listener, pause);
    ev_io_start(ls->loop->ev, &ls->readable);
}

static bool is_passing(int error)
{
    /* accept(2) also reports errors of the new connection itself. */
    return error == EINTR || error == ECONNABORTED || error == EPROTO || error == ENETDOWN ||
           error == ENETUNREACH || error == EHOSTUNREACH;
}

/* Of file descriptors: accepting can go on once one is closed. */
static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE;
}

static void log_refusal(const struct loop *l, const struct sockaddr *sa, socklen_t len)
{
    char remote[ADDRESS_TEXT];
    address_format(sa, len, remote);
    log_peer_event(LOG_WARN, "connection refused",
        log_str("limit", l->census.total >= l->limits->max_conns && l->limits->max_conns
                             ? "max-connections"
                             : "max-connections-each"),
        log_str("remote", remote), log_int("connections", l->census.total));
}

static bool accept_one(struct listener *ls)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    int fd = accept4(ls->readable.fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        int error = errno;
        bool passes =
            is_passing(error) || (is_shortage(error) && room_make(ls->loop, "descriptors"));
        if (error != EAGAIN && !passes)
            pause_accepting(ls, error);
        return passes;
    }
    enum rc rc = ls->kind->accepted(ls, fd, (struct sockaddr *)&ss, len);
    if (rc == RC_LIMIT)
        log_refusal(ls->loop, (struct sockaddr *)&ss, len);
    else if (rc)
        pause_accepting(ls, ENOMEM);
    return rc == RC_OK || rc == RC_LIMIT;
}

static void on_connection(struct ev_loop *ev, ev_io *w, int events)
{
    (void)ev, (void)events;
    struct listener *ls = container_of(w, struct listener, readable);
    for (int i = 0; i < ACCEPTS && accept_one(ls); i++)
        ;
}

void listener_start(struct listener *ls, const struct listener_kind *kind, struct loop *loop,
    int fd, struct tls *tls)
{
    ls->kind = kind;
    ls->loop = loop;
    ls->tls = tls;
    timer_init(&ls->pause, loop->ev, on_pause_over);
    ev_io_init(&ls->readable, on_connection, fd, EV_READ);
    ev_io_start(loop->ev, &ls->readable);
}

void listener_take_queue(struct listener *ls)
{
    for (int i = 0; i < SOMAXCONN && accept_one(ls); i++)
        ;
}

void listener_stop(struct listener *ls)
{
    timer_stop(&ls->pause);
    ev_io_stop(ls->loop->ev, &ls->readable);
    close(ls->readable.fd);
}

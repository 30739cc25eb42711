#include "peer.h"

#include "core/list.h"
#include "core/mem.h"
#include "socket/socket_group.h"

#include <assert.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The wire of a loop that there is not. */
static struct wire wire;

struct socket_group *peer_sockets_new(struct ev_loop *ev)
{
    struct socket_group *all = malloc(sizeof *all);
    assert(all);
    socket_group_init(all, ev);
    socket_group_join(all, &wire, NULL);
    return all;
}

bool peer_sockets_run(struct socket_group *all)
{
    return all->step.run(&all->step);
}

void peer_sockets_free(struct socket_group *all)
{
    socket_group_fini(all);
    free(all);
}

/* The server. */

struct connection {
    ev_io io;
    struct list link;
};

static struct {
    ev_io io;
    struct ev_loop *ev;
    struct list connections;
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
} peer;

static void end(struct connection *c)
{
    ev_io_stop(peer.ev, &c->io);
    close(c->io.fd);
    list_remove(&c->link);
    free(c);
}

static void on_readable(struct ev_loop *ev, ev_io *io, int events)
{
    char piece[4096];
    (void)ev, (void)events;
    struct connection *c = container_of(io, struct connection, io);
    ssize_t n = recv(io->fd, piece, sizeof piece, 0);
    if (n <= 0 || send(io->fd, piece, (size_t)n, MSG_NOSIGNAL) != n)
        end(c);
}

static void on_connection(struct ev_loop *ev, ev_io *io, int events)
{
    (void)events;
    struct connection *c = malloc(sizeof *c);
    assert(c);
    int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC);
    assert(fd >= 0);
    list_init(&c->link);
    list_append(&peer.connections, &c->link);
    ev_io_init(&c->io, on_readable, fd, EV_READ);
    ev_io_start(ev, &c->io);
}

void peer_listen(struct ev_loop *ev, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    snprintf(peer.path, sizeof peer.path, "%s", path);
    assert(fd >= 0 && !bind(fd, (struct sockaddr *)&address, sizeof address) && !listen(fd, 64));
    list_init(&peer.connections);
    peer.ev = ev;
    ev_io_init(&peer.io, on_connection, fd, EV_READ);
    ev_io_start(ev, &peer.io);
}

void peer_end(void)
{
    if (!peer.ev)
        return;
    while (!list_empty(&peer.connections))
        end(container_of(peer.connections.next, struct connection, link));
    ev_io_stop(peer.ev, &peer.io);
    close(peer.io.fd);
    unlink(peer.path);
    peer.ev = NULL;
}

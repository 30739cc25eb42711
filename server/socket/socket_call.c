/* From a URL to a connection: the name is looked up, and its addresses are tried. */
#include "core/mem.h"
#include "net/connecting.h"
#include "net/names.h"
#include "socket/socket_group.h"

#include <assert.h>
#include <stdio.h>
#include <sys/un.h>

struct socket_call {
    struct socket *socket;
    struct lookup lookup;
    struct connecting *connecting;
};

static_assert((int)LOOKUP_MAX <= (int)CONNECTING_ADDRESSES, "all that are found may be tried");

static void on_connected(
    void *owner, int fd, const struct sockaddr_storage *address, const char *why)
{
    struct socket_call *c = owner;
    struct socket *s = c->socket;
    c->connecting = NULL;
    if (fd < 0)
        socket_fail(s, SOCKET_UNREACHABLE, why);
    else
        socket_connected(s, fd, address);
}

static enum rc connect_to(struct socket_call *c)
{
    struct socket *s = c->socket;
    socket_set_state(s, SOCKET_CONNECTING);
    return connecting_start(
        s->all->ev, c->lookup.list, c->lookup.count, on_connected, c, &c->connecting);
}

static void on_found(struct lookup *l, const char *why)
{
    struct socket_call *c = container_of(l, struct socket_call, lookup);
    if (l->count == 0)
        socket_fail(c->socket, SOCKET_UNREACHABLE, why);
    else if (connect_to(c))
        socket_fail(c->socket, SOCKET_NO_MEMORY, rc_text(RC_NOMEM));
}

static void set_path(struct lookup *l, const char *path)
{
    struct sockaddr_un *address = (struct sockaddr_un *)&l->list[0];
    address->sun_family = AF_UNIX;
    snprintf(address->sun_path, sizeof address->sun_path, "%.*s", (int)sizeof address->sun_path - 1,
        path);
    l->count = 1;
}

enum rc socket_call_start(struct socket *s, const struct socket_url *url)
{
    struct socket_call *c = mem_get_zeroed(sizeof *c);
    if (!c)
        return RC_NOMEM;
    s->call = c;
    c->socket = s;
    c->lookup.done = on_found;
    if (url->scheme == SOCKET_UNIX) {
        set_path(&c->lookup, url->host);
        return connect_to(c);
    }
    return names_look_up(&s->all->names, &c->lookup, url->host, url->port);
}

void socket_call_end(struct socket *s)
{
    struct socket_call *c = s->call;
    if (!c)
        return;
    s->call = NULL;
    lookup_cancel(&c->lookup);
    if (c->connecting)
        connecting_cancel(c->connecting);
    mem_put(c, sizeof *c);
}

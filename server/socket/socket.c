#include "socket/socket.h"

#include "core/check.h"
#include "core/live.h"
#include "core/mem.h"
#include "net/connecting.h"
#include "socket/socket_group.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SEALED_MAX = WIRE_OUT + SOCKET_QUEUE };

/* Seconds for the rest of what an owner has written before it let go. */
static const double patience_seconds = 5;

/* Whether the drawing has this arrow. */
static bool may_become(enum socket_state from, enum socket_state to)
{
    switch (to) {
    case SOCKET_RESOLVING:
        return false;
    case SOCKET_CONNECTING:
        return from == SOCKET_RESOLVING;
    case SOCKET_SHAKING_HANDS:
        return from == SOCKET_CONNECTING || from == SOCKET_OPEN;
    case SOCKET_OPEN:
        return from == SOCKET_CONNECTING || from == SOCKET_SHAKING_HANDS || from == SOCKET_KEPT;
    case SOCKET_KEPT:
        return from == SOCKET_OPEN;
    case SOCKET_FAILED:
    case SOCKET_CLOSING:
        return from != SOCKET_CLOSING;
    }
    return false;
}

void socket_set_state(struct socket *s, enum socket_state state)
{
    check(may_become(s->state, state));
    s->state = state;
}

void socket_mark_dirty(struct socket *s)
{
    if (!list_linked(&s->dirty))
        list_append(&s->all->dirty, &s->dirty);
}

/* Life. */

static void on_impatience(struct timer *t)
{
    struct socket *s = container_of(t, struct socket, patience);
    s->cut = true;
    socket_mark_dirty(s);
}

static struct socket *new_socket(
    struct socket_group *all, const struct socket_ops *ops, void *owner)
{
    struct socket *s = mem_get_zeroed(sizeof *s);
    if (!s)
        return NULL;
    s->all = all;
    s->ops = ops;
    s->owner = owner;
    s->fd = -1;
    s->wanted = 1;
    list_init(&s->link);
    list_init(&s->dirty);
    list_init(&s->shelved);
    inbox_init(&s->in);
    bytes_init(&s->out, SOCKET_QUEUE);
    bytes_init(&s->sealed, SEALED_MAX);
    descriptor_init(&s->descriptor, all->ev, socket_on_ready);
    timer_init(&s->patience, all->ev, on_impatience);
    list_append(&all->all, &s->link);
    socket_group_begin(all);
    live.sockets++;
    return s;
}

static void close_descriptor(struct socket *s)
{
    if (s->fd < 0)
        return;
    descriptor_stop(&s->descriptor);
    close(s->fd);
    s->fd = -1;
    s->events = 0;
}

void socket_free(struct socket *s)
{
    socket_group_forget(s);
    socket_call_end(s);
    close_descriptor(s);
    timer_stop(&s->patience);
    if (s->transport.ops)
        s->transport.ops->fini(&s->transport);
    inbox_fini(&s->in);
    bytes_fini(&s->out);
    bytes_fini(&s->sealed);
    mem_put(s->key, s->key_size);
    list_remove(&s->link);
    list_remove(&s->dirty);
    live.sockets--;
    mem_put(s, sizeof *s);
}

enum rc socket_make_transport(
    struct socket *s, const struct socket_tls *tls, const char *host, char why[SOCKET_WHY])
{
    struct tls_client *client;
    enum rc rc = socket_group_context(s->all, tls, &client, why);
    if (!rc)
        rc = tls_client_transport(&s->transport, client, s->all->wire,
            tls->server_name ? tls->server_name : host, tls->alpn);
    return rc;
}

enum rc socket_open(struct socket_group *all, const struct socket_order *order,
    const struct socket_ops *ops, void *owner, struct socket **out, char why[SOCKET_WHY])
{
    struct socket *s = new_socket(all, ops, owner);
    enum rc rc = s ? RC_OK : RC_NOMEM;
    snprintf(why, SOCKET_WHY, "%s", rc_text(RC_NOMEM));
    if (!rc && order->url.scheme == SOCKET_TLS)
        rc = socket_make_transport(s, &order->tls, order->url.host, why);
    if (!rc)
        rc = socket_call_start(s, &order->url);
    if (!rc)
        *out = s;
    else if (s)
        socket_free(s);
    return rc;
}

void socket_connected(struct socket *s, int fd, const struct sockaddr_storage *address)
{
    s->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    address_format((const struct sockaddr *)address, connecting_length(address), s->remote);
    socket_call_end(s);
    if (s->transport.ops) {
        socket_set_state(s, SOCKET_SHAKING_HANDS);
        socket_mark_dirty(s);
        return;
    }
    socket_set_state(s, SOCKET_OPEN);
    socket_watch(s);
    socket_tell(s, s->ops->on_state);
}

void socket_fail(struct socket *s, enum socket_failure failure, const char *why)
{
    if (s->state == SOCKET_KEPT)
        socket_drop(s);
    if (s->state == SOCKET_CLOSING) {
        s->cut = true;
        socket_mark_dirty(s);
    }
    if (s->state == SOCKET_CLOSING || s->state == SOCKET_FAILED)
        return;
    socket_set_state(s, SOCKET_FAILED);
    s->failure = failure;
    snprintf(s->why, sizeof s->why, "%s", why);
    socket_call_end(s);
    close_descriptor(s);
    bytes_drop(&s->out, s->out.len);
    bytes_drop(&s->sealed, s->sealed.len);
    socket_tell(s, s->ops->on_state);
}

void socket_tell(struct socket *s, void (*what)(struct socket *s))
{
    s->all->told = true;
    what(s);
}

/* For owners. */

static void let_go(struct socket *s)
{
    socket_group_forget(s);
    socket_call_end(s);
    inbox_fini(&s->in);
    s->ops = NULL;
    s->owner = NULL;
    socket_set_state(s, SOCKET_CLOSING);
    socket_watch(s);
    socket_mark_dirty(s);
}

void socket_close(struct socket *s)
{
    bool sends = s->state == SOCKET_OPEN && !s->cut;
    let_go(s);
    s->cut = !sends;
    s->finishing = true;
    if (sends)
        timer_start(&s->patience, patience_seconds);
}

void socket_drop(struct socket *s)
{
    let_go(s);
    s->cut = true;
}

enum rc socket_start_tls(
    struct socket *s, const struct socket_tls *tls, const char *host, char why[SOCKET_WHY])
{
    check(s->state == SOCKET_OPEN && !s->transport.ops);
    snprintf(why, SOCKET_WHY, "%s", rc_text(RC_NOMEM));
    enum rc rc = socket_make_transport(s, tls, host, why);
    if (rc)
        return rc;
    socket_set_state(s, SOCKET_SHAKING_HANDS);
    socket_mark_dirty(s);
    return RC_OK;
}

enum rc socket_write(struct socket *s, const char *data, size_t n, size_t *taken)
{
    size_t room = bytes_room(&s->out);
    check_hot(s->state == SOCKET_OPEN);
    *taken = n < room ? n : room;
    enum rc rc = *taken ? bytes_append(&s->out, data, *taken) : RC_OK;
    if (rc)
        *taken = 0;
    else if (!(s->events & DESCRIPTOR_WRITABLE))
        socket_mark_dirty(s);
    return rc;
}

void socket_finish(struct socket *s)
{
    s->finishing = true;
    socket_mark_dirty(s);
}

void socket_consume(struct socket *s, size_t n)
{
    inbox_drop(&s->in, n);
    if (!(s->events & DESCRIPTOR_READABLE))
        socket_watch(s);
}

void socket_lend(struct socket *s, char *place, size_t size)
{
    inbox_lend(&s->in, place, size);
    socket_watch(s);
}

enum rc socket_set_key(struct socket *s, struct str key)
{
    mem_put(s->key, s->key_size);
    s->key = mem_get(key.n);
    s->key_size = s->key ? key.n : 0;
    if (s->key)
        memcpy(s->key, key.p, key.n);
    return s->key ? RC_OK : RC_NOMEM;
}

/* In the step. */

void socket_run(struct socket *s)
{
    bool done = s->fd < 0 || socket_send(s);
    if (s->state == SOCKET_CLOSING && (done || s->cut))
        socket_free(s);
}

#include "net/dial.h"

#include "core/check.h"
#include "core/list.h"
#include "net/conn.h"
#include "net/connecting.h"
#include "net/loop.h"

static void set_state(struct dial *d, enum dial_state state)
{
    check(state == DIAL_IDLE || state == d->state + 1);
    check((state == DIAL_OPEN) == (d->session != NULL));
    d->state = state;
}

static void stop_connecting(struct dial *d)
{
    struct connecting *g = d->connecting;
    d->connecting = NULL;
    if (g)
        connecting_cancel(g);
}

static void give_up(struct dial *d, const char *why)
{
    stop_connecting(d);
    timer_stop(&d->patience);
    set_state(d, DIAL_IDLE);
    d->ops->closed(d, why);
}

static void on_connected(
    void *owner, int fd, const struct sockaddr_storage *address, const char *why)
{
    struct dial *d = owner;
    d->connecting = NULL;
    if (fd < 0)
        give_up(d, why);
    else if (conn_open_out(
                 d->loop, fd, d, (const struct sockaddr *)address, connecting_length(address)))
        give_up(d, rc_text(RC_NOMEM));
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
    check(d->to.count > 0 && d->to.count <= CONNECTING_ADDRESSES);
    enum rc rc = connecting_start(
        d->loop->ev, d->to.addresses, d->to.count, on_connected, d, &d->connecting);
    if (rc)
        return rc;
    set_state(d, DIAL_DIALLING);
    if (d->to.timeout > 0)
        timer_start(&d->patience, d->to.timeout);
    return RC_OK;
}

void dial_cancel(struct dial *d, struct cut cut)
{
    stop_connecting(d);
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

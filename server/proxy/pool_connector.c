#include "proxy/pool_connector.h"

#include "core/list.h"
#include "proxy/origin.h"
#include "proxy/pool.h"

#include <assert.h>
#include <stdio.h>

static_assert((int)CONNECTOR_WHY >= (int)ORIGIN_WHY, "begin passes on what origin_parse says");

static enum rc refuse(enum rc rc, const char *problem, char why[CONNECTOR_WHY])
{
    snprintf(why, CONNECTOR_WHY, "%s", problem);
    return rc;
}

static enum rc aim(struct call *c, const struct connector_order *order, const struct origin *origin,
    struct str target)
{
    struct str authority = order->authority.p ? order->authority : str_of(origin->authority);
    if (order->target.p)
        target = order->target;
    if (target.n == 0)
        target = STR("/");
    return call_aim(c, order->method, origin_http_scheme(origin), authority, target);
}

static enum rc begin(struct connector *k, struct call *c, const struct connector_order *order,
    char why[CONNECTOR_WHY])
{
    struct pool *pool = container_of(k, struct pool_connector, base)->pool;
    struct origin origin;
    struct str target;
    if (!pool)
        return refuse(RC_STATE, "no other server can be reached yet", why);
    if (origin_parse(order->url, &origin, &target, why))
        return RC_INVALID;
    enum rc rc = aim(c, order, &origin, target);
    if (rc == RC_INVALID)
        return refuse(rc, "the method, the host or the path is none that can be asked for", why);
    if (!rc)
        rc = pool_call(pool, &origin, &order->options, c);
    if (rc == RC_LIMIT)
        return refuse(rc, "too many calls wait for a connection to it", why);
    return rc ? refuse(rc, rc_text(rc), why) : RC_OK;
}

void pool_connector_init(struct pool_connector *k)
{
    static const struct connector_ops ops = {begin};
    *k = (struct pool_connector){{&ops}, NULL};
}

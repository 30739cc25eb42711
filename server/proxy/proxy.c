#include "proxy/proxy.h"

#include "core/check.h"
#include "core/mem.h"
#include "http/code.h"
#include "http/dispatch.h"
#include "http/exchange.h"
#include "http/forwarder.h"
#include "http/handler.h"
#include "http/part.h"
#include "http/uri.h"
#include "proxy/forward.h"
#include "proxy/pools.h"
#include "proxy/routes.h"

#include <assert.h>

struct proxy {
    struct handler base; /* of the exchanges under way */
    struct part part;
    struct forwarder forwarder;
    struct proxy_options options;
    struct routes routes;
    struct pools pools;
    struct forward_shared shared;
};

const struct proxy_options proxy_options_default = {
    .call = {.connect_timeout = 10, .response_timeout = 60, .idle_timeout = 300},
    .upstreams = {.max_failures = 3, .recovery = 10},
};

/* The handlers: one for each route, and one for the exchanges under way. */

static void refuse(struct exchange *x, int status)
{
    char text[STATUS_TEXT_SIZE];
    exchange_respond(x, status, status_text(status, text), NULL);
}

static bool on_start(struct handler *h, struct exchange *x)
{
    struct route *route = container_of(h, struct route, handler);
    const struct forward_aim aim = {.upstreams = &route->upstreams, .prefix = route->prefix};
    enum rc rc = forward_new(&route->proxy->shared, x, &aim);
    if (rc)
        refuse(x, rc == RC_INVALID ? 400 : 503);
    return true;
}

static const struct handler_ops route_ops = {.start = on_start};

static const struct handler_ops handler_ops = {
    .on_readable = forward_on_event,
    .on_writable = forward_on_event,
    .on_abort = forward_on_abort,
};

/* The part. */

/* Runs the forwards that were ready when it was called. If they queue others, part.ready says
 * so. */
static bool on_run(struct part *part)
{
    struct proxy *p = container_of(part, struct proxy, part);
    struct list now, *node;
    if (list_empty(&p->shared.ready))
        return false;
    list_init(&now);
    list_splice(&now, &p->shared.ready);
    while ((node = list_shift(&now)))
        forward_run(forward_of_queue(node));
    return false;
}

static const struct part_ops part_ops = {.run = on_run};

/* The forwarder. */

/* The path of the order's URL, and after it the order's target or, without one, the request's. */
static enum rc order_target(
    struct exchange *x, const struct forward_order *order, struct str base, struct str *out)
{
    struct request as = x->request;
    if (order->target.p)
        request_set_target(&as, order->target);
    if (uri_may_have_dots(as.path))
        return RC_INVALID;
    enum rc rc = routes_target(&as, STR("/"), base, &x->arena, out);
    return rc || uri_is_target(*out) ? rc : RC_INVALID;
}

/* Whether an invalid target is the client's fault: it is the client's own, or the handler made it
 * from a path of the client's that may have dots. */
static bool is_from_client(const struct exchange *x, const struct forward_order *order)
{
    return !order->target.p || uri_may_have_dots(x->request.path);
}

static const struct str pool_scheme = STR("upstream:");

static enum rc begin_pool(struct proxy *p, struct exchange *x, const struct forward_order *order,
    struct lender *l, char why[FORWARDER_WHY])
{
    struct str url = order->url;
    struct str name = {url.p + pool_scheme.n, url.n - pool_scheme.n};
    struct forward_aim aim = {.upstreams = pools_find(&p->pools, name),
        .prefix = STR("/"),
        .path = order->target,
        .replace = &order->fields,
        .timeout = order->timeout,
        .lender = l,
        .order = order};
    if (!aim.upstreams) {
        snprintf(why, FORWARDER_WHY, "there is no upstream pool \"%.100s\"", name.p);
        return RC_INVALID;
    }
    enum rc rc = forward_new(&p->shared, x, &aim);
    if (rc)
        snprintf(why, FORWARDER_WHY, "%s", rc_text(rc));
    return rc;
}

static enum rc begin(struct forwarder *f, struct exchange *x, const struct forward_order *order,
    struct lender *l, char why[FORWARDER_WHY])
{
    struct proxy *p = container_of(f, struct proxy, forwarder);
    if (str_starts(order->url, pool_scheme))
        return begin_pool(p, x, order, l, why);
    struct upstream only = {.failures = 0};
    struct forward_aim aim = {.only = &only,
        .replace = &order->fields,
        .timeout = order->timeout,
        .lender = l,
        .order = order};
    enum rc rc = origin_parse_base(order->url, &only.origin, &only.base, why);
    if (rc)
        return rc;
    rc = order_target(x, order, only.base, &aim.target);
    aim.malformed = rc == RC_INVALID && is_from_client(x, order);
    if (!rc || aim.malformed)
        rc = forward_new(&p->shared, x, &aim);
    if (rc)
        snprintf(why, FORWARDER_WHY, "%s",
            rc == RC_INVALID ? "the request cannot be sent on: its path or a field is malformed"
                             : rc_text(rc));
    return rc;
}

static void cancel(struct forwarder *f, struct lender *l)
{
    (void)f;
    if (l->forward)
        forward_cancel(l->forward);
}

static void proceed(struct forwarder *f, struct lender *l)
{
    (void)f;
    forward_proceed(l->forward);
}

static const struct forwarder_ops forwarder_ops = {
    .begin = begin, .proceed = proceed, .cancel = cancel};

static_assert((int)FORWARDER_WHY >= (int)ORIGIN_WHY, "begin passes on what origin_parse_base says");

/* Life. */

enum rc proxy_new(struct ev_loop *ev, const struct proxy_options *options, struct proxy **out)
{
    struct proxy *p = mem_get_zeroed(sizeof *p);
    if (!p)
        return RC_NOMEM;
    p->base = (struct handler){.ops = &handler_ops, .part = &p->part};
    p->part.ops = &part_ops;
    p->forwarder.ops = &forwarder_ops;
    p->options = *options;
    p->shared = (struct forward_shared){.handler = &p->base,
        .ev = ev,
        .rules = &p->options.upstreams,
        .options = &p->options.call,
        .pass_host = options->pass_host};
    list_init(&p->shared.ready);
    *out = p;
    return RC_OK;
}

void proxy_free(struct proxy *p)
{
    check(list_empty(&p->shared.ready));
    routes_fini(&p->routes);
    pools_fini(&p->pools);
    mem_put(p, sizeof *p);
}

enum rc proxy_add(struct proxy *p, const char *route, char why[ORIGIN_WHY])
{
    return routes_add(&p->routes, route, why);
}

enum rc proxy_add_pool(struct proxy *p, const char *pool, char why[ORIGIN_WHY])
{
    return pools_add(&p->pools, pool, why);
}

void proxy_take_prefixes(struct proxy *p, struct dispatch *d)
{
    for (struct route *route = p->routes.first; route; route = route->next) {
        route->proxy = p;
        route->handler = (struct handler){.ops = &route_ops, .part = &p->part};
        route->at = (struct dispatch_prefix){.prefix = route->prefix, .handler = &route->handler};
        dispatch_add_prefix(d, &route->at);
    }
}

void proxy_set_pool(struct proxy *p, struct pool *pool)
{
    p->shared.pool = pool;
}

void proxy_print_routes(const struct proxy *p, FILE *out)
{
    for (const struct route *route = p->routes.first; route; route = route->next) {
        for (size_t i = 0; i < route->upstreams.count; i++) {
            const struct upstream *u = &route->upstreams.list[i];
            fprintf(out, "%.*s*  %s\n", (int)route->prefix.n, route->prefix.p, u->url.p);
        }
    }
    pools_print(&p->pools, out);
}

struct part *proxy_part(struct proxy *p)
{
    return &p->part;
}

struct forwarder *proxy_forwarder(struct proxy *p)
{
    return &p->forwarder;
}

#include "proxy/proxy.h"

#include "core/mem.h"
#include "http/code.h"
#include "http/exchange.h"
#include "http/forwarder.h"
#include "http/handler.h"
#include "http/uri.h"
#include "proxy/forward.h"
#include "proxy/routes.h"

#include <assert.h>

struct proxy {
    struct handler base;
    struct forwarder forwarder;
    struct handler *next;
    struct proxy_options options;
    struct routes routes;
    struct forward_shared shared;
};

const struct proxy_options proxy_options_default = {
    .call = {.connect_timeout = 10, .response_timeout = 60, .idle_timeout = 300},
    .upstreams = {.max_failures = 3, .recovery = 10},
};

static struct proxy *of_handler(struct handler *h)
{
    return container_of(h, struct proxy, base);
}

/* The handler. */

static void refuse(struct exchange *x, int status)
{
    char text[STATUS_TEXT_SIZE];
    exchange_respond(x, status, status_text(status, text), NULL);
}

static void on_start(struct handler *h, struct exchange *x)
{
    struct proxy *p = of_handler(h);
    struct route *route = routes_find(&p->routes, x->request.path);
    if (!route && p->next) {
        x->handler = p->next;
        p->next->ops->start(p->next, x);
        return;
    }
    /* CONNECT, for one, has no path. */
    if (!route) {
        refuse(x, 501);
        return;
    }
    const struct forward_aim aim = {.upstreams = &route->upstreams, .prefix = route->prefix};
    enum rc rc = forward_new(&p->shared, x, &aim);
    if (rc)
        refuse(x, rc == RC_INVALID ? 400 : 503);
}

/* Those that were ready when the call began. */
static void run_ready(struct proxy *p)
{
    struct list now, *node;
    list_init(&now);
    list_splice(&now, &p->shared.ready);
    while ((node = list_shift(&now)))
        forward_run(forward_of_queue(node));
}

/* Once more where the next handler has lent something, so that it gets under way in this turn. */
static bool on_run(struct handler *h)
{
    struct proxy *p = of_handler(h);
    run_ready(p);
    bool more = p->next && p->next->ops->run(p->next);
    p->shared.returned = false;
    if (!list_empty(&p->shared.ready))
        run_ready(p);
    return more || p->shared.returned || !list_empty(&p->shared.ready);
}

static void on_tick(struct handler *h)
{
    struct handler *next = of_handler(h)->next;
    if (next && next->ops->tick)
        next->ops->tick(next);
}

static bool on_reload(struct handler *h, char *why, size_t why_size)
{
    struct handler *next = of_handler(h)->next;
    return !next || !next->ops->reload || next->ops->reload(next, why, why_size);
}

static void on_set_fault(struct handler *h, const char *why)
{
    struct handler *next = of_handler(h)->next;
    if (next && next->ops->set_fault)
        next->ops->set_fault(next, why);
}

static const struct handler_ops handler_ops = {
    .start = on_start,
    .on_readable = forward_on_event,
    .on_writable = forward_on_event,
    .on_abort = forward_on_abort,
    .run = on_run,
    .tick = on_tick,
    .reload = on_reload,
    .set_fault = on_set_fault,
};

/* The forwarder. */

/* The request's own target, or the order's, behind the path of the order's URL. */
static enum rc order_target(
    struct exchange *x, const struct forward_order *order, struct str base, struct str *out)
{
    struct request as = x->request;
    if (order->target.p)
        request_set_target(&as, order->target);
    if (uri_may_have_dots(as.path))
        return RC_INVALID;
    return routes_target(&as, STR("/"), base, &x->arena, out);
}

static enum rc begin(struct forwarder *f, struct exchange *x, const struct forward_order *order,
    struct lender *l, char why[FORWARDER_WHY])
{
    struct proxy *p = container_of(f, struct proxy, forwarder);
    struct upstream only = {.failures = 0};
    struct forward_aim aim = {
        .only = &only, .replace = &order->fields, .timeout = order->timeout, .lender = l};
    enum rc rc = origin_parse_base(order->url, &only.origin, &only.base, why);
    if (rc)
        return rc;
    rc = order_target(x, order, only.base, &aim.target);
    if (!rc && !uri_is_target(aim.target))
        rc = RC_INVALID;
    if (!rc)
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

static const struct forwarder_ops forwarder_ops = {.begin = begin, .cancel = cancel};

static_assert((int)FORWARDER_WHY >= (int)ORIGIN_WHY, "begin passes on what origin_parse_base says");

/* Life. */

enum rc proxy_new(struct ev_loop *ev, const struct proxy_options *options, struct proxy **out)
{
    struct proxy *p = mem_get_zeroed(sizeof *p);
    if (!p)
        return RC_NOMEM;
    p->base.ops = &handler_ops;
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
    routes_fini(&p->routes);
    mem_put(p, sizeof *p);
}

enum rc proxy_add(struct proxy *p, const char *route, char why[ORIGIN_WHY])
{
    return routes_add(&p->routes, route, why);
}

bool proxy_takes_all(const struct proxy *p)
{
    return routes_take_all(&p->routes);
}

void proxy_set_next(struct proxy *p, struct handler *next)
{
    p->next = next;
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
}

struct handler *proxy_handler(struct proxy *p)
{
    return &p->base;
}

struct forwarder *proxy_forwarder(struct proxy *p)
{
    return &p->forwarder;
}

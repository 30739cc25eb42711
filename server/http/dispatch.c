#include "http/dispatch.h"

#include "core/check.h"
#include "core/list.h"
#include "http/code.h"
#include "http/exchange.h"
#include "http/prefix.h"

static bool put_filters(const struct dispatch *d, struct exchange *x)
{
    for (struct filter_source *s = d->filters; s; s = s->next)
        if (s->put(s, x))
            return false;
    return true;
}

static void refuse(struct exchange *x, int status)
{
    char text[STATUS_TEXT_SIZE];
    exchange_respond(x, status, status_text(status, text), NULL);
}

static bool offer(struct handler *h, struct exchange *x)
{
    x->handler = h;
    return h->ops->start(h, x);
}

static bool on_start(struct handler *base, struct exchange *x)
{
    struct dispatch *d = container_of(base, struct dispatch, base);
    if (d->filters && !put_filters(d, x)) {
        refuse(x, 503);
        return true;
    }
    struct handler *h = d->first ? dispatch_find(d, x->request.path) : NULL;
    if (h && offer(h, x))
        return true;
    for (int i = 0; i < d->count; i++)
        if (offer(d->others[i], x))
            return true;
    return false;
}

/* The dispatch never keeps an exchange beyond its start, so it needs no other operation. */
static const struct handler_ops handler_ops = {.start = on_start};

void dispatch_init(struct dispatch *d)
{
    *d = (struct dispatch){.base.ops = &handler_ops};
}

void dispatch_add_prefix(struct dispatch *d, struct dispatch_prefix *p)
{
    struct dispatch_prefix **at = &d->first;
    while (*at && (*at)->prefix.n >= p->prefix.n)
        at = &(*at)->next;
    p->next = *at;
    *at = p;
    d->base.tunnels |= p->handler->tunnels;
}

void dispatch_add(struct dispatch *d, struct handler *h)
{
    check(d->count < DISPATCH_OTHERS);
    d->others[d->count++] = h;
    d->base.tunnels |= h->tunnels;
}

void dispatch_add_filters(struct dispatch *d, struct filter_source *s)
{
    struct filter_source **end = &d->filters;
    while (*end)
        end = &(*end)->next;
    s->next = NULL;
    *end = s;
}

bool dispatch_takes_all(const struct dispatch *d)
{
    return dispatch_covering(d, STR("/"));
}

const struct dispatch_prefix *dispatch_covering(const struct dispatch *d, struct str pattern)
{
    for (const struct dispatch_prefix *p = d->first; p; p = p->next)
        if (prefix_covers(p->prefix, pattern))
            return p;
    return NULL;
}

/* "/" also takes "*", which is not a path (RFC 9110 7.1). */
struct handler *dispatch_find(const struct dispatch *d, struct str path)
{
    for (const struct dispatch_prefix *p = d->first; p; p = p->next)
        if (prefix_match(p->prefix, path) || (p->prefix.n == 1 && str_eq(path, STR("*"))))
            return p->handler;
    return NULL;
}

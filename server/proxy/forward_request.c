/* The way up: the exchange's request becomes the call's. */
#include "core/clock.h"
#include "http/exchange.h"
#include "http/rpc.h"
#include "http/uri.h"
#include "proxy/forward_private.h"
#include "proxy/pool.h"
#include "proxy/routes.h"
#include "proxy/share.h"

/* The head. */

static struct str authority_of(const struct forward *f)
{
    const struct field *host = fields_find(&f->head, STR("host"));
    if (host)
        return host->value;
    if (f->shared->pass_host && f->x->request.authority.n)
        return f->x->request.authority;
    return str_of(f->upstream->origin.authority);
}

/* Borrows the fields: the exchange outlives its call. */
static enum rc set_head(struct forward *f)
{
    struct outgoing *o = &f->call.request;
    enum rc rc = RC_OK;
    for (size_t i = 0; !rc && i < f->head.count; i++) {
        const struct field *field = &f->head.list[i];
        if (str_eq(field->name, STR("content-length")))
            rc = outgoing_set_header(o, field->name, field->value);
        else if (!str_eq(field->name, STR("host")))
            rc = fields_add(&o->head, o->arena, field->name, field->value);
    }
    return rc;
}

/* The target that a lender has given, behind the upstream's base. */
static enum rc target_of_path(const struct forward *f, struct str *target)
{
    struct request as = f->x->request;
    request_set_target(&as, f->path);
    if (uri_may_have_dots(as.path))
        return RC_INVALID;
    return routes_target(&as, STR("/"), f->upstream->base, &f->x->arena, target);
}

static enum rc aim(struct forward *f)
{
    const struct request *r = &f->x->request;
    struct str target = f->target, authority = authority_of(f);
    enum rc rc = RC_OK;
    if (f->path.p)
        rc = target_of_path(f, &target);
    else if (!target.p)
        rc = routes_target(r, f->prefix, f->upstream->base, &f->x->arena, &target);
    if (rc)
        return rc;
    return call_aim(
        &f->call, r->method, origin_http_scheme(&f->upstream->origin), authority, target);
}

/* The body. */

/* Whether the body is still held back. It is not any more once the client sends it regardless. */
static bool holds_back(struct forward *f)
{
    if (f->body != FORWARD_BODY_HELD)
        return false;
    if (f->x->request.body.len || f->x->request.ended || f->state >= FORWARD_ANSWERING)
        forward_set_body(f, FORWARD_BODY_STREAMED);
    return f->body == FORWARD_BODY_HELD;
}

static enum rc end_request(struct forward *f)
{
    const struct fields *trailers = &f->x->request.trailers;
    for (size_t i = 0; i < trailers->count; i++)
        if (outgoing_append_trailer(
                &f->call.request, trailers->list[i].name, trailers->list[i].value))
            break; /* the other server accepts no trailers */
    forward_set_body(f, FORWARD_BODY_SENT);
    return call_finish(&f->call);
}

enum rc forward_send_up(struct forward *f)
{
    struct exchange *x = f->x;
    size_t n, taken;
    const char *p;
    if (holds_back(f))
        return RC_OK;
    while ((p = exchange_peek(x, &n)) && n) {
        enum rc rc = call_write(&f->call, p, n, &taken);
        if (rc)
            return rc;
        exchange_consume(x, taken);
        if (taken < n)
            return RC_OK;
    }
    if (!x->request.ended) {
        exchange_want_body(x);
        return RC_OK;
    }
    return end_request(f);
}

/* The call. */

/* Whether another upstream can be asked if this one refuses the call. */
static bool has_others(const struct forward *f)
{
    return f->upstreams && f->upstreams->count > 1 && !f->retried;
}

static struct call_options options_of(const struct forward *f)
{
    struct call_options options = *f->shared->options;
    if (f->timeout > 0)
        options.response_timeout = options.idle_timeout = f->timeout;
    options.client = share_client(f->x->peer->remote);
    options.elsewhere = has_others(f);
    return options;
}

void forward_pick(struct forward *f)
{
    if (f->upstreams)
        f->upstream = upstreams_pick(f->upstreams, f->upstream, clock_monotonic());
}

bool forward_awaits_body(const struct forward *f)
{
    const struct request *r = &f->x->request;
    if (r->ended || r->body.len || f->hurried || f->body == FORWARD_BODY_HELD || rpc_is_stream(r))
        return false;
    return !pool_shares(f->shared->pool, &f->upstream->origin, f->shared->options);
}

static enum rc make(struct forward *f)
{
    const struct call_options options = options_of(f);
    return pool_call(f->shared->pool, &f->upstream->origin, &options, &f->call);
}

enum rc forward_begin(struct forward *f)
{
    call_init(&f->call, &forward_call_ops);
    f->call.keeps = f->retry.count > 0;
    forward_set_state(f, FORWARD_CALLING);
    enum rc rc = aim(f);
    if (!rc)
        rc = set_head(f);
    if (!rc)
        rc = forward_send_up(f);
    if (!rc && f->call.request.state == OUTGOING_OPEN)
        rc = call_flush(&f->call); /* the other server may answer before the body comes */
    return rc ? rc : make(f);
}

enum rc forward_begin_again(struct forward *f)
{
    enum rc rc = f->call.began ? call_again(&f->call) : call_rewind(&f->call);
    if (rc)
        return rc;
    forward_pick(f);
    rc = aim(f);
    return rc ? rc : make(f);
}

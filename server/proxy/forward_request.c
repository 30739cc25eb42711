/* The half of a forward that goes up: the exchange's request becomes the call's. */
#include "core/clock.h"
#include "http/exchange.h"
#include "proxy/forward_private.h"
#include "proxy/pool.h"
#include "proxy/routes.h"

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

/* By reference: the exchange outlives its call. */
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

static enum rc aim(struct forward *f)
{
    const struct request *r = &f->x->request;
    struct str target = f->target, authority = authority_of(f);
    enum rc rc = RC_OK;
    if (!target.p)
        rc = routes_target(r, f->prefix, f->upstream->base, &f->x->arena, &target);
    if (rc)
        return rc;
    return call_aim(
        &f->call, r->method, origin_http_scheme(&f->upstream->origin), authority, target);
}

/* The body. */

/* What went up before goes up again. */
static enum rc send_kept(struct forward *f)
{
    size_t n, taken = 0;
    enum rc rc = RC_OK;
    struct bytes again;
    bytes_init(&again, FORWARD_KEPT);
    for (const char *p; !rc && (p = bytes_front(&f->kept, &n)) && n; bytes_drop(&f->kept, n)) {
        rc = call_write(&f->call, p, n, &taken);
        if (!rc)
            rc = taken < n ? RC_LIMIT : bytes_append(&again, p, n);
    }
    bytes_fini(&f->kept);
    f->kept = again;
    return rc;
}

/* Whether the body is still held back. A client that sends it all the same ends that. */
static bool holds_back(struct forward *f)
{
    if (f->expects && (f->x->request.body.len || f->x->request.ended || f->answering))
        f->expects = false;
    return f->expects;
}

static enum rc end_request(struct forward *f)
{
    const struct fields *trailers = &f->x->request.trailers;
    for (size_t i = 0; i < trailers->count; i++)
        if (outgoing_append_trailer(
                &f->call.request, trailers->list[i].name, trailers->list[i].value))
            break; /* the other server takes none */
    f->sent = true;
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
        if (f->keeps && bytes_append(&f->kept, p, taken)) {
            f->keeps = false;
            bytes_fini(&f->kept);
        }
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

static struct call_options options_of(const struct forward *f)
{
    struct call_options options = *f->shared->options;
    if (f->timeout > 0)
        options.response_timeout = options.idle_timeout = f->timeout;
    return options;
}

static void pick(struct forward *f)
{
    if (f->upstreams)
        f->upstream = upstreams_pick(f->upstreams, f->upstream, clock_monotonic());
}

static enum rc make(struct forward *f)
{
    const struct call_options options = options_of(f);
    return pool_call(f->shared->pool, &f->upstream->origin, &options, &f->call);
}

enum rc forward_begin(struct forward *f)
{
    pick(f);
    call_init(&f->call, &forward_call_ops);
    f->begun = true;
    f->over = f->sent = false;
    enum rc rc = aim(f);
    if (!rc)
        rc = set_head(f);
    if (!rc)
        rc = send_kept(f);
    if (!rc)
        rc = forward_send_up(f);
    if (!rc && f->call.request.state == OUTGOING_OPEN)
        rc = call_flush(&f->call); /* the other server may answer before there is a body */
    return rc ? rc : make(f);
}

enum rc forward_begin_again(struct forward *f)
{
    enum rc rc = call_rewind(&f->call);
    if (rc)
        return rc;
    pick(f);
    f->over = false;
    rc = aim(f);
    return rc ? rc : make(f);
}

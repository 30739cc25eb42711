#include "proxy/site.h"

#include "core/clock.h"
#include "core/mem.h"
#include "http/session.h"
#include "net/tls.h"

#include <stdio.h>
#include <string.h>
#include <sys/un.h>

/* Seconds that addresses are used before a name is looked up again. */
static const double lookup_seconds = 10;

void site_dirty(struct site *s)
{
    if (!list_linked(&s->dirty))
        list_append(&s->pool->dirty, &s->dirty);
    loop_again(s->pool->loop);
}

static struct ticket *first_waiting(struct site *s)
{
    return container_of(s->waiting.next, struct ticket, link);
}

static void fail_all(struct site *s, const char *why)
{
    while (!list_empty(&s->waiting))
        ticket_fail(first_waiting(s), CALL_UNREACHABLE, why);
}

/* Connections. */

static struct pool_conn *conn_of(struct dial *d)
{
    return container_of(d, struct pool_conn, dial);
}

/* To the front: the others idle until they are too many. */
static void move(struct pool_conn *pc, struct list *list)
{
    list_remove(&pc->link);
    list_append(list->next, &pc->link);
}

static void free_conn(struct pool_conn *pc)
{
    list_remove(&pc->link);
    pc->site->conns--;
    mem_put(pc, sizeof *pc);
}

static bool has_room(const struct pool_conn *pc)
{
    const struct session *session = pc->dial.session;
    uint32_t most = pc->site->pool->limits->max_streams;
    return (most == 0 || pc->calls < most) && session->client->room(session);
}

static void settle(struct pool_conn *pc)
{
    struct site *s = pc->site;
    move(pc, has_room(pc) ? &s->free : &s->busy);
    if (s->waits)
        site_dirty(s);
}

static void on_opened(struct dial *d)
{
    struct pool_conn *pc = conn_of(d);
    struct site *s = pc->site;
    pc->open = true;
    s->opening--;
    s->shares = d->session->client->room(d->session) > 1;
    pc->idle_since = clock_recent();
    settle(pc);
}

static void on_changed(struct dial *d)
{
    settle(conn_of(d));
}

/* One that could not be opened was to serve one call at least; where there is no other, none has a
 * chance. */
static void fail_opening(struct site *s, const char *why)
{
    if (s->conns == 0)
        fail_all(s, why);
    else if (s->waits)
        ticket_fail(first_waiting(s), CALL_UNREACHABLE, why);
}

static void on_closed(struct dial *d, const char *why)
{
    struct pool_conn *pc = conn_of(d);
    struct site *s = pc->site;
    bool was_open = pc->open;
    s->opening -= !was_open;
    free_conn(pc);
    if (!was_open)
        fail_opening(s, why);
    site_dirty(s);
}

static const struct dial_ops dial_ops = {
    .opened = on_opened,
    .changed = on_changed,
    .closed = on_closed,
};

static enum protocol protocol_of(const struct site *s)
{
    if (s->version == CALL_HTTP_2 || s->origin.scheme == ORIGIN_H2C)
        return PROTOCOL_HTTP_2;
    bool by_alpn = s->version == CALL_ANY_HTTP && s->origin.scheme == ORIGIN_HTTPS;
    return by_alpn ? PROTOCOL_UNKNOWN : PROTOCOL_HTTP_1;
}

static bool set_tls(struct site *s, struct dial_to *to, char why[SITE_WHY])
{
    if (s->origin.scheme != ORIGIN_HTTPS)
        return true;
    to->tls = pool_tls(s->pool, s->insecure, s->cas, why);
    to->host = s->origin.host;
    return to->tls;
}

static bool open_conn(struct site *s, char why[SITE_WHY])
{
    struct pool_conn *pc = mem_get_zeroed(sizeof *pc);
    snprintf(why, SITE_WHY, "%s", rc_text(RC_NOMEM));
    if (!pc)
        return false;
    dial_init(&pc->dial, s->pool->loop, &dial_ops);
    struct dial_to *to = &pc->dial.to;
    memcpy(to->addresses, s->lookup.list, s->lookup.count * sizeof *s->lookup.list);
    to->count = s->lookup.count;
    to->protocol = protocol_of(s);
    to->timeout = first_waiting(s)->connect_timeout;
    if (!set_tls(s, to, why) || dial_start(&pc->dial)) {
        mem_put(pc, sizeof *pc);
        return false;
    }
    pc->site = s;
    list_append(&s->busy, &pc->link);
    s->conns++;
    s->opening++;
    s->pool->stats.opened++;
    return true;
}

/* Addresses. */

static void on_found(struct lookup *l, const char *why)
{
    struct site *s = container_of(l, struct site, lookup);
    s->looked_up = clock_recent();
    if (l->count == 0)
        fail_all(s, why);
    site_dirty(s);
}

static void set_path(struct site *s)
{
    struct sockaddr_un *address = (struct sockaddr_un *)&s->lookup.list[0];
    address->sun_family = AF_UNIX;
    snprintf(address->sun_path, sizeof address->sun_path, "%.*s", (int)sizeof address->sun_path - 1,
        s->origin.host);
    s->lookup.count = 1;
}

/* Whether there are addresses to dial; where they are asked for, on_found tells. */
static bool has_addresses(struct site *s)
{
    double age = clock_recent() - s->looked_up;
    if (s->origin.scheme == ORIGIN_UNIX) {
        set_path(s);
        return true;
    }
    if (s->lookup.query || (s->looked_up && s->lookup.count && age < lookup_seconds))
        return !s->lookup.query;
    struct pool *p = s->pool;
    if ((!p->resolver && resolver_new(p->loop->ev, NULL, &p->resolver)) ||
        lookup_start(&s->lookup, p->resolver, s->origin.host, s->origin.port))
        fail_all(s, "names cannot be resolved");
    return false;
}

/* Calls. */

static void give(struct pool_conn *pc, struct ticket *t)
{
    struct session *session = pc->dial.session;
    if (session->client->begin(session, t->call))
        ticket_fail(t, CALL_UNREACHABLE, rc_text(RC_NOMEM));
    else
        ticket_taken(t, pc);
}

static void give_all(struct site *s)
{
    while (s->waits && !list_empty(&s->free)) {
        struct pool_conn *pc = container_of(s->free.next, struct pool_conn, link);
        if (has_room(pc))
            give(pc, first_waiting(s));
        if (!has_room(pc))
            move(pc, &s->busy);
    }
}

/* Whether another connection would help: where each carries many calls, or it is not known whether
 * it does, the one that is being opened is awaited. */
static bool wants_conn(const struct site *s)
{
    uint32_t most = s->pool->limits->max_conns;
    if (s->waits <= s->opening || (most && s->conns >= most))
        return false;
    bool one_by_one = !s->shares && (s->conns > s->opening || protocol_of(s) == PROTOCOL_HTTP_1);
    return one_by_one || s->opening == 0;
}

void site_run(struct site *s)
{
    char why[SITE_WHY];
    give_all(s);
    while (wants_conn(s) && has_addresses(s))
        if (!open_conn(s, why)) {
            fail_all(s, why);
            return;
        }
}

/* Life. */

static char *copy_text(const char *text)
{
    char *copy = mem_get(strlen(text) + 1);
    if (copy)
        strcpy(copy, text);
    return copy;
}

static struct site *new_site(
    struct pool *p, const struct origin *origin, const struct call_options *options)
{
    struct site *s = mem_get_zeroed(sizeof *s);
    char *cas = s && options->cas ? copy_text(options->cas) : NULL;
    if (!s || (options->cas && !cas)) {
        mem_put(s, sizeof *s);
        return NULL;
    }
    s->pool = p;
    s->origin = *origin;
    s->version = options->version;
    s->insecure = options->insecure;
    s->cas = cas;
    s->lookup.done = on_found;
    list_init(&s->dirty);
    list_init(&s->free);
    list_init(&s->busy);
    list_init(&s->waiting);
    list_append(&p->sites, &s->link);
    return s;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

struct site *site_of(
    struct pool *p, const struct origin *origin, const struct call_options *options)
{
    for (struct list *node = p->sites.next; node != &p->sites; node = node->next) {
        struct site *s = container_of(node, struct site, link);
        if (origin_same(&s->origin, origin) && s->version == options->version &&
            s->insecure == options->insecure && same_text(s->cas, options->cas))
            return s;
    }
    return new_site(p, origin, options);
}

bool site_is_empty(const struct site *s)
{
    return s->conns == 0 && s->waits == 0 && !s->lookup.query;
}

static void cancel_conns(struct list *conns)
{
    while (!list_empty(conns)) {
        struct pool_conn *pc = container_of(conns->next, struct pool_conn, link);
        dial_cancel(&pc->dial, cut_of(CUT_SHUTDOWN));
        free_conn(pc);
    }
}

void site_free(struct site *s)
{
    cancel_conns(&s->free);
    cancel_conns(&s->busy);
    fail_all(s, "shutdown");
    lookup_cancel(&s->lookup);
    list_remove(&s->link);
    list_remove(&s->dirty);
    if (s->cas)
        mem_put(s->cas, strlen(s->cas) + 1);
    mem_put(s, sizeof *s);
}

void site_sweep(struct site *s, double now)
{
    const struct pool_limits *limits = s->pool->limits;
    uint32_t idle = 0;
    for (struct list *node = s->free.next, *next; node != &s->free; node = next) {
        struct pool_conn *pc = container_of(node, struct pool_conn, link);
        next = node->next;
        if (pc->calls)
            continue;
        bool old = limits->idle_timeout > 0 && now - pc->idle_since > limits->idle_timeout;
        if (old || (limits->max_idle && ++idle > limits->max_idle))
            dial_shut_down(&pc->dial);
    }
}

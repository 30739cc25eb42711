#include "proxy/site.h"

#include "core/check.h"
#include "core/clock.h"
#include "core/mem.h"
#include "http/session.h"
#include "net/tls.h"

#include <stdio.h>
#include <string.h>

/* Seconds for which a connection that refused a call gets no other, unless one of its calls
 * ends. */
static const double pause_seconds = 0.1;

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

void site_fail_waiting(struct site *s, const char *why)
{
    while (!list_empty(&s->waiting))
        ticket_fail(first_waiting(s), CALL_UNREACHABLE, why);
}

/* Also fails the calls that pause before they are made again. */
static void fail_paused(struct site *s, const char *why)
{
    while (!list_empty(&s->paused))
        ticket_fail(container_of(s->paused.next, struct ticket, link), CALL_UNREACHABLE, why);
}

/* Connections. */

static struct pool_conn *conn_of(struct dial *d)
{
    return container_of(d, struct pool_conn, dial);
}

/* Moves to the front, so that the connections at the back stay idle and are closed. Where calls go
 * round the addresses, each connection keeps its turn. */
static void move(struct pool_conn *pc, struct list *list)
{
    bool keeps_turn = pc->site->spread;
    if (keeps_turn && pc->in == list)
        return;
    list_remove(&pc->link);
    if (keeps_turn)
        list_append(list, &pc->link);
    else
        list_prepend(list, &pc->link);
    pc->in = list;
}

static void free_conn(struct pool_conn *pc)
{
    struct site *s = pc->site;
    check(s->conns > 0);
    list_remove(&pc->link);
    s->conns--;
    s->opening -= pc->awaited;
    s->going -= pc->going;
    mem_put(pc, sizeof *pc);
}

static bool has_room(const struct pool_conn *pc)
{
    const struct session *session = pc->dial.session;
    uint32_t most = pc->site->pool->limits->max_streams;
    return !pc->refused && (most == 0 || pc->calls < most) && session->client->room(session);
}

/* Learns from a connection how many calls it carries: those still to be opened will carry as
 * many. */
static void learn(struct pool_conn *pc)
{
    struct site *s = pc->site;
    const struct session *session = pc->dial.session;
    uint32_t most = s->pool->limits->max_streams, carries;
    bool going = session->client->is_going(session);
    if (!session->client->carries(session, &carries) && !going)
        return;
    s->opening -= pc->awaited;
    pc->awaited = false;
    if (going) {
        s->going += !pc->going;
        pc->going = true;
        return;
    }
    s->carries = most && carries > most ? most : carries;
    s->known = true;
}

static void settle(struct pool_conn *pc)
{
    struct site *s = pc->site;
    learn(pc);
    move(pc, has_room(pc) ? &s->free : &s->busy);
    if (s->waits)
        site_dirty(s);
}

void site_left(struct pool_conn *pc)
{
    pc->refused = 0;
    if (pc->dial.session)
        settle(pc);
}

static void on_opened(struct dial *d)
{
    struct pool_conn *pc = conn_of(d);
    check(!pc->open);
    pc->open = true;
    pc->site->shares = d->session->client->shares;
    pc->idle_since = clock_recent();
    settle(pc);
}

static void on_changed(struct dial *d)
{
    settle(conn_of(d));
}

/* A connection could not be opened, so the first waiting call fails. If there is no other
 * connection, all of them fail. */
static void fail_opening(struct site *s, const char *why)
{
    bool has_other = s->spread && !spread_is_out(s->spread, clock_recent());
    if (has_other)
        return;
    if (s->conns == 0)
        site_fail_waiting(s, why);
    else if (s->waits)
        ticket_fail(first_waiting(s), CALL_UNREACHABLE, why);
}

static void on_closed(struct dial *d, const char *why)
{
    struct pool_conn *pc = conn_of(d);
    struct site *s = pc->site;
    bool was_open = pc->open;
    if (s->spread)
        spread_closed(s->spread, &d->to.addresses[0], !was_open, clock_recent());
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

/* one is where the connection goes; NULL for all addresses, the first to answer. */
static bool open_conn(struct site *s, struct spread_address *one, char why[SITE_WHY])
{
    struct pool_conn *pc = mem_get_zeroed(sizeof *pc);
    snprintf(why, SITE_WHY, "%s", rc_text(RC_NOMEM));
    if (!pc)
        return false;
    list_init(&pc->link);
    dial_init(&pc->dial, s->pool->loop, &dial_ops);
    struct dial_to *to = &pc->dial.to;
    site_aim(s, to, one);
    to->protocol = protocol_of(s);
    to->timeout = first_waiting(s)->connect_timeout;
    if (!set_tls(s, to, why) || dial_start(&pc->dial)) {
        mem_put(pc, sizeof *pc);
        return false;
    }
    pc->site = s;
    list_append(&s->busy, &pc->link);
    pc->in = &s->busy;
    pc->awaited = true;
    s->conns++;
    s->opening++;
    if (one)
        one->conns++;
    s->pool->stats.opened++;
    return true;
}

/* Calls. */

static void give(struct pool_conn *pc, struct ticket *t)
{
    struct session *session = pc->dial.session;
    if (session->client->begin(session, t->call))
        ticket_fail(t, CALL_UNREACHABLE, rc_text(RC_NOMEM));
    else
        ticket_taken(t, pc);
    if (pc->site->spread && pc->in == &pc->site->free) {
        list_remove(&pc->link);
        list_append(pc->in, &pc->link);
    }
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

bool site_shares(const struct site *s)
{
    return protocol_of(s) == PROTOCOL_HTTP_2 || s->shares;
}

uint32_t site_carries(const struct site *s)
{
    uint32_t most = s->pool->limits->max_streams;
    if (s->known)
        return s->carries ? s->carries : 1;
    return site_shares(s) && most ? most : 1;
}

bool site_is_open(const struct site *s)
{
    return s->conns > s->opening + s->going;
}

/* How many calls the connections being opened will take; if that is not known, all of them. */
static uint64_t expected(const struct site *s)
{
    if (s->opening == 0)
        return 0;
    if (!s->known && protocol_of(s) != PROTOCOL_HTTP_1)
        return UINT64_MAX;
    return (uint64_t)s->opening * site_carries(s);
}

/* Whether another connection would help. It would not if the other server accepts no calls for now:
 * it would say the same on a new connection. */
static bool wants_conn(const struct site *s)
{
    uint32_t most = s->pool->limits->max_conns;
    bool is_closed = s->known && s->carries == 0 && s->conns > s->going;
    return s->waits > expected(s) && !(most && s->conns >= most) && !is_closed;
}

/* If calls go round the addresses, each that works gets a connection as soon as there are calls. */
static bool open_bare(struct site *s, char why[SITE_WHY])
{
    struct spread_address *bare;
    while ((bare = site_bare_address(s)))
        if (!open_conn(s, bare, why))
            return false;
    return true;
}

void site_run(struct site *s)
{
    char why[SITE_WHY];
    bool opened = open_bare(s, why);
    give_all(s);
    while (opened && wants_conn(s) && site_has_addresses(s))
        opened = open_conn(s, site_next_address(s), why);
    if (!opened)
        site_fail_waiting(s, why);
}

/* Refusals. */

static void end_pauses(struct list *conns, double now)
{
    for (struct list *node = conns->next, *next; node != conns; node = next) {
        struct pool_conn *pc = container_of(node, struct pool_conn, link);
        next = node->next;
        if (pc->refused && now - pc->refused >= pause_seconds)
            site_left(pc);
    }
}

static bool has_refused(const struct site *s)
{
    for (const struct list *node = s->busy.next; node != &s->busy; node = node->next)
        if (container_of((struct list *)node, struct pool_conn, link)->refused)
            return true;
    return false;
}

static void on_pause(struct timer *timer)
{
    struct site *s = container_of(timer, struct site, pause);
    double now = clock_recent();
    end_pauses(&s->busy, now);
    for (struct list *node = s->paused.next, *next; node != &s->paused; node = next) {
        struct ticket *t = container_of(node, struct ticket, link);
        next = node->next;
        if (t->rested <= now)
            ticket_wait(t, false);
    }
    if (!list_empty(&s->paused) || has_refused(s))
        timer_start(&s->pause, pause_seconds);
}

void site_refused(struct site *s, struct pool_conn *pc)
{
    if (pc && pc->dial.session) {
        pc->refused = clock_recent();
        settle(pc);
    }
    timer_start(&s->pause, pause_seconds);
}

/* Life. */

static void free_parts(struct site *s)
{
    mem_free(s->cas);
    mem_put(s->spread, sizeof *s->spread);
    mem_put(s, sizeof *s);
}

/* What a site has in memory of its own. */
static bool make_parts(struct site *s, const struct call_options *options)
{
    s->cas = options->cas ? mem_strdup(options->cas) : NULL;
    s->spread = options->spread ? mem_get_zeroed(sizeof *s->spread) : NULL;
    return (s->cas || !options->cas) && (s->spread || !options->spread);
}

static struct site *new_site(
    struct pool *p, const struct origin *origin, const struct call_options *options)
{
    struct site *s = mem_get_zeroed(sizeof *s);
    if (!s)
        return NULL;
    if (!make_parts(s, options)) {
        free_parts(s);
        return NULL;
    }
    s->pool = p;
    s->origin = *origin;
    s->version = options->version;
    s->insecure = options->insecure;
    s->lookup.done = site_found;
    list_init(&s->link);
    list_init(&s->dirty);
    list_init(&s->free);
    list_init(&s->busy);
    list_init(&s->waiting);
    list_init(&s->paused);
    timer_init(&s->pause, p->loop->ev, on_pause);
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
            s->insecure == options->insecure && (s->spread != NULL) == options->spread &&
            same_text(s->cas, options->cas))
            return s;
    }
    return new_site(p, origin, options);
}

bool site_is_empty(const struct site *s)
{
    return s->conns == 0 && s->waits == 0 && s->held == 0 && list_empty(&s->paused) &&
           !s->lookup.query;
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
    site_fail_waiting(s, "shutdown");
    check(s->conns == 0 && s->waits == 0);
    fail_paused(s, "shutdown");
    timer_stop(&s->pause);
    lookup_cancel(&s->lookup);
    list_remove(&s->link);
    list_remove(&s->dirty);
    free_parts(s);
}

void site_distrust(struct site *s, double since)
{
    for (struct list *node = s->free.next, *next; node != &s->free; node = next) {
        struct pool_conn *pc = container_of(node, struct pool_conn, link);
        next = node->next;
        if (pc->calls == 0 && pc->idle_since <= since)
            dial_shut_down(&pc->dial);
    }
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

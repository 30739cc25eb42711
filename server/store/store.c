#include "store/store.h"

#include "core/check.h"
#include "core/clock.h"
#include "core/mem.h"
#include "net/descriptor.h"
#include "net/timer.h"
#include "store/area.h"
#include "store/engine.h"

#include <stdio.h>
#include <unistd.h>

struct store {
    struct ev_loop *ev;
    struct store_options options;
    struct store_url url;
    const struct area *area; /* NULL where it cannot be used */
    struct area_page *page;  /* NULL until it is */
    int slot;
    uint64_t nonce;
    struct engine *memory, *maps;
    struct engine *of[SPACES]; /* one of the two */
    struct hub hub;
    struct descriptor wakes;
    struct timer tick; /* once a second */
    struct timer poll; /* runs while there are subscriptions, and nobody wakes us */
    struct list waiters;
    struct list limits; /* struct named_limit */
};

struct named_limit {
    struct list link;
    struct store_limit numbers;
    size_t n;
    char name[STORE_NAME];
};

static const double tick_seconds = 1, soon = 0.005, poll_seconds = 0.01;

/* A holder of a lock may stand still for half of what would end those that wait for it. */
static unsigned patience_of(const struct store_options *o)
{
    double tenths = o->heartbeat_timeout * 10 / 2;
    return o->heartbeat_timeout <= 0 || tenths > 50 ? 50 : tenths < 1 ? 1 : (unsigned)tenths;
}

/* What wakes it. */

static void wake_waiters(struct store *s)
{
    struct list now, *node;
    list_init(&now);
    list_splice(&now, &s->waiters);
    while ((node = list_shift(&now))) {
        struct store_waiter *w = container_of(node, struct store_waiter, link);
        w->wake(w);
    }
}

static struct area_slot *own_slot(struct store *s)
{
    return s->slot == AREA_NONE ? NULL : &s->page->slots[s->slot];
}

/* First it may be told anew, and then it looks: nothing falls between. */
static void look(struct store *s)
{
    struct area_slot *slot = own_slot(s);
    if (slot)
        atomic_store(&slot->is_told, false);
    hub_drain(&s->hub);
    wake_waiters(s);
}

static void on_wake(struct descriptor *d, unsigned events)
{
    (void)events;
    struct store *s = container_of(d, struct store, wakes);
    uint64_t count;
    ssize_t n = read(s->area->wakes[s->slot], &count, sizeof count);
    (void)n; /* where another reads it, it is this process's slot no more than before */
    look(s);
}

static bool tick_engine(struct engine *e)
{
    return e->ops->tick && e->ops->tick(e);
}

static void on_tick(struct timer *t)
{
    struct store *s = container_of(t, struct store, tick);
    bool more = tick_engine(s->memory);
    if (s->maps != s->memory)
        more |= tick_engine(s->maps);
    look(s); /* whoever wrote was perhaps killed before it told */
    timer_start(t, more ? soon : tick_seconds);
}

static bool is_woken(const struct store *s)
{
    return s->slot != AREA_NONE && s->slot < s->area->wake_count;
}

static void on_poll(struct timer *t)
{
    struct store *s = container_of(t, struct store, poll);
    look(s);
    if (s->hub.subscriptions)
        timer_start(t, poll_seconds);
}

/* Opening. */

static void claim_slot(struct store *s)
{
    s->slot = area_claim(s->page);
    if (s->slot != AREA_NONE)
        s->nonce = atomic_load(&s->page->slots[s->slot].nonce);
}

static enum rc open_maps(struct store *s, char why[STORE_WHY])
{
    s->maps = s->memory;
    if (s->url.place == STORE_IN_REDIS)
        s->maps = remote_engine();
    if (s->url.place != STORE_IN_FILE)
        return RC_OK;
    return file_open(s->url.path, s->options.size, s->page, &s->maps, why);
}

/* What ends with the processes is in memory. */
static void give_spaces(struct store *s)
{
    struct engine *others = s->url.place == STORE_IN_REDIS ? s->maps : s->memory;
    for (int i = 0; i < SPACES; i++)
        s->of[i] = others;
    s->of[SPACE_MAP] = s->maps;
    s->of[SPACE_HEALTH] = s->memory;
}

static enum rc open_engines(struct store *s, char why[STORE_WHY])
{
    enum rc rc = memory_open(s->area, s->page, patience_of(&s->options), &s->memory, why);
    if (!rc)
        rc = open_maps(s, why);
    if (!rc)
        give_spaces(s);
    return rc;
}

static void close_one(struct engine *e)
{
    if (e && e->ops->close)
        e->ops->close(e);
}

static void close_engines(struct store *s)
{
    if (s->maps != s->memory)
        close_one(s->maps);
    close_one(s->memory);
    s->maps = s->memory = NULL;
}

static void leave(struct store *s)
{
    close_engines(s);
    hub_fini(&s->hub);
    if (s->slot != AREA_NONE)
        area_leave(s->page, s->slot);
    area_unmap(s->page);
    s->page = NULL;
}

static void watch(struct store *s)
{
    timer_init(&s->tick, s->ev, on_tick);
    timer_init(&s->poll, s->ev, on_poll);
    descriptor_init(&s->wakes, s->ev, on_wake);
    timer_start(&s->tick, tick_seconds);
    if (is_woken(s))
        descriptor_watch(&s->wakes, s->area->wakes[s->slot], DESCRIPTOR_READABLE);
}

static enum rc enter(struct store *s, char why[STORE_WHY])
{
    claim_slot(s);
    enum rc rc = open_engines(s, why);
    if (!rc) {
        rc = hub_init(&s->hub, s->page, s->slot);
        snprintf(why, STORE_WHY, "%s", rc_text(rc));
    }
    if (rc)
        leave(s);
    else
        watch(s);
    return rc;
}

enum rc store_use(struct store *s, char why[STORE_WHY])
{
    if (s->page)
        return RC_OK;
    snprintf(why, STORE_WHY, "there is no store here");
    if (!s->area || !s->ev)
        return RC_STATE;
    s->page = area_map(s->area);
    snprintf(why, STORE_WHY, "%s", rc_text(RC_SYSTEM));
    return s->page ? enter(s, why) : RC_SYSTEM;
}

enum rc store_new(struct ev_loop *ev, const struct store_options *o, const struct area *a,
    struct store **out, char why[STORE_WHY])
{
    struct store_url url;
    enum rc rc = store_url_parse(o->url, &url, why);
    if (rc)
        return rc;
    struct store *s = mem_get_zeroed(sizeof *s);
    if (!s)
        return RC_NOMEM;
    *s = (struct store){.ev = ev, .options = *o, .url = url, .area = a, .slot = AREA_NONE};
    list_init(&s->waiters);
    list_init(&s->limits);
    if (a && url.place == STORE_IN_FILE)
        rc = store_use(s, why);
    if (rc)
        store_free(s);
    else
        *out = s;
    return rc;
}

const char *store_remote(const struct store *s)
{
    return s->url.place == STORE_IN_REDIS ? s->options.url : NULL;
}

void store_free(struct store *s)
{
    if (s->page) {
        timer_stop(&s->tick);
        timer_stop(&s->poll);
        descriptor_stop(&s->wakes);
        leave(s);
    }
    for (struct list *node; (node = list_shift(&s->limits));)
        mem_put(container_of(node, struct named_limit, link), sizeof(struct named_limit));
    mem_put(s, sizeof *s);
}

/* Limits. */

static struct named_limit *find_limit(struct store *s, struct str name)
{
    for (struct list *node = s->limits.next; node != &s->limits; node = node->next) {
        struct named_limit *l = container_of(node, struct named_limit, link);
        if (str_eq((struct str){l->name, l->n}, name))
            return l;
    }
    return NULL;
}

static struct named_limit *add_limit(struct store *s, struct str name)
{
    struct named_limit *l = mem_get_zeroed(sizeof *l);
    check(name.n <= STORE_NAME);
    if (!l)
        return NULL;
    list_init(&l->link);
    memcpy(l->name, name.p, name.n);
    l->n = name.n;
    list_append(&s->limits, &l->link);
    return l;
}

struct store_limit *store_set_limit(
    struct store *s, struct str name, const struct store_limit *numbers)
{
    struct named_limit *l = find_limit(s, name);
    if (!l)
        l = add_limit(s, name);
    if (!l)
        return NULL;
    l->numbers = *numbers;
    return &l->numbers;
}

/* Operations. */

static struct engine *engine_of(struct store *s, const struct store_op *op)
{
    return s->of[(unsigned char)op->key.p[0]];
}

bool store_carry_out(struct store *s, struct store_op *op)
{
    struct engine *e = engine_of(s, op);
    check_hot(s->page);
    return e->ops->carry_out(e, op);
}

void store_start(struct store *s, struct store_op *op)
{
    struct engine *e = engine_of(s, op);
    e->ops->start(e, op);
}

struct store_owner store_new_owner(struct store *s)
{
    return (struct store_owner){s->slot, s->nonce, atomic_fetch_add(&s->page->locks, 1) + 1};
}

static _Atomic uint64_t *contended(struct store *s, struct str key)
{
    return &s->page->contended[ring_topic(key)];
}

void store_ask_way(struct store *s, struct str key)
{
    static const double moment = 0.05;
    atomic_store(contended(s, key), (uint64_t)((clock_monotonic() + moment) * 1e9));
}

bool store_gives_way(struct store *s, struct str key)
{
    uint64_t until = atomic_load_explicit(contended(s, key), memory_order_relaxed);
    return until && until > (uint64_t)(clock_monotonic() * 1e9);
}

void store_tell_waiters(struct store *s)
{
    int32_t claimed = atomic_load(&s->page->claimed);
    for (int i = 0; i < claimed; i++)
        if (atomic_load_explicit(&s->page->slots[i].wants_locks, memory_order_relaxed))
            area_tell(s->area, s->page, i);
}

void store_await(struct store *s, struct store_waiter *w)
{
    struct area_slot *slot = own_slot(s);
    list_init(&w->link);
    list_append(&s->waiters, &w->link);
    if (slot)
        atomic_store(&slot->wants_locks, true);
}

void store_stop_awaiting(struct store *s, struct store_waiter *w)
{
    struct area_slot *slot = own_slot(s);
    list_remove(&w->link);
    if (slot && list_empty(&s->waiters))
        atomic_store(&slot->wants_locks, false);
}

/* Messages. */

/* Whoever was killed in the middle has perhaps not told the others. */
static void tell_subscribers(struct store *s, uint32_t topic, bool all)
{
    int32_t claimed = atomic_load(&s->page->claimed);
    for (int i = 0; i < claimed; i++) {
        struct area_slot *slot = &s->page->slots[i];
        if (all)
            atomic_store(&slot->is_told, false);
        if (atomic_load(&slot->topics[topic / 64]) & (uint64_t)1 << topic % 64)
            area_tell(s->area, s->page, i);
    }
}

void store_publish(struct store *s, struct str channel, struct str message)
{
    hub_keep_up(&s->hub);
    bool died = robust_lock(&s->page->telling, patience_of(&s->options));
    ring_write(&s->page->ring, channel, message);
    tell_subscribers(s, ring_topic(channel), died);
    robust_unlock(&s->page->telling);
}

enum rc store_subscribe(struct store *s, struct hub_subscription *sub, struct str channel)
{
    enum rc rc = hub_subscribe(&s->hub, sub, channel);
    if (!rc && !is_woken(s))
        timer_start(&s->poll, poll_seconds);
    return rc;
}

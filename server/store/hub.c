#include "store/hub.h"

#include "core/check.h"
#include "core/mem.h"

enum { BUCKETS = 1024, FIRST_ROOM = 8, BEHIND = RING_SIZE / 4 };

struct hub_channel {
    struct list link; /* of its bucket */
    struct list subscriptions;
    uint32_t topic;
    size_t n;
    char name[];
};

struct hub_message {
    size_t users;
    size_t n;
    char text[];
};

static struct hub_channel *channel_of(struct list *node)
{
    return container_of(node, struct hub_channel, link);
}

/* Channels. */

static struct list *bucket_of(struct hub *h, uint32_t topic)
{
    return &h->channels[topic % BUCKETS];
}

static struct hub_channel *find(struct hub *h, uint32_t topic, struct str name)
{
    struct list *bucket = bucket_of(h, topic);
    for (struct list *node = bucket->next; node != bucket; node = node->next) {
        struct hub_channel *c = channel_of(node);
        if (str_eq((struct str){c->name, c->n}, name))
            return c;
    }
    return NULL;
}

static void set_interest(struct hub *h, uint32_t topic, bool on)
{
    if (h->slot == AREA_NONE)
        return;
    _Atomic uint64_t *word = &h->page->slots[h->slot].topics[topic / 64];
    uint64_t bit = (uint64_t)1 << topic % 64;
    if (on)
        atomic_fetch_or(word, bit);
    else
        atomic_fetch_and(word, ~bit);
}

static struct hub_channel *add_channel(struct hub *h, uint32_t topic, struct str name)
{
    struct hub_channel *c = mem_get(sizeof *c + name.n);
    if (!c)
        return NULL;
    *c = (struct hub_channel){.topic = topic, .n = name.n};
    memcpy(c->name, name.p, name.n);
    list_init(&c->link);
    list_init(&c->subscriptions);
    list_append(bucket_of(h, topic), &c->link);
    if (h->uses[topic]++ == 0)
        set_interest(h, topic, true);
    return c;
}

static void remove_channel(struct hub *h, struct hub_channel *c)
{
    if (--h->uses[c->topic] == 0)
        set_interest(h, c->topic, false);
    list_remove(&c->link);
    mem_put(c, sizeof *c + c->n);
}

/* Messages. */

static struct hub_message *new_message(struct str text)
{
    struct hub_message *m = mem_get(sizeof *m + text.n);
    if (!m)
        return NULL;
    m->users = 1;
    m->n = text.n;
    memcpy(m->text, text.p, text.n);
    return m;
}

struct str hub_text(const struct hub_message *m)
{
    return (struct str){m->text, m->n};
}

void hub_put_back(struct hub_message *m)
{
    if (--m->users == 0)
        mem_put(m, sizeof *m + m->n);
}

struct hub_message *hub_take(struct hub_subscription *s)
{
    if (!s->count)
        return NULL;
    struct hub_message *m = s->queue[s->first];
    s->first = (s->first + 1) % s->room;
    s->count--;
    s->bytes -= m->n;
    return m;
}

static void drop_oldest(struct hub_subscription *s)
{
    hub_put_back(hub_take(s));
    s->dropped++;
}

static bool make_room(struct hub_subscription *s)
{
    if (s->count < s->room)
        return true;
    size_t room = s->room ? 2 * s->room : FIRST_ROOM;
    struct hub_message **queue = mem_get(room * sizeof *queue);
    if (!queue)
        return false;
    for (size_t i = 0; i < s->count; i++)
        queue[i] = s->queue[(s->first + i) % s->room];
    mem_put(s->queue, s->room * sizeof *queue);
    s->queue = queue;
    s->room = room;
    s->first = 0;
    return true;
}

static void add(struct hub_subscription *s, struct hub_message *m)
{
    while (s->count && (s->count >= HUB_MESSAGES || s->bytes + m->n > HUB_BYTES))
        drop_oldest(s);
    if (!make_room(s)) {
        s->dropped++;
        return;
    }
    s->queue[(s->first + s->count++) % s->room] = m;
    s->bytes += m->n;
    m->users++;
    s->on_message(s);
}

static void miss(struct hub_channel *c, uint64_t count)
{
    struct list *all = &c->subscriptions;
    for (struct list *node = all->next; node != all; node = node->next)
        container_of(node, struct hub_subscription, link)->dropped += count;
}

/* Numbers up to there were seen; those that are missing were overwritten. They count for all
 * channels of the topic, which is one as a rule. */
static void see(struct hub *h, uint32_t topic, uint64_t number, uint64_t missing)
{
    struct list *bucket = bucket_of(h, topic);
    h->seen[topic] = number;
    for (struct list *node = bucket->next; missing && node != bucket; node = node->next)
        miss(channel_of(node), missing);
}

static void note_gap(struct hub *h, const struct ring_message *m)
{
    uint64_t seen = h->seen[m->topic];
    if (m->number > seen)
        see(h, m->topic, m->number, m->number - seen - 1);
}

/* Counts what was overwritten of topics of which nothing has come since. All has been taken: what
 * is not seen is lost, unless somebody writes meanwhile. */
static bool count_lost(struct hub *h)
{
    const struct ring *r = &h->page->ring;
    uint64_t counts[RING_TOPICS];
    if (!ring_is_quiet(r, h->at))
        return false;
    for (uint32_t i = 0; i < RING_TOPICS; i++)
        counts[i] = atomic_load(&r->counts[i]);
    if (!ring_is_quiet(r, h->at))
        return false;
    for (uint32_t i = 0; i < RING_TOPICS; i++)
        if (h->uses[i] && counts[i] > h->seen[i])
            see(h, i, counts[i], counts[i] - h->seen[i]);
    return true;
}

static void give_out(struct hub *h, const struct ring_message *m)
{
    if (!h->uses[m->topic])
        return;
    note_gap(h, m);
    struct hub_channel *c = find(h, m->topic, m->channel);
    struct hub_message *copy = c ? new_message(m->body) : NULL;
    if (c && !copy)
        miss(c, 1);
    if (!copy)
        return;
    struct list *all = &c->subscriptions;
    for (struct list *node = all->next; node != all; node = node->next)
        add(container_of(node, struct hub_subscription, link), copy);
    hub_put_back(copy);
}

void hub_drain(struct hub *h)
{
    struct ring_message m;
    enum ring_read state;
    if (!h->subscriptions)
        return;
    while ((state = ring_read(&h->page->ring, &h->at, h->room, &m)) != RING_NONE)
        if (state == RING_READ)
            give_out(h, &m);
        else
            h->has_lost = true;
    if (h->has_lost)
        h->has_lost = !count_lost(h);
}

void hub_keep_up(struct hub *h)
{
    if (h->subscriptions && ring_head(&h->page->ring) - h->at > BEHIND)
        hub_drain(h);
}

/* Subscriptions. */

enum rc hub_subscribe(struct hub *h, struct hub_subscription *s, struct str name)
{
    uint32_t topic = ring_topic(name);
    bool is_first = h->uses[topic] == 0;
    hub_drain(h); /* what was published before is not for it */
    struct hub_channel *c = find(h, topic, name);
    if (!c)
        c = add_channel(h, topic, name);
    if (!c)
        return RC_NOMEM;
    if (!h->subscriptions++) {
        h->at = ring_head(&h->page->ring);
        h->has_lost = false;
    }
    if (is_first)
        h->seen[topic] = atomic_load(&h->page->ring.counts[topic]);
    list_init(&s->link);
    list_append(&c->subscriptions, &s->link);
    s->hub = h;
    s->channel = c;
    return RC_OK;
}

void hub_unsubscribe(struct hub_subscription *s)
{
    struct hub_message *m;
    if (!s->channel)
        return;
    while ((m = hub_take(s)))
        hub_put_back(m);
    mem_put(s->queue, s->room * sizeof *s->queue);
    s->queue = NULL;
    s->room = 0;
    list_remove(&s->link);
    s->hub->subscriptions--;
    if (list_empty(&s->channel->subscriptions))
        remove_channel(s->hub, s->channel);
    s->channel = NULL;
}

enum rc hub_init(struct hub *h, struct area_page *p, int slot)
{
    *h = (struct hub){.page = p, .slot = slot};
    h->room = mem_get(RING_MESSAGE);
    h->channels = mem_get(BUCKETS * sizeof *h->channels);
    for (int i = 0; h->channels && i < BUCKETS; i++)
        list_init(&h->channels[i]);
    if (h->room && h->channels)
        return RC_OK;
    hub_fini(h);
    return RC_NOMEM;
}

void hub_fini(struct hub *h)
{
    if (h->room)
        mem_put(h->room, RING_MESSAGE);
    if (h->channels)
        mem_put(h->channels, BUCKETS * sizeof *h->channels);
    *h = (struct hub){0};
}

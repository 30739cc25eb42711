#include "store/ring.h"

#include "core/check.h"

struct head {
    uint32_t channel, body; /* bytes of each */
    uint32_t topic;
    uint64_t number;
};

enum { ALIGN = 8 };

uint32_t ring_topic(struct str channel)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < channel.n; i++)
        hash = (hash ^ (unsigned char)channel.p[i]) * 16777619u;
    return (hash ^ hash >> 16) % RING_TOPICS;
}

static uint64_t size_of(const struct head *h)
{
    return (sizeof *h + h->channel + (uint64_t)h->body + ALIGN - 1) / ALIGN * ALIGN;
}

static uint64_t put(struct ring *r, uint64_t at, const void *bytes, size_t n)
{
    size_t place = at % RING_SIZE;
    size_t first = n < RING_SIZE - place ? n : RING_SIZE - place;
    if (!n)
        return at;
    memcpy(r->bytes + place, bytes, first);
    memcpy(r->bytes, (const char *)bytes + first, n - first);
    return at + n;
}

static void get(const struct ring *r, uint64_t at, void *out, size_t n)
{
    size_t place = at % RING_SIZE;
    size_t first = n < RING_SIZE - place ? n : RING_SIZE - place;
    memcpy(out, r->bytes + place, first);
    memcpy((char *)out + first, r->bytes, n - first);
}

/* From now on what lies a ring's size before the end of the message is not to be read. A writer
 * that was killed may have reserved more. */
static void reserve(struct ring *r, uint64_t end)
{
    if (atomic_load_explicit(&r->reserved, memory_order_relaxed) < end)
        atomic_store_explicit(&r->reserved, end, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
}

static void note_start(struct ring *r, uint64_t at)
{
    _Atomic uint64_t *start = &r->starts[at / RING_CHUNK % RING_CHUNKS];
    uint64_t known = atomic_load_explicit(start, memory_order_relaxed);
    if (known / RING_CHUNK != at / RING_CHUNK)
        atomic_store_explicit(start, at, memory_order_relaxed);
}

void ring_write(struct ring *r, struct str channel, struct str body)
{
    uint32_t topic = ring_topic(channel);
    uint64_t at = atomic_load_explicit(&r->head, memory_order_relaxed);
    const struct head h = {.channel = (uint32_t)channel.n,
        .body = (uint32_t)body.n,
        .topic = topic,
        .number = atomic_load_explicit(&r->counts[topic], memory_order_relaxed) + 1};
    uint64_t end = at + size_of(&h);
    check(end - at <= RING_MESSAGE);
    reserve(r, end);
    uint64_t next = put(r, at, &h, sizeof h);
    next = put(r, next, channel.p, channel.n);
    put(r, next, body.p, body.n);
    note_start(r, at);
    atomic_store_explicit(&r->counts[topic], h.number, memory_order_relaxed);
    atomic_store(&r->head, end);
}

/* Whether what lies there was whole when it was read. */
static bool is_whole(const struct ring *r, uint64_t at)
{
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load_explicit(&r->reserved, memory_order_relaxed) - at <= RING_SIZE;
}

/* The start of the oldest message that is not about to be overwritten. */
static uint64_t oldest(const struct ring *r)
{
    uint64_t head = ring_head(r);
    uint64_t reserved = atomic_load(&r->reserved);
    uint64_t chunk = (reserved - RING_SIZE) / RING_CHUNK + 2;
    uint64_t start = atomic_load(&r->starts[chunk % RING_CHUNKS]);
    bool is_known = start / RING_CHUNK == chunk && start < head;
    return is_known ? start : head;
}

bool ring_is_quiet(const struct ring *r, uint64_t at)
{
    return ring_head(r) == at && atomic_load(&r->reserved) == at;
}

enum ring_read ring_read(
    const struct ring *r, uint64_t *at, unsigned char *room, struct ring_message *out)
{
    struct head h;
    if (*at == ring_head(r))
        return RING_NONE;
    get(r, *at, &h, sizeof h);
    if (is_whole(r, *at)) {
        check(size_of(&h) <= RING_MESSAGE);
        get(r, *at + sizeof h, room, h.channel + (size_t)h.body);
        if (is_whole(r, *at)) {
            *out = (struct ring_message){h.topic, h.number, {(const char *)room, h.channel},
                {(const char *)room + h.channel, h.body}};
            *at += size_of(&h);
            return RING_READ;
        }
    }
    *at = oldest(r);
    return RING_LOST;
}

#include "proxy/spread.h"

#include "core/check.h"

#include <string.h>

/* Seconds that an address is left out. */
static const double out_seconds = 5;

/* An address is all of its bytes: whoever makes one fills the rest with zeros. */
static bool same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static struct spread_address *find(struct spread *s, const struct sockaddr_storage *at)
{
    for (size_t i = 0; i < s->count; i++)
        if (same(&s->list[i].at, at))
            return &s->list[i];
    return NULL;
}

void spread_set(struct spread *s, const struct sockaddr_storage *list, size_t count)
{
    struct spread next = {.count = count};
    check(count <= LOOKUP_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct spread_address *known = find(s, &list[i]);
        next.list[i] = known ? *known : (struct spread_address){.at = list[i]};
    }
    *s = next;
}

/* Better is one that is not out, or comes back earlier; then one with fewer connections. */
static bool is_better(const struct spread_address *a, const struct spread_address *b, double now)
{
    double a_out = a->out_until > now ? a->out_until : 0;
    double b_out = b->out_until > now ? b->out_until : 0;
    return a_out != b_out ? a_out < b_out : a->conns < b->conns;
}

struct spread_address *spread_pick(struct spread *s, double now)
{
    check(s->count > 0);
    struct spread_address *best = &s->list[0];
    for (size_t i = 1; i < s->count; i++)
        if (is_better(&s->list[i], best, now))
            best = &s->list[i];
    return best;
}

struct spread_address *spread_find_bare(struct spread *s, double now)
{
    struct spread_address *best = s->count ? spread_pick(s, now) : NULL;
    return best && best->conns == 0 && best->out_until <= now ? best : NULL;
}

void spread_closed(struct spread *s, const struct sockaddr_storage *at, bool failed, double now)
{
    struct spread_address *a = find(s, at);
    if (!a)
        return;
    a->conns -= a->conns > 0;
    if (failed)
        a->out_until = now + out_seconds;
}

bool spread_is_out(const struct spread *s, double now)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->list[i].out_until <= now)
            return false;
    return true;
}

#include "proxy/upstreams.h"

#include "core/check.h"

#include <stdio.h>

static enum rc refuse_more(struct str url, char why[ORIGIN_WHY])
{
    snprintf(why, ORIGIN_WHY,
        "upstream \"%.*s\" is one too many for its path: at most %d take turns",
        url.n < 100 ? (int)url.n : 100, url.p, UPSTREAMS_MAX);
    return RC_LIMIT;
}

enum rc upstreams_add(struct upstreams *u, struct str url, char why[ORIGIN_WHY])
{
    if (u->count == UPSTREAMS_MAX)
        return refuse_more(url, why);
    struct upstream *made = &u->list[u->count];
    *made = (struct upstream){.url = url};
    enum rc rc = origin_parse_base(url, &made->origin, &made->base, why);
    u->count += !rc;
    return rc;
}

/* Better is an upstream that is not left out, or that has been left out for longer. */
static bool is_better(const struct upstream *a, const struct upstream *b, double now)
{
    return b->out_until > now && a->out_until < b->out_until;
}

struct upstream *upstreams_pick(struct upstreams *u, const struct upstream *except, double now)
{
    check(u->count > 0);
    struct upstream *best = NULL;
    for (size_t i = 0; i < u->count; i++) {
        struct upstream *one = &u->list[(u->next + i) % u->count];
        if (one == except && u->count > 1)
            continue;
        if (!best || is_better(one, best, now))
            best = one;
    }
    if (!except)
        u->next = (size_t)(best - u->list + 1) % u->count;
    return best;
}

bool upstream_note(struct upstream *u, const struct upstreams_rules *rules, bool failed, double now)
{
    bool was_out = u->out_until > now;
    if (!failed) {
        u->failures = 0;
        u->out_until = 0;
        return false;
    }
    u->failures++;
    if (rules->max_failures == 0 || u->failures < rules->max_failures)
        return false;
    u->out_until = now + rules->recovery;
    return !was_out;
}

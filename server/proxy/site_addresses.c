/* Which addresses a site has, and which of them its next connection is to. */
#include "core/clock.h"
#include "core/list.h"
#include "proxy/site.h"

#include <stdio.h>
#include <string.h>
#include <sys/un.h>

/* Seconds after which a name is looked up again. The known addresses stay in use meanwhile. */
static const double lookup_seconds = 10;

void site_found(struct lookup *l, const char *why)
{
    struct site *s = container_of(l, struct site, lookup);
    s->looked_up = clock_recent();
    if (l->count == 0)
        site_fail_waiting(s, why);
    if (s->spread)
        spread_set(s->spread, l->list, l->count);
    site_dirty(s);
}

static void set_path(struct site *s)
{
    struct sockaddr_un *address = (struct sockaddr_un *)&s->lookup.list[0];
    address->sun_family = AF_UNIX;
    snprintf(address->sun_path, sizeof address->sun_path, "%.*s", (int)sizeof address->sun_path - 1,
        s->origin.host);
    s->lookup.count = 1;
    if (s->spread)
        spread_set(s->spread, s->lookup.list, 1);
}

/* Looks the name up; site_found gets the result. */
static void look_up(struct site *s)
{
    struct pool *p = s->pool;
    if ((!p->resolver && resolver_new(p->loop->ev, NULL, &p->resolver)) ||
        lookup_start(&s->lookup, p->resolver, s->origin.host, s->origin.port))
        s->looked_up = clock_recent();
}

bool site_has_addresses(struct site *s)
{
    double age = clock_recent() - s->looked_up;
    if (s->origin.scheme == ORIGIN_UNIX) {
        set_path(s);
        return true;
    }
    if (!s->lookup.query && (s->lookup.count == 0 || age >= lookup_seconds))
        look_up(s);
    if (s->lookup.count == 0 && !s->lookup.query)
        site_fail_waiting(s, "names cannot be resolved");
    return s->lookup.count > 0;
}

struct spread_address *site_next_address(struct site *s)
{
    return s->spread ? spread_pick(s->spread, clock_recent()) : NULL;
}

struct spread_address *site_bare_address(struct site *s)
{
    uint32_t most = s->pool->limits->max_conns;
    bool may_open = s->spread && s->waits && !(most && s->conns >= most);
    return may_open && site_has_addresses(s) ? spread_find_bare(s->spread, clock_recent()) : NULL;
}

void site_aim(const struct site *s, struct dial_to *to, const struct spread_address *one)
{
    to->count = one ? 1 : s->lookup.count;
    memcpy(to->addresses, one ? &one->at : s->lookup.list, to->count * sizeof *to->addresses);
}

#include "net/census.h"

#include "core/check.h"
#include "core/mem.h"

#include <netinet/in.h>
#include <string.h>

enum { KEY = 8 }; /* bytes of an address that are significant */

struct census_entry {
    struct census_entry *next;
    uint32_t bucket;
    uint32_t conns;
    uint8_t key[KEY];
};

static void make_key(const struct sockaddr *sa, uint8_t key[KEY])
{
    const struct in6_addr *in6 = &((const struct sockaddr_in6 *)sa)->sin6_addr;
    memset(key, 0, KEY);
    if (sa->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(in6))
        memcpy(key, in6->s6_addr + 12, 4);
    else if (sa->sa_family == AF_INET6)
        memcpy(key, in6, KEY);
    else if (sa->sa_family == AF_INET)
        memcpy(key, &((const struct sockaddr_in *)sa)->sin_addr, 4);
}

/* FNV-1a. How many colliding addresses one client can bring is bounded by the total. */
static uint32_t bucket_of(const uint8_t key[KEY])
{
    uint32_t hash = 2166136261U;
    for (int i = 0; i < KEY; i++)
        hash = (hash ^ key[i]) * 16777619U;
    return hash % CENSUS_BUCKETS;
}

static struct census_entry *find(struct census_entry *e, const uint8_t key[KEY])
{
    while (e && memcmp(e->key, key, KEY) != 0)
        e = e->next;
    return e;
}

static struct census_entry *add(struct census *c, uint32_t bucket, const uint8_t key[KEY])
{
    struct census_entry *e = mem_get_zeroed(sizeof *e);
    if (!e)
        return NULL;
    memcpy(e->key, key, KEY);
    e->bucket = bucket;
    e->next = c->buckets[bucket];
    c->buckets[bucket] = e;
    return e;
}

enum rc census_enter(struct census *c, const struct sockaddr *sa, uint32_t max_total,
    uint32_t max_each, struct census_entry **entry)
{
    uint8_t key[KEY];
    make_key(sa, key);
    uint32_t bucket = bucket_of(key);
    struct census_entry *e = find(c->buckets[bucket], key);
    if ((max_total && c->total >= max_total) || (e && max_each && e->conns >= max_each))
        return RC_LIMIT;
    if (!e)
        e = add(c, bucket, key);
    if (!e)
        return RC_NOMEM;
    e->conns++;
    c->total++;
    *entry = e;
    return RC_OK;
}

void census_leave(struct census *c, struct census_entry *entry)
{
    check(c->total > 0 && entry->conns > 0);
    c->total--;
    if (--entry->conns)
        return;
    struct census_entry **link = &c->buckets[entry->bucket];
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    mem_put(entry, sizeof *entry);
}

#include "proxy/share.h"

#include "core/check.h"
#include "core/mem.h"

#include <arpa/inet.h>
#include <string.h>

/* The host without its port and brackets. */
static bool copy_host(const char *remote, char *out, size_t room)
{
    const char *end = strrchr(remote, ':');
    bool brackets = remote[0] == '[';
    if (!end || (brackets && end[-1] != ']'))
        return false;
    size_t n = (size_t)(end - remote) - (brackets ? 2 : 0);
    if (n >= room)
        return false;
    memcpy(out, remote + brackets, n);
    out[n] = '\0';
    return true;
}

/* Never equals a /64 of the Internet, which begins with a byte of at least 0x20. */
static uint64_t of_4(const void *address)
{
    uint32_t bits;
    memcpy(&bits, address, sizeof bits);
    return (uint64_t)1 << 32 | bits;
}

static uint64_t of_6(const struct in6_addr *address)
{
    uint64_t bits;
    if (IN6_IS_ADDR_V4MAPPED(address))
        return of_4(address->s6_addr + 12);
    memcpy(&bits, address, sizeof bits);
    return bits ? bits : 1; /* 0 means no client, and ::1 is one */
}

uint64_t share_client(const char *remote)
{
    char host[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;
    if (!copy_host(remote, host, sizeof host))
        return 0;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return of_4(&v4);
    return inet_pton(AF_INET6, host, &v6) == 1 ? of_6(&v6) : 0;
}

void shares_init(struct shares *s)
{
    for (int i = 0; i < SHARE_BUCKETS; i++)
        list_init(&s->buckets[i]);
}

/* Fibonacci hashing: similar addresses fall into different buckets. */
static struct list *bucket_of(struct shares *s, uint64_t client)
{
    return &s->buckets[(client * 0x9e3779b97f4a7c15U) >> 56];
}

struct share *share_of(struct shares *s, uint64_t client)
{
    struct list *bucket = bucket_of(s, client);
    for (struct list *node = bucket->next; node != bucket; node = node->next) {
        struct share *found = container_of(node, struct share, link);
        if (found->client == client)
            return found;
    }
    struct share *made = mem_get_zeroed(sizeof *made);
    if (!made)
        return NULL;
    made->client = client;
    list_init(&made->link);
    list_init(&made->waiting);
    list_prepend(bucket, &made->link);
    return made;
}

bool share_take(struct share *s, uint64_t part, uint64_t most)
{
    if (most && s->taken && s->taken + part > most)
        return false;
    s->taken += part;
    return true;
}

void share_give_back(struct share *s, uint64_t part)
{
    check(part <= s->taken);
    s->taken -= part;
}

void share_release(struct share *s)
{
    if (s->taken || s->waits)
        return;
    list_remove(&s->link);
    mem_put(s, sizeof *s);
}

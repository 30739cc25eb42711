#include "socket/socket_group.h"

#include "core/check.h"
#include "core/clock.h"
#include "core/mem.h"
#include "net/tls.h"

#include <stdio.h>

enum { CONTEXTS_MAX = 32 };

/* TLS. Reading a store of certificates takes milliseconds: contexts are kept. */

struct context {
    struct list link;
    struct tls_client *client;
    size_t size; /* of key */
    char key[];
};

static void free_context(struct socket_group *all, struct context *c)
{
    list_remove(&c->link);
    all->context_count--;
    if (c->client)
        tls_client_free(c->client);
    mem_put(c, sizeof *c + c->size);
}

static size_t size_of_text(const char *text)
{
    return text ? strlen(text) + 1 : 1;
}

static char *put_text(char *at, const char *text)
{
    size_t n = size_of_text(text);
    memcpy(at, text ? text : "", n);
    return at + n;
}

/* A context without a client yet. */
static struct context *new_context(struct socket_group *all, const struct socket_tls *tls)
{
    size_t size = 1 + size_of_text(tls->ca) + size_of_text(tls->cert) + size_of_text(tls->key);
    struct context *c = mem_get_zeroed(sizeof *c + size);
    if (!c)
        return NULL;
    list_init(&c->link);
    c->size = size;
    c->key[0] = tls->verify;
    put_text(put_text(put_text(c->key + 1, tls->ca), tls->cert), tls->key);
    list_prepend(&all->contexts, &c->link);
    all->context_count++;
    return c;
}

/* The same as one that there is, or NULL. */
static struct context *find_context(struct socket_group *all, const struct context *wanted)
{
    for (struct list *node = wanted->link.next; node != &all->contexts; node = node->next) {
        struct context *c = container_of(node, struct context, link);
        if (c->size == wanted->size && memcmp(c->key, wanted->key, c->size) == 0)
            return c;
    }
    return NULL;
}

enum rc socket_group_context(struct socket_group *all, const struct socket_tls *tls,
    struct tls_client **out, char why[SOCKET_WHY])
{
    char long_why[TLS_WHY];
    struct context *c = new_context(all, tls);
    if (!c)
        return RC_NOMEM;
    struct context *known = find_context(all, c);
    const struct tls_client_files files = {tls->ca, tls->cert, tls->key};
    enum rc rc = RC_OK;
    if (known) {
        c->client = known->client;
        known->client = NULL;
        free_context(all, known);
    } else {
        rc = tls_client_new(tls->verify, &files, &c->client, long_why);
    }
    if (rc) {
        snprintf(why, SOCKET_WHY, "%.*s", SOCKET_WHY - 1, long_why);
        free_context(all, c);
        return rc;
    }
    *out = c->client;
    if (all->context_count > CONTEXTS_MAX)
        free_context(all, container_of(all->contexts.prev, struct context, link));
    return RC_OK;
}

/* Life. */

static bool run(struct loop_step *step)
{
    struct socket_group *all = container_of(step, struct socket_group, step);
    struct list now, *node;
    list_init(&now);
    list_splice(&now, &all->dirty);
    all->told = false;
    while ((node = list_shift(&now)))
        socket_run(container_of(node, struct socket, dirty));
    return all->told;
}

void socket_group_init(struct socket_group *all, struct ev_loop *ev)
{
    *all = (struct socket_group){.ev = ev};
    list_init(&all->all);
    list_init(&all->dirty);
    list_init(&all->contexts);
    for (int i = 0; i < SHELF_BUCKETS; i++)
        list_init(&all->shelves[i]);
    names_init(&all->names, ev);
    timer_init(&all->sweep, ev, socket_group_sweep);
    list_init(&all->step.link);
    all->step.run = run;
}

void socket_group_join(struct socket_group *all, struct wire *wire, struct loop *loop)
{
    all->wire = wire;
    all->loop = loop;
}

void socket_group_begin(struct socket_group *all)
{
    if (all->loop && !list_linked(&all->step.link))
        loop_add_step(all->loop, &all->step);
}

void socket_group_fini(struct socket_group *all)
{
    while (!list_empty(&all->all))
        socket_free(container_of(all->all.next, struct socket, link));
    while (!list_empty(&all->contexts))
        free_context(all, container_of(all->contexts.next, struct context, link));
    names_fini(&all->names);
    check(all->kept == 0);
    timer_stop(&all->sweep);
}

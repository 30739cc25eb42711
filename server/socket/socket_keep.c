/* The sockets that are kept to be used again. */
#include "core/check.h"
#include "core/clock.h"
#include "core/mem.h"
#include "socket/socket_group.h"

static const double sweep_seconds = 1;

/* Those of one key, the last kept first. It is freed with the last of them. */
struct shelf {
    struct list link;
    struct list sockets; /* by socket.shelved */
    size_t count;
    size_t size; /* of key */
    char key[];
};

/* FNV-1a */
static struct list *bucket_of(struct socket_group *all, struct str key)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < key.n; i++)
        hash = (hash ^ (unsigned char)key.p[i]) * 16777619u;
    return &all->shelves[hash % SHELF_BUCKETS];
}

static struct shelf *find_shelf(struct socket_group *all, struct str key)
{
    struct list *bucket = bucket_of(all, key);
    for (struct list *node = bucket->next; node != bucket; node = node->next) {
        struct shelf *f = container_of(node, struct shelf, link);
        if (str_eq((struct str){f->key, f->size}, key))
            return f;
    }
    return NULL;
}

static struct shelf *shelf_of(struct socket_group *all, struct str key)
{
    struct shelf *f = find_shelf(all, key);
    if (f)
        return f;
    f = mem_get_zeroed(sizeof *f + key.n);
    if (!f)
        return NULL;
    list_init(&f->link);
    list_init(&f->sockets);
    f->size = key.n;
    memcpy(f->key, key.p, key.n);
    list_append(bucket_of(all, key), &f->link);
    return f;
}

void socket_group_forget(struct socket *s)
{
    struct shelf *f = s->shelf;
    if (!f)
        return;
    s->shelf = NULL;
    list_remove(&s->shelved);
    s->all->kept--;
    if (--f->count)
        return;
    list_remove(&f->link);
    mem_put(f, sizeof *f + f->size);
}

static struct socket *oldest(const struct shelf *f)
{
    return container_of(f->sockets.prev, struct socket, shelved);
}

bool socket_group_keep(struct socket *s, size_t most, double seconds)
{
    struct socket_group *all = s->all;
    struct str key = {s->key, s->key_size};
    bool idle = s->state == SOCKET_OPEN && s->key && !s->ended && !s->cut && !s->finishing &&
                !socket_has_unsent(s) && inbox_content(&s->in).n == 0;
    struct shelf *f = idle && most ? shelf_of(all, key) : NULL;
    if (!f) {
        socket_close(s);
        return false;
    }
    inbox_fini(&s->in);
    s->ops = NULL;
    s->owner = NULL;
    s->shelf = f;
    s->kept_until = clock_recent() + seconds;
    socket_set_state(s, SOCKET_KEPT);
    socket_watch(s);
    list_prepend(&f->sockets, &s->shelved);
    f->count++;
    all->kept++;
    if (f->count > most)
        socket_close(oldest(f));
    if (!ev_is_active(&all->sweep.ev))
        timer_start(&all->sweep, sweep_seconds);
    return true;
}

/* One that has turned readable in this round of the loop is told of it later in the round. */
struct socket *socket_group_take(
    struct socket_group *all, struct str key, const struct socket_ops *ops, void *owner)
{
    struct shelf *f = find_shelf(all, key);
    if (!f)
        return NULL;
    for (struct list *node = f->sockets.next; node != &f->sockets; node = node->next) {
        struct socket *s = container_of(node, struct socket, shelved);
        if (descriptor_is_pending(&s->descriptor))
            continue;
        socket_group_forget(s);
        socket_set_state(s, SOCKET_OPEN);
        s->ops = ops;
        s->owner = owner;
        s->wanted = 1;
        return s;
    }
    return NULL;
}

void socket_group_sweep(struct timer *t)
{
    struct socket_group *all = container_of(t, struct socket_group, sweep);
    double now = clock_recent();
    for (struct list *node = all->all.next; node != &all->all; node = node->next) {
        struct socket *s = container_of(node, struct socket, link);
        if (s->state == SOCKET_KEPT && s->kept_until <= now)
            socket_drop(s);
    }
    if (all->kept)
        timer_start(t, sweep_seconds);
}

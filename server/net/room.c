#include "net/room.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "net/conn_private.h"

#include <stdint.h>

enum {
    LOOKS_A_SECOND = 10, /* searches of all connections for idle ones */
    LOOK_BACK = 64,      /* entries: those noted in one second are sorted only so far */
    STEPS = 64,          /* memory is weighed again after growing by this part of the limit */
    FREED = 16,          /* this part of the limit is freed at once */
};

static const double idle_seconds = 1;

static struct conn *of_idle(struct list *node)
{
    return container_of(node, struct conn, idle);
}

/* The list goes from the longest idle to the shortest. */
void room_note_idle(struct conn *c, double seconds)
{
    struct loop *l = c->loop;
    if (seconds < idle_seconds) {
        list_remove(&c->idle);
        return;
    }
    if (list_linked(&c->idle))
        return;
    struct list *after = l->idle.prev;
    for (int i = 0; i < LOOK_BACK && after != &l->idle && of_idle(after)->active > c->active; i++)
        after = after->prev;
    list_append(after->next, &c->idle);
}

/* The sweep looks once a second; a search for room may look more often. */
static void look_for_idle(struct loop *l, double now)
{
    if (!list_empty(&l->idle) || now - l->looked < 1.0 / LOOKS_A_SECOND)
        return;
    l->looked = now;
    for (struct list *node = l->conns.next; node != &l->conns; node = node->next) {
        struct conn *c = conn_of_link(node);
        room_note_idle(c, conn_idle_seconds(c, now));
    }
}

/* The connection that has idled longest, or NULL. Skips those that were active since they were
 * noted. */
static struct conn *find_idle(struct loop *l)
{
    double now = clock_monotonic();
    struct list *node;
    look_for_idle(l, now);
    while ((node = list_shift(&l->idle)))
        if (conn_idle_seconds(of_idle(node), now) >= idle_seconds)
            return of_idle(node);
    return NULL;
}

static void close_for(struct conn *c, const char *limit)
{
    bool idle = conn_idle_seconds(c, clock_monotonic()) > 0;
    log_peer_event(LOG_WARN, "connection closed for room", log_str("limit", limit),
        log_int("conn", (int64_t)c->peer.conn), log_str("remote", c->peer.remote),
        log_bool("idle", idle), log_int("bytes", (int64_t)conn_memory(c)));
    if (idle)
        conn_say_goodbye(c);
    conn_close(c, cut_of(CUT_TIMEOUT));
}

bool room_make(struct loop *l, const char *limit)
{
    struct conn *c = find_idle(l);
    if (c)
        close_for(c, limit);
    return c;
}

/* Memory. */

struct weight {
    size_t all, heaviest;
};

static struct weight weigh(struct loop *l)
{
    struct weight w = {0, 0};
    for (struct list *node = l->conns.next; node != &l->conns; node = node->next) {
        struct conn *c = conn_of_link(node);
        c->memory = c->state == CONN_DEAD ? 0 : conn_memory(c);
        w.all += c->memory;
        w.heaviest = c->memory > w.heaviest ? c->memory : w.heaviest;
    }
    return w;
}

static void close_counted(struct conn *c, struct weight *w)
{
    close_for(c, "max-connection-memory");
    w->all -= c->memory;
    c->memory = 0;
}

/* Closes connections of at least `least` bytes, and with each of them an idle one, until all
 * together hold no more than target. */
static void close_heavy(struct loop *l, struct weight *w, size_t least, size_t target)
{
    for (struct list *node = l->conns.next; node != &l->conns && w->all > target;
         node = node->next) {
        struct conn *c = conn_of_link(node);
        if (c->memory < least)
            continue;
        struct conn *idle = find_idle(l);
        if (idle)
            close_counted(idle, w);
        if (w->all > target && c->memory)
            close_counted(c, w);
    }
}

void room_bound_memory(struct loop *l)
{
    size_t limit = (size_t)l->limits->max_conn_memory << 20;
    if (!limit)
        return;
    struct weight w = weigh(l);
    size_t target = w.all > limit ? limit - limit / FREED : limit;
    /* From the heaviest down, in steps that take few rounds: thousands of equally heavy connections
     * are found in the same round. */
    for (size_t least = w.heaviest; w.all > target && least; least -= least / 8 + 1)
        close_heavy(l, &w, least, target);
    l->memory_mark = mem_stats()->bytes + limit / STEPS;
    if (w.all < limit)
        l->memory_mark += limit - w.all;
}

#include "core/log.h"
#include "proc/master/master.h"
#include "proc/master/systemd.h"

/* The end: workers drain, or stop at once when told a second time. */

static void drain(struct child *c)
{
    if (c->state == CHILD_STARTING)
        child_kill(c);
    else
        child_drain(c);
}

static void cut(struct child *c)
{
    if (c->state == CHILD_STARTING)
        child_kill(c);
    else
        child_cut(c);
}

static void stop_children(struct master *m, void (*stop)(struct child *c))
{
    struct list *children = &m->crew.children;
    for (struct list *node = children->next; node != children; node = node->next)
        stop(container_of(node, struct child, link));
    if (list_empty(children))
        ev_break(m->loop, EVBREAK_ALL);
}

static int64_t count_requests(const struct master *m)
{
    int64_t count = 0;
    const struct list *children = &m->crew.children;
    for (const struct list *node = children->next; node != children; node = node->next)
        count += child_requests(container_of(node, struct child, link));
    return count;
}

static void log_stop(const struct master *m, const char *signal_name, bool now)
{
    int64_t requests = count_requests(m);
    if (now)
        log_event(LOG_INFO, "stopping now", log_str("signal", signal_name),
            log_int("requests", requests));
    else if (requests == 0)
        log_event(LOG_INFO, "stopping", log_str("signal", signal_name),
            log_num("grace", m->now.options.grace));
    else
        log_event(LOG_INFO, "stopping", log_str("signal", signal_name),
            log_num("grace", m->now.options.grace), log_int("requests", requests),
            log_str("hint", "these are awaited: a second signal ends them at once"));
}

static void begin(struct master *m, const char *signal_name, bool now)
{
    log_stop(m, signal_name, now);
    m->stopping = true;
    posts_clear(m);
    proof_cancel(&m->proof);
    timer_stop(&m->hurry);
    timer_stop(&m->again);
    upgrade_cancel(&m->upgrade);
    sockets_close(&m->now.sockets, &m->next.sockets);
    sockets_close(&m->next.sockets, NULL);
    stop_children(m, now ? cut : drain);
}

void master_begin_stop(struct master *m, const char *signal_name)
{
    begin(m, signal_name, false);
}

void master_stop(struct master *m, const char *signal_name)
{
    if (!m->stopping) {
        systemd_notify("STOPPING=1");
        begin(m, signal_name, m->now.options.dev && strcmp(signal_name, "INT") == 0);
        return;
    }
    log_stop(m, signal_name, true);
    stop_children(m, child_stop);
}

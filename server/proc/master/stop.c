#include "core/log.h"
#include "proc/master/master.h"
#include "proc/master/systemd.h"

/* The end of all: workers drain, or stop where they are told a second time. */

static void stop_child(struct child *c, bool now)
{
    if (now)
        child_stop(c);
    else if (c->state == CHILD_STARTING)
        child_kill(c);
    else
        child_drain(c);
}

static void stop_children(struct master *m, bool now)
{
    struct list *children = &m->crew.children;
    for (struct list *node = children->next; node != children; node = node->next)
        stop_child(container_of(node, struct child, link), now);
    if (list_empty(children))
        ev_break(m->loop, EVBREAK_ALL);
}

void master_begin_stop(struct master *m, const char *signal_name)
{
    log_event(LOG_INFO, "stopping", log_str("signal", signal_name),
        log_num("grace", m->now.options.grace));
    m->stopping = true;
    posts_clear(m);
    proof_cancel(&m->proof);
    timer_stop(&m->hurry);
    timer_stop(&m->again);
    upgrade_cancel(&m->upgrade);
    sockets_close(&m->now.sockets, &m->next.sockets);
    sockets_close(&m->next.sockets, NULL);
    stop_children(m, false);
}

void master_stop(struct master *m, const char *signal_name)
{
    if (!m->stopping) {
        systemd_notify("STOPPING=1");
        master_begin_stop(m, signal_name);
        return;
    }
    log_event(LOG_INFO, "stopping now", log_str("signal", signal_name));
    stop_children(m, true);
}

#include "core/clock.h"
#include "core/log.h"
#include "proc/master/master.h"
#include "proc/master/pidfile.h"
#include "proc/master/systemd.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Going over from one setup to the next, the first one included: read, prove the scripts, start the
 * workers; once all serve, those of before drain. */

static void kill_child(struct child *c, void *data)
{
    (void)data;
    child_kill(c);
}

/* Some may serve already. */
static void drain_child(struct child *c, void *data)
{
    (void)data;
    child_drain(c);
}

void change_failed(struct master *m, enum rc rc, const char *why)
{
    master_each(m, m->next.number, m->now.number ? drain_child : kill_child, NULL);
    setup_free(&m->next, &m->now);
    master_set_task(m, MASTER_IDLE);
    if (m->now.number) {
        log_event(LOG_ERROR, "configuration not loaded", log_str("reason", why));
        systemd_notify("READY=1");
        master_next_task(m);
        return;
    }
    fprintf(stderr, "moontrail: %s\n", why);
    m->status = rc == RC_INVALID ? EXIT_USAGE : EXIT_FAILED;
    ev_break(m->loop, EVBREAK_ALL);
}

void master_change(struct master *m)
{
    char why[SERVICE_WHY] = "";
    if (m->stopping)
        return;
    if (m->task != MASTER_IDLE) {
        m->change_wanted = true;
        return;
    }
    if (m->now.number)
        systemd_notify("RELOADING=1\nMONOTONIC_USEC=%.0f", clock_monotonic() * 1e6);
    if (m->now.number && setup_is_current(&m->now)) {
        m->told_to_reload = true;
        master_reload(m);
        return;
    }
    enum rc rc = setup_read(&m->next, &m->source, &m->now, &m->tickets, why);
    if (rc) {
        change_failed(m, rc, why);
        return;
    }
    m->next.number = ++m->readings;
    master_set_task(m, MASTER_PROVING_CHANGE);
    master_watch(m, &m->next);
    rc = master_prove(m, &m->next);
    if (rc)
        change_failed(m, rc, rc_text(rc));
}

/* Who develops may begin with a script that does not load: it is shown until it does. */
static bool may_lack(const struct master *m)
{
    return m->next.options.dev && m->now.number == 0 && m->heir == UPGRADE_NONE;
}

void change_proved(struct master *m, bool proved, bool any_read, const char *why)
{
    if (!proved && any_read && may_lack(m)) {
        log_event(LOG_ERROR, "scripts not loaded", log_str("reason", why));
        snprintf(m->fault, sizeof m->fault, "%s", why);
    } else if (!proved) {
        change_failed(m, RC_SYSTEM, why);
        return;
    }
    enum rc rc = RC_OK;
    master_set_task(m, MASTER_CHANGING);
    for (int i = 0; !rc && i < m->next.options.workers; i++)
        rc = master_start_worker(m, &m->next, i);
    if (rc)
        change_failed(m, rc, rc_text(rc));
}

/* Those that still start count against it. */
static void count_serving(struct child *c, void *data)
{
    *(int *)data += c->state == CHILD_SERVING;
}

static void log_change(const struct master *m, const char *event)
{
    char list[SOCKETS_TEXT];
    sockets_format(&m->now.sockets, list);
    log_event(LOG_INFO, event, log_str("listen", list), log_str("scripts", m->now.options.scripts),
        log_int("workers", m->now.options.workers), log_int("pid", getpid()));
}

static void add_requests(struct child *c, void *data)
{
    *(int64_t *)data += child_requests(c);
}

/* Which may be streams that last for long. */
static void log_awaited(struct master *m, uint32_t old)
{
    int64_t count = 0;
    master_each(m, old, add_requests, &count);
    if (count)
        log_event(LOG_INFO, "old workers drain", log_int("requests", count),
            log_num("grace", m->now.options.grace));
}

static void be_ready(struct master *m)
{
    log_change(m, "ready");
    if (m->heir == UPGRADE_NONE)
        return;
    upgrade_tell_ready(m->heir);
    m->heir = UPGRADE_NONE;
}

/* A rotation under way goes on: a setup that is read anew often has new keys all the same. */
static void keep_rotating(struct master *m)
{
    double seconds = m->now.options.ticket_rotation;
    if (seconds <= 0)
        timer_stop(&m->rotation);
    else if (!ev_is_active(&m->rotation.ev))
        timer_start(&m->rotation, seconds);
}

static bool same_file(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

/* The old sockets go before the workers drain, which then take what waits in the queues of those
 * that nobody else has. */
static void adopt_next(struct master *m)
{
    bool first = m->now.number == 0;
    uint32_t old = m->now.number;
    if (m->now.options.pid_file && !same_file(m->now.options.pid_file, m->next.options.pid_file))
        pidfile_remove(m->now.options.pid_file);
    setup_free(&m->now, &m->next);
    m->now = m->next;
    m->next = (struct setup){0};
    posts_clear(m);
    keep_rotating(m);
    if (!first)
        m->fault[0] = '\0';
    log_configure(m->now.options.log_level, m->now.options.log_format);
    if (first)
        be_ready(m);
    else
        log_change(m, "configuration loaded");
    log_awaited(m, old);
    master_each(m, old, drain_child, NULL);
    systemd_notify("READY=1\nMAINPID=%d", (int)getpid());
}

static enum rc write_pid(const struct master *m, char why[SERVICE_WHY])
{
    const char *path = m->next.options.pid_file;
    if (!path || same_file(path, m->now.options.pid_file))
        return RC_OK;
    return pidfile_write(path, m->heir == UPGRADE_NONE ? 0 : getppid(), why);
}

void change_joined(struct master *m)
{
    char why[SERVICE_WHY];
    int serving = 0;
    master_each(m, m->next.number, count_serving, &serving);
    if (serving < m->next.options.workers)
        return;
    enum rc rc = write_pid(m, why);
    if (rc) {
        change_failed(m, rc, why);
        return;
    }
    adopt_next(m);
    master_set_task(m, MASTER_IDLE);
    if (m->fault[0])
        reload_begun(m);
    master_next_task(m);
}

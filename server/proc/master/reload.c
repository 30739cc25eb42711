#include "core/clock.h"
#include "core/log.h"
#include "net/access_log.h"
#include "proc/master/master.h"
#include "proc/master/systemd.h"
#include "proc/master/watch.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Loading scripts anew: proved in a process of its own first, since what is on disk may be broken
 * at any time, and then done by each worker in place. */

static const double doubt_seconds = 2;
static const double retry_seconds = 1;
static const double hang_seconds = 1;
static const double again_seconds = 0.2;

static void order_reload(struct child *c, void *data)
{
    (void)data;
    c->loading = true;
    c->reloads++;
    child_order(c, ORDER_RELOAD, NULL, 0);
}

static void order_retry(struct child *c, void *data)
{
    if (!c->bare)
        return;
    c->retried = true;
    order_reload(c, data);
}

static void tell_fault(struct child *c, void *data)
{
    const char *why = data;
    child_order(c, ORDER_FAULT, why, strlen(why));
}

static bool reopen(const struct setup *s)
{
    return !s->access_log || access_log_reopen(s->access_log);
}

/* The master's come first: workers that start later have them, and those of now may not be allowed
 * to make a file, but to open it. Those that drain write on, too. */
void master_reopen(struct master *m)
{
    bool reopened = reopen(&m->now);
    if (!reopen(&m->next) || !reopened)
        return;
    struct list *children = &m->crew.children;
    for (struct list *node = children->next; node != children; node = node->next)
        child_order(container_of(node, struct child, link), ORDER_REOPEN, NULL, 0);
    if (m->now.access_log)
        log_event(LOG_INFO, "access log reopened", log_str("file", m->now.options.access_log));
}

static void set_fault(struct master *m, const char *why)
{
    if (strcmp(m->fault, why) == 0)
        return;
    snprintf(m->fault, sizeof m->fault, "%s", why);
    master_each(m, m->now.number, tell_fault, m->fault);
}

static void on_scripts_changed(void *data)
{
    struct master *m = data;
    timer_stop(&m->again);
    m->tried_again = false;
    master_reload(m);
}

/* What the scripts failed for may have been no more than a moment's: a file that went as they were
 * read, of which no event tells that it counts. */
static void try_again(struct master *m)
{
    if (!m->now.watch || m->tried_again || m->stopping)
        return;
    m->tried_again = true;
    timer_start(&m->again, again_seconds);
}

static void on_again(struct timer *t)
{
    master_reload(container_of(t, struct master, again));
}

void master_watch(struct master *m, struct setup *s)
{
    const struct options *o = &s->options;
    enum rc rc = o->watch ? watch_new(m->loop, o->scripts, m->service->suffix, on_scripts_changed,
                                m, &s->watch)
                          : RC_OK;
    if (rc)
        log_event(LOG_WARN, "scripts not watched", log_str("reason", rc_text(rc)));
}

void reload_watch(struct setup *s, bool proved, const char *files)
{
    char path[PATH_MAX];
    if (!s->watch)
        return;
    for (size_t n; *files; files += n + (files[n] == '\n')) {
        n = strcspn(files, "\n");
        if (n >= sizeof path)
            continue; /* no file has such a name */
        memcpy(path, files, n);
        path[n] = '\0';
        watch_file(s->watch, path);
    }
    if (proved)
        watch_end(s->watch);
    else
        watch_keep(s->watch);
}

static void prove(struct master *m, enum master_task task)
{
    master_set_task(m, task);
    enum rc rc = master_prove(m, &m->now);
    if (rc)
        reload_proved(m, false, rc_text(rc));
}

/* Scripts that take much longer to load than they did before hang, most likely, and what was saved
 * since may be the cure. */
static void hurry(struct master *m)
{
    double patience = m->proved_in > hang_seconds / 2 ? 2 * m->proved_in : hang_seconds;
    double left = patience - proof_age(&m->proof);
    if (m->task != MASTER_PROVING_RELOAD || !proof_runs(&m->proof) || !m->reload_wanted)
        return;
    if (left > 0)
        timer_start(&m->hurry, left);
    else
        proof_give_up(&m->proof, "they have changed again, and did not load until then");
}

static void on_hurry(struct timer *t)
{
    hurry(container_of(t, struct master, hurry));
}

void master_reload(struct master *m)
{
    if (m->stopping)
        return;
    if (m->task == MASTER_IDLE) {
        prove(m, MASTER_PROVING_RELOAD);
    } else {
        m->reload_wanted = true;
        hurry(m);
    }
}

/* A worker that replaced another while the scripts on disk did not load has none. They are proved
 * again and again, whatever it is that they fail for, and then loaded by that worker alone. */

static void note_bare(struct child *c, void *data)
{
    *(bool *)data |= c->bare;
}

static void keep_trying(struct master *m)
{
    bool bare = false;
    master_each(m, m->now.number, note_bare, &bare);
    if (bare)
        timer_start(&m->retry, retry_seconds);
    else
        timer_stop(&m->retry);
}

static void on_retry(struct timer *t)
{
    struct master *m = container_of(t, struct master, retry);
    keep_trying(m);
    if (ev_is_active(&t->ev) && m->task == MASTER_IDLE && !m->stopping)
        prove(m, MASTER_PROVING_RETRY);
}

void reload_init(struct master *m)
{
    timer_init(&m->retry, m->loop, on_retry);
    timer_init(&m->hurry, m->loop, on_hurry);
    timer_init(&m->again, m->loop, on_again);
}

void reload_lacking(struct master *m, struct child *c, const char *why)
{
    c->bare = true;
    log_event(LOG_ERROR, "worker has no scripts", log_int("worker", c->index),
        log_int("pid", c->pid), log_str("reason", why));
    set_fault(m, why);
    keep_trying(m);
}

void reload_begun(struct master *m)
{
    keep_trying(m);
    if (ev_is_active(&m->retry.ev))
        master_each(m, m->now.number, tell_fault, m->fault);
    else
        m->fault[0] = '\0';
}

/* What a proof finds. */

/* Scripts that are saved as they are read may seem broken; the reload that follows will tell. */
static bool is_changing(struct master *m)
{
    return m->reload_wanted || (m->now.watch && watch_has_change(m->now.watch));
}

/* Changes that never end must not hide the fault for ever. */
static bool is_doubtful(struct master *m)
{
    double now = clock_monotonic();
    if (!is_changing(m))
        m->doubted = 0;
    else if (m->doubted == 0)
        m->doubted = now;
    return m->doubted > 0 && now - m->doubted < doubt_seconds;
}

static void report(struct master *m, const char *why)
{
    bool known = (m->task == MASTER_PROVING_RETRY || m->tried_again) && strcmp(m->fault, why) == 0;
    if (known || is_doubtful(m))
        return;
    log_event(LOG_ERROR, "scripts not loaded", log_str("reason", why));
    set_fault(m, why);
}

void reload_proved(struct master *m, bool proved, const char *why)
{
    bool retried = m->task == MASTER_PROVING_RETRY;
    timer_stop(&m->hurry);
    if (proved) {
        m->proved_in = proof_age(&m->proof);
        m->doubted = 0;
        set_fault(m, "");
        master_each(m, m->now.number, retried ? order_retry : order_reload, NULL);
        posts_retry(m);
    } else {
        report(m, why);
        try_again(m);
    }
    if (m->told_to_reload)
        systemd_notify("READY=1");
    m->told_to_reload = false;
    master_set_task(m, MASTER_IDLE);
    master_next_task(m);
}

/* What the workers find. */

static void note_loading(struct child *c, void *data)
{
    *(bool *)data |= c->loading;
}

static void log_loaded(struct master *m)
{
    bool loading = false;
    master_each(m, m->now.number, note_loading, &loading);
    if (!loading)
        log_event(LOG_INFO, "scripts loaded", log_int("workers", m->now.options.workers));
}

static void note_failure(struct master *m, struct child *c, const char *why)
{
    if (c->reloads || m->task != MASTER_IDLE || is_changing(m))
        return;
    log_event(LOG_ERROR, "scripts not loaded", log_int("worker", c->index), log_int("pid", c->pid),
        log_str("reason", why));
    set_fault(m, why);
}

static void note_success(struct child *c)
{
    if (c->bare)
        log_event(LOG_INFO, "worker has scripts again", log_int("worker", c->index),
            log_int("pid", c->pid));
    c->bare = false;
}

void reload_replied(struct master *m, struct child *c, enum message kind, const char *text)
{
    bool alone = c->retried;
    c->retried = false;
    c->reloads--;
    if (kind == REPLY_FAILED)
        note_failure(m, c, text);
    else
        note_success(c);
    if (kind == REPLY_RELOADED && !alone)
        log_loaded(m);
}

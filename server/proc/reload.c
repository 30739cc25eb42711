#include "core/clock.h"
#include "core/log.h"
#include "proc/master.h"
#include "proc/watch.h"

#include <limits.h>
#include <stdio.h>

/* Loading scripts anew: proved in a process of its own first, since what is on disk may be broken
 * at any time, and then done by each worker in place. */

static const double doubt_seconds = 2;

static void order_reload(struct child *c, void *data)
{
    (void)data;
    c->loading = true;
    c->reloads++;
    child_order(c, ORDER_RELOAD, NULL, 0);
}

static void tell_fault(struct child *c, void *data)
{
    const char *why = data;
    child_order(c, ORDER_FAULT, why, strlen(why));
}

static void order_reopen(struct child *c, void *data)
{
    (void)data;
    child_order(c, ORDER_REOPEN, NULL, 0);
}

void master_reopen(struct master *m)
{
    master_each(m, m->now.number, order_reopen, NULL);
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
    master_reload(data);
}

void master_watch(struct master *m, struct setup *s)
{
    const struct options *o = &s->options;
    enum rc rc =
        o->watch ? watch_new(m->loop, o->scripts, ".lua", on_scripts_changed, m, &s->watch) : RC_OK;
    if (rc)
        log_event(LOG_WARN, "scripts not watched", log_str("reason", rc_text(rc)));
}

void reload_watch(struct setup *s, const char *files)
{
    char path[PATH_MAX];
    if (!s->watch)
        return;
    if (!*files) {
        watch_keep(s->watch);
        return;
    }
    for (size_t n; *files; files += n + (files[n] == '\n')) {
        n = strcspn(files, "\n");
        snprintf(path, sizeof path, "%.*s", (int)n, files);
        watch_file(s->watch, path);
    }
    watch_end(s->watch);
}

void master_reload(struct master *m)
{
    if (m->stopping)
        return;
    if (m->task != MASTER_IDLE) {
        m->reload_wanted = true;
        return;
    }
    m->task = MASTER_PROVING_RELOAD;
    enum rc rc = master_prove(m, &m->now);
    if (rc)
        reload_proved(m, false, rc_text(rc));
}

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

void reload_proved(struct master *m, bool proved, const char *why)
{
    if (proved) {
        m->doubted = 0;
        set_fault(m, "");
        master_each(m, m->now.number, order_reload, NULL);
        posts_retry(m);
    } else if (!is_doubtful(m)) {
        log_event(LOG_ERROR, "scripts not loaded", log_str("reason", why));
        set_fault(m, why);
    }
    m->task = MASTER_IDLE;
    master_next_task(m);
}

static void note_loading(struct child *c, void *data)
{
    *(bool *)data |= c->loading;
}

void reload_replied(struct master *m, struct child *c, enum message kind, const char *text)
{
    bool loading = false;
    c->reloads--;
    if (kind == REPLY_FAILED && !c->reloads && m->task == MASTER_IDLE && !is_changing(m)) {
        log_event(LOG_ERROR, "scripts not loaded", log_int("worker", c->index),
            log_int("pid", c->pid), log_str("reason", text));
        set_fault(m, text);
    }
    master_each(m, m->now.number, note_loading, &loading);
    if (kind == REPLY_RELOADED && !loading)
        log_event(LOG_INFO, "scripts loaded", log_int("workers", m->now.options.workers));
}

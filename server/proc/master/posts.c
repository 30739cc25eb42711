#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"
#include "proc/master/master.h"

/* A worker that lived this long did not fail at its start. */
static const double settled_seconds = 10;
static const double first_delay = 0.1, longest_delay = 5;

static void retry(struct post *p)
{
    double delay = first_delay;
    for (int i = 2; i < p->failures && delay < longest_delay; i++)
        delay *= 2;
    timer_start(&p->again, delay < longest_delay ? delay : longest_delay);
}

static void fill(struct post *p)
{
    struct master *m = p->master;
    enum rc rc = master_start_worker(m, &m->now, (int)(p - m->posts));
    if (!rc)
        return;
    log_event(LOG_ERROR, "worker not started", log_int("worker", p - m->posts),
        log_str("reason", rc_text(rc)));
    p->failures++;
    retry(p);
}

static void on_again(struct timer *t)
{
    fill(container_of(t, struct post, again));
}

void posts_init(struct master *m)
{
    for (int i = 0; i < OPTIONS_WORKERS; i++) {
        m->posts[i].master = m;
        timer_init(&m->posts[i].again, m->loop, on_again);
    }
}

/* The first vacancy is filled at once, further ones after longer and longer pauses. */
void posts_vacated(struct master *m, const struct child *c)
{
    check(c->index >= 0 && c->index < OPTIONS_WORKERS);
    struct post *p = &m->posts[c->index];
    if (clock_monotonic() - c->started > settled_seconds)
        p->failures = 0;
    p->failures++;
    if (p->failures == 1)
        fill(p);
    else
        retry(p);
}

void posts_retry(struct master *m)
{
    for (int i = 0; i < OPTIONS_WORKERS; i++) {
        struct post *p = &m->posts[i];
        if (!ev_is_active(&p->again.ev))
            continue;
        timer_stop(&p->again);
        fill(p);
    }
}

void posts_clear(struct master *m)
{
    for (int i = 0; i < OPTIONS_WORKERS; i++) {
        timer_stop(&m->posts[i].again);
        m->posts[i].failures = 0;
    }
}

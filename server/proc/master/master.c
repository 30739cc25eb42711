#include "proc/master/master.h"

#include "core/activity.h"
#include "core/check.h"
#include "core/log.h"
#include "proc/master/orphans.h"
#include "proc/master/pidfile.h"
#include "proc/master/systemd.h"
#include "proc/worker/board.h"
#include "proc/worker/signals.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Seconds that a new program may take, in addition to loading its scripts. */
static const double upgrade_seconds = 30;
static const double reap_seconds = 0.25;

void master_each(
    struct master *m, uint32_t setup, void (*visit)(struct child *c, void *data), void *data)
{
    struct list *children = &m->crew.children;
    for (struct list *node = children->next; node != children; node = node->next) {
        struct child *c = container_of(node, struct child, link);
        if (c->setup == setup && child_is_on_duty(c))
            visit(c, data);
    }
}

/* What happens to proofs and workers. */

static void on_slow(struct timer *t)
{
    struct master *m = container_of(t, struct master, slow);
    if (!proof_runs(&m->proof) || m->proof_heart == BOARD_NONE)
        return;
    log_event(LOG_WARN, "scripts still load",
        log_str("file", board_activity(m->crew.board, m->proof_heart)->loading),
        log_num("seconds", round(proof_age(&m->proof) * 10) / 10));
}

static void on_proof_done(struct proof *p, bool proved, const char *why, const char *files)
{
    struct master *m = container_of(p, struct master, proof);
    bool changes = m->task == MASTER_PROVING_CHANGE;
    timer_stop(&m->slow);
    reload_watch(changes ? &m->next : &m->now, proved, files);
    if (changes)
        change_proved(m, proved, files[0], why);
    else
        reload_proved(m, proved, why);
}

static bool may_begin(enum master_task from, enum master_task to)
{
    if (to == MASTER_CHANGING)
        return from == MASTER_PROVING_CHANGE;
    return to == MASTER_IDLE || from == MASTER_IDLE;
}

void master_set_task(struct master *m, enum master_task task)
{
    check(may_begin(m->task, task));
    m->task = task;
}

void master_next_task(struct master *m)
{
    check(m->task == MASTER_IDLE);
    bool change = m->change_wanted, reload = m->reload_wanted;
    if (m->stopping)
        return;
    if (change) {
        m->change_wanted = false;
        master_change(m);
    } else if (reload) {
        m->reload_wanted = false;
        master_reload(m);
    }
}

static void on_ready(struct master *m, struct child *c, const char *lack)
{
    log_event(LOG_INFO, "worker started", log_int("worker", c->index), log_int("pid", c->pid));
    if (c->setup == m->next.number) {
        c->bare = lack[0];
        change_joined(m);
    } else if (lack[0])
        reload_lacking(m, c, lack);
    else if (m->fault[0])
        child_order(c, ORDER_FAULT, m->fault, strlen(m->fault));
}

static void on_no_start(struct master *m, struct child *c, const char *why)
{
    bool wanted = child_is_on_duty(c);
    child_set_state(c, CHILD_LOST);
    if (wanted && c->setup == m->next.number)
        change_failed(m, RC_SYSTEM, why);
    else if (wanted)
        log_event(LOG_ERROR, "worker not started", log_int("worker", c->index),
            log_int("pid", c->pid), log_str("reason", why));
}

static void on_reply(struct child *c, enum message kind, const char *text)
{
    struct master *m = container_of(c->crew, struct master, crew);
    if (m->stopping)
        return;
    if (kind == REPLY_READY)
        on_ready(m, c, text);
    else if (!c->served)
        on_no_start(m, c, text);
    else
        reload_replied(m, c, kind, text);
}

static void describe_end(int status, char *out, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(out, size, "SIG%s", sigabbrev_np(WTERMSIG(status)));
    else
        snprintf(out, size, "status %d", WEXITSTATUS(status));
}

static void on_gone(const struct child *c, int status)
{
    struct master *m = container_of(c->crew, struct master, crew);
    char how[32];
    describe_end(status, how, sizeof how);
    if (c->state != CHILD_LOST && (status || c->state != CHILD_DRAINING))
        log_event(LOG_ERROR, "worker died", log_int("worker", c->index), log_int("pid", c->pid),
            log_str("end", how));
    if (m->stopping && list_empty(&m->crew.children))
        ev_break(m->loop, EVBREAK_ALL);
    if (m->stopping || c->state == CHILD_DRAINING)
        return;
    if (m->next.number && c->setup == m->next.number)
        change_failed(m, RC_SYSTEM, "a worker died as it started");
    else if (c->setup == m->now.number && c->index < m->now.options.workers)
        posts_vacated(m, c);
}

/* A new program. */

/* Tells systemd that the service goes on in another process; systemd listens to the one that it
 * knows. */
static void hand_over(struct master *m, pid_t heir)
{
    systemd_notify("MAINPID=%d", (int)heir);
    master_begin_stop(m, "USR2");
}

static void on_upgrade_done(struct upgrade *u, bool ready)
{
    struct master *m = container_of(u, struct master, upgrade);
    if (ready)
        hand_over(m, u->pid);
    else
        log_event(LOG_ERROR, "upgrade failed", log_str("program", u->program),
            log_str("reason", "the new program has ended before it was ready"));
}

static void upgrade(struct master *m)
{
    if (m->stopping || m->upgrade.pid || !m->now.number)
        return;
    log_event(LOG_INFO, "upgrading", log_str("program", m->upgrade.program));
    enum rc rc = upgrade_start(&m->upgrade, &m->now.sockets, &m->tickets, m->now.area,
        m->now.options.load_timeout + upgrade_seconds);
    if (rc)
        log_event(LOG_ERROR, "upgrade failed", log_str("program", m->upgrade.program),
            log_str("reason", rc_text(rc)));
}

/* Signals. */

static void rotate_tickets(struct timer *t)
{
    struct master *m = container_of(t, struct master, rotation);
    enum rc rc = tls_tickets_rotate(&m->tickets);
    if (rc)
        log_event(LOG_ERROR, "ticket keys not rotated", log_str("reason", rc_text(rc)));
    struct list *children = &m->crew.children;
    for (struct list *node = children->next; node != children; node = node->next)
        child_order(
            container_of(node, struct child, link), ORDER_TICKETS, &m->tickets, sizeof m->tickets);
    timer_start(t, m->now.options.ticket_rotation);
}

/* Whether another part of the master waits for the process. */
static bool is_ours(void *data, pid_t pid)
{
    const struct master *m = data;
    const struct list *children = &m->crew.children;
    for (const struct list *node = children->next; node != children; node = node->next)
        if (container_of(node, struct child, link)->pid == pid)
            return true;
    return pid == m->proof.pid || pid == m->upgrade.pid;
}

static void reap(struct master *m)
{
    crew_reap(&m->crew);
    if (!orphans_reap(is_ours, m))
        timer_start(&m->reap, reap_seconds);
}

static void on_reap(struct timer *t)
{
    reap(container_of(t, struct master, reap));
}

static const int signal_numbers[MASTER_SIGNALS] = {
    SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGINT, SIGCHLD};

static void on_signal(struct ev_loop *ev, ev_signal *s, int events)
{
    (void)ev, (void)events;
    struct master *m = s->data;
    switch (s->signum) {
    case SIGHUP:
        master_reopen(m);
        master_change(m);
        break;
    case SIGUSR1:
        master_reopen(m);
        break;
    case SIGUSR2:
        upgrade(m);
        break;
    case SIGCHLD:
        reap(m);
        break;
    default:
        master_stop(m, sigabbrev_np(s->signum));
        break;
    }
}

static void watch_signals(struct master *m)
{
    for (int i = 0; i < MASTER_SIGNALS; i++) {
        ev_signal_init(&m->signals[i], on_signal, signal_numbers[i]);
        m->signals[i].data = m;
        ev_signal_start(m->loop, &m->signals[i]);
    }
    signals_disarm(SIGPIPE);
    signals_disarm(SIGXFSZ);
}

/* Life. */

/* Raises the limit of descriptors as far as the system allows: each connection needs one, and so
 * does each socket of each worker. Workers inherit the limit. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        log_event(LOG_WARN, "descriptors not raised", log_str("reason", strerror(errno)));
}

/* If it fails and why is empty, the result says everything. */
static enum rc init(
    struct master *m, const struct service *service, int argc, char **argv, char why[SYSTEMD_WHY])
{
    *m = (struct master){.service = service,
        .source = {argc, argv, service->read_config},
        .heir = UPGRADE_NONE,
        .proof_heart = BOARD_NONE};
    m->loop = ev_loop_new(EVFLAG_AUTO);
    if (!m->loop)
        return RC_SYSTEM;
    m->crew.on_reply = on_reply;
    m->crew.on_gone = on_gone;
    enum rc rc = crew_init(&m->crew, m->loop);
    if (!rc)
        rc = tls_tickets_init(&m->tickets);
    if (!rc)
        rc = upgrade_inherit(&m->now.sockets, &m->tickets, &m->now.area, &m->heir);
    if (!rc && m->heir == UPGRADE_NONE)
        rc = systemd_sockets(&m->now.sockets, why);
    raise_descriptors();
    posts_init(m);
    reload_init(m);
    proof_init(&m->proof, m->loop, on_proof_done);
    upgrade_init(&m->upgrade, m->loop, argv, on_upgrade_done);
    timer_init(&m->slow, m->loop, on_slow);
    timer_init(&m->reap, m->loop, on_reap);
    timer_init(&m->rotation, m->loop, rotate_tickets);
    watch_signals(m);
    return rc;
}

/* Blocks all signals: none may turn the end into a failure. */
static void fini(struct master *m)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    master_release(m);
    board_free(m->crew.board);
    setup_free(&m->next, &m->now);
    setup_free(&m->now, NULL);
}

int master_run(const struct service *service, int argc, char **argv)
{
    static struct master m;
    char why[SYSTEMD_WHY] = "";
    enum rc rc = init(&m, service, argc, argv, why);
    if (rc) {
        fprintf(stderr, "moontrail: the start failed: %s\n", why[0] ? why : rc_text(rc));
        return EXIT_FAILED;
    }
    master_change(&m);
    if (m.status == 0)
        ev_run(m.loop, 0);
    if (m.now.options.pid_file)
        pidfile_remove(m.now.options.pid_file);
    bool served = m.now.number;
    fini(&m);
    if (served || m.stopping)
        master_log_end();
    return m.status;
}

#include "core/activity.h"
#include "core/live.h"
#include "core/log.h"
#include "core/mem.h"
#include "proc/master/master.h"
#include "proc/master/watch.h"
#include "proc/worker/board.h"
#include "proc/worker/user.h"
#include "proc/worker/worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Seconds after which the log says what is still loading. */
static const double slow_seconds = 1;

/* The processes that the master forks: workers and proofs. */

void master_log_end(void)
{
    mem_trim();
    log_settle(true);
    log_event(LOG_INFO, "stopped", log_int("pid", getpid()), log_int("conns", live.conns),
        log_int("exchanges", live.exchanges), log_int("calls", live.calls),
        log_int("tasks", live.tasks), log_int("waits", live.waits),
        log_int("programs", live.programs), log_int("sockets", live.sockets),
        log_int("blocks", (int64_t)mem_stats()->blocks));
}

/* A new process must receive no signal before it has set up its own handlers. */
static void block_signals(sigset_t *before)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, before);
}

void master_release(struct master *m)
{
    for (int i = 0; i < MASTER_SIGNALS; i++)
        ev_signal_stop(m->loop, &m->signals[i]);
    timer_stop(&m->rotation);
    timer_stop(&m->reap);
    timer_stop(&m->slow);
    timer_stop(&m->retry);
    timer_stop(&m->hurry);
    timer_stop(&m->again);
    setup_end_watch(&m->now);
    setup_end_watch(&m->next);
    posts_clear(m);
    crew_fini(&m->crew);
    ev_loop_destroy(m->loop);
}

/* Releases, in a forked process, what belongs to the master. */
static void leave(struct master *m)
{
    if (proof_runs(&m->proof))
        close(m->proof.readable.fd);
    if (ev_is_active(&m->upgrade.readable))
        close(m->upgrade.readable.fd);
    if (m->heir != UPGRADE_NONE)
        close(m->heir);
    master_release(m);
}

static struct setup *other_setup(struct master *m, const struct setup *s)
{
    return s == &m->now ? &m->next : &m->now;
}

_Noreturn static void become_worker(
    struct master *m, struct setup *s, int index, const struct berth *berth)
{
    leave(m);
    setup_free(other_setup(m, s), s);
    sockets_keep_for_worker(&s->sockets, index, s->options.workers);
    const struct worker_job job = {.service = m->service,
        .options = &s->options,
        .tls = s->tls,
        .tickets = &m->tickets,
        .access_log = s->access_log,
        .sockets = &s->sockets,
        .area = s->area,
        .index = index,
        .may_lack = s == &m->now || (m->now.number == 0 && m->fault[0]),
        .channel = berth->channel,
        .board = m->crew.board,
        .heart = berth->heart};
    log_configure(s->options.log_level, s->options.log_format);
    int status = worker_main(&job);
    s->sockets.count = 0; /* the worker's listeners have taken them */
    setup_free(s, NULL);
    if (status == 0)
        master_log_end();
    exit(status);
}

enum rc master_start_worker(struct master *m, const struct setup *s, int index)
{
    struct child *c = NULL;
    struct berth berth;
    sigset_t before;
    block_signals(&before);
    enum rc rc = crew_fork(&m->crew, &s->options, index, s->number, &c, &berth);
    if (!rc && !c)
        become_worker(m, s == &m->now ? &m->now : &m->next, index, &berth);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return rc;
}

/* Scripts must find nothing in this process that a worker would not have. */
_Noreturn static void become_proof(struct master *m, struct setup *s, int fd)
{
    char why[SERVICE_WHY] = "";
    char *files = NULL;
    size_t size;
    sigset_t none;
    if (m->proof_heart != BOARD_NONE)
        activity = board_activity(m->crew.board, m->proof_heart);
    leave(m);
    sockets_close(&m->now.sockets, &m->next.sockets);
    sockets_close(&m->next.sockets, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    FILE *f = open_memstream(&files, &size);
    bool proved = f && (!s->options.user || user_become(s->options.user, why) == RC_OK) &&
                  m->service->prove(&s->options, f, why);
    if (f)
        fclose(f);
    fflush(NULL); /* output of the scripts must not delay the exit, for which the master waits */
    proof_answer(fd, proved, why, files ? files : "");
    free(files);
    exit(0);
}

enum rc master_prove(struct master *m, struct setup *s)
{
    int fd;
    sigset_t before;
    if (s->watch)
        watch_begin(s->watch);
    if (m->proof_heart == BOARD_NONE)
        m->proof_heart = board_take(m->crew.board);
    if (s->options.load_timeout == 0 || s->options.load_timeout > slow_seconds)
        timer_start(&m->slow, slow_seconds);
    block_signals(&before);
    enum rc rc = proof_start(&m->proof, s->options.load_timeout, &fd);
    if (!rc && fd >= 0)
        become_proof(m, s, fd);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return rc;
}

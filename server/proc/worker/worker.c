#include "proc/worker/worker.h"

#include "core/activity.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/list.h"
#include "core/log.h"
#include "core/mem.h"
#include "http/part.h"
#include "net/access_log.h"
#include "net/listener.h"
#include "net/log_file.h"
#include "net/loop.h"
#include "net/request_log.h"
#include "net/tls_tickets.h"
#include "proc/worker/board.h"
#include "proc/worker/channel.h"
#include "proc/worker/service.h"
#include "proc/worker/signals.h"
#include "proc/worker/sockets.h"
#include "proc/worker/user.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Loading for longer than this is logged, since requests wait meanwhile. */
static const double long_load_seconds = 1;

enum worker_state { WORKER_STARTING, WORKER_SERVING, WORKER_DRAINING };

struct worker {
    enum worker_state state;
    const struct worker_job *job;
    struct ev_loop *ev;
    struct server *server;
    struct net_limits limits;
    struct loop loop;
    struct listener *listeners;
    int listener_count;
    struct channel channel;
    struct timer cut;  /* ends the grace */
    struct timer beat; /* beats the heart */
};

static void set_state(struct worker *w, enum worker_state state)
{
    check(state == w->state + 1);
    w->state = state;
}

/* Ticks for the parts, measured in CPU time of the loop's thread: an idle one gets none, and what
 * other threads take counts for nobody. */

static const struct parts *ticked;
static timer_t ticks;

static void on_tick(int signal_number)
{
    (void)signal_number;
    parts_tick(ticked);
}

static void set_ticks(int milliseconds)
{
    struct timespec every = {.tv_nsec = milliseconds * 1000000L};
    timer_settime(ticks, 0, &(struct itimerspec){.it_interval = every, .it_value = every}, NULL);
}

static void start_ticks(const struct parts *parts)
{
    struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGPROF};
    if (!parts_have_tick(parts))
        return;
    if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &ticks)) {
        log_event(LOG_ERROR, "no bound on CPU time", log_str("reason", strerror(errno)));
        return;
    }
    ticked = parts;
    sigaction(SIGPROF, &action, NULL);
    set_ticks(PART_TICK_MS);
}

static void stop_ticks(void)
{
    if (ticked)
        set_ticks(0);
}

/* Tells the master what is running, if it asks because that takes too long. */

static const struct parts *described;

static void on_asked(int signal_number)
{
    (void)signal_number;
    if (described)
        parts_describe(described);
}

static void answer_master(void)
{
    struct sigaction action = {.sa_handler = on_asked, .sa_flags = SA_RESTART};
    sigaction(WORKER_ASKED, &action, NULL);
}

/* The end. */

static void stop_listening(struct worker *w)
{
    for (int i = 0; i < w->listener_count; i++)
        listener_stop(&w->listeners[i]);
    mem_put(w->listeners, (size_t)w->listener_count * sizeof *w->listeners);
    w->listeners = NULL;
    w->listener_count = 0;
}

static void on_cut(struct timer *t)
{
    struct worker *w = container_of(t, struct worker, cut);
    log_event(LOG_WARN, "grace over", log_num("seconds", w->job->options->grace),
        log_int("pid", getpid()));
    ev_break(w->ev, EVBREAK_ALL);
}

static void drain(struct worker *w)
{
    if (w->state == WORKER_DRAINING)
        return;
    set_state(w, WORKER_DRAINING);
    for (int i = 0; i < w->listener_count; i++)
        listener_take_queue(&w->listeners[i]);
    stop_listening(w);
    loop_shut_down(&w->loop);
    timer_start(&w->cut, w->job->options->grace);
}

/* Orders. */

static void reply(struct worker *w, enum message kind, const char *text)
{
    if (channel_send(&w->channel, kind, text, strlen(text)))
        drain(w);
}

static void reload(struct worker *w)
{
    char why[SERVICE_WHY] = "";
    double began = clock_monotonic();
    bool loaded = parts_reload(&w->loop.parts, why, sizeof why);
    double seconds = clock_monotonic() - began;
    if (seconds >= long_load_seconds)
        log_event(LOG_WARN, "worker blocked", log_num("seconds", floor(seconds * 10) / 10),
            log_str("by", "the loading of scripts"));
    if (loaded)
        reply(w, REPLY_RELOADED, "");
    else
        reply(w, REPLY_FAILED, why);
}

static void reopen_log(struct worker *w)
{
    if (w->job->access_log && access_log_reopen(w->job->access_log))
        log_event(LOG_DEBUG, "log reopened", log_int("pid", getpid()));
}

static void take_tickets(struct worker *w, const char *data, size_t n)
{
    if (n == sizeof *w->job->tickets)
        memcpy(w->job->tickets, data, n);
}

static void on_order(struct channel *ch, enum message kind, const char *text, size_t n)
{
    struct worker *w = container_of(ch, struct worker, channel);
    switch (kind) {
    case ORDER_DRAIN:
        drain(w);
        break;
    case ORDER_CUT:
        parts_log_cut(&w->loop.parts);
        ev_break(w->ev, EVBREAK_ALL);
        break;
    case ORDER_STOP:
        ev_break(w->ev, EVBREAK_ALL);
        break;
    case ORDER_RELOAD:
        reload(w);
        break;
    case ORDER_REOPEN:
        reopen_log(w);
        break;
    case ORDER_FAULT:
        parts_set_fault(&w->loop.parts, n ? text : NULL);
        break;
    case ORDER_TICKETS:
        take_tickets(w, text, n);
        break;
    default:
        break;
    }
}

static void on_master_lost(struct channel *ch)
{
    struct worker *w = container_of(ch, struct worker, channel);
    ev_io_stop(w->ev, &ch->readable);
    log_event(LOG_ERROR, "master lost", log_int("pid", getpid()));
    drain(w);
}

static void on_beat(struct timer *t)
{
    struct worker *w = container_of(t, struct worker, beat);
    board_beat(w->job->board, w->job->heart);
    timer_start(t, board_pace(w->job->options->heartbeat_timeout));
}

/* The start. */

/* Signals to the whole process group, such as a terminal's Ctrl-C, are handled by the master. */
static void leave_signals_to_master(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, SIGXFSZ};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        signals_disarm(numbers[i]);
    answer_master();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void count_socket(void *data, int fd, const struct listener_kind *kind)
{
    (void)fd, (void)kind;
    ++*(int *)data;
}

static void serve_socket(void *data, int fd, const struct listener_kind *kind)
{
    struct worker *w = data;
    struct listener *ls = &w->listeners[w->listener_count++];
    listen(fd, SOMAXCONN); /* the first to serve a socket starts it */
    listener_start(ls, kind, &w->loop, fd, w->job->tls);
}

static enum rc start_listening(struct worker *w)
{
    const struct worker_job *job = w->job;
    int count = 0;
    sockets_of_worker(job->sockets, job->index, job->options->workers, count_socket, &count);
    w->listeners = mem_get_zeroed((size_t)count * sizeof *w->listeners);
    if (!w->listeners)
        return RC_NOMEM;
    sockets_of_worker(job->sockets, job->index, job->options->workers, serve_socket, w);
    return RC_OK;
}

static void watch_exchanges(struct worker *w)
{
    const struct options *o = w->job->options;
    struct access_log *log = w->job->access_log;
    int fd;
    w->loop.access_log = log;
    if (log)
        loop_observe(&w->loop, access_log_observer(log));
    if (o->dev && !(o->access_log && log_file_is_standard(o->access_log, &fd)))
        loop_observe(&w->loop, request_log_observer());
}

static enum rc start_loop(struct worker *w, char why[SERVICE_WHY])
{
    const struct options *o = w->job->options;
    w->limits = o->net;
    w->limits.http = &o->http;
    w->limits.h2 = &o->h2;
    enum rc rc = loop_init(&w->loop, w->ev, w->job->service->handler(w->server), &w->limits);
    if (rc)
        goto fail;
    watch_exchanges(w);
    rc = w->job->service->join(w->server, o, &w->loop);
    if (!rc)
        rc = start_listening(w);
    if (!rc)
        return RC_OK;
    loop_fini(&w->loop);
fail:
    snprintf(why, SERVICE_WHY, "%s", rc_text(rc));
    return rc;
}

/* Reports that it is ready, and what it lacks, and serves until it is ordered to end. */
static void serve(struct worker *w, const char *lack)
{
    described = &w->loop.parts;
    set_state(w, WORKER_SERVING);
    start_ticks(&w->loop.parts);
    if (w->job->options->heartbeat_timeout > 0)
        on_beat(&w->beat);
    reply(w, REPLY_READY, lack);
    ev_run(w->ev, 0);
    stop_listening(w);
    timer_stop(&w->cut);
    timer_stop(&w->beat);
    loop_fini(&w->loop);
    w->job->service->stop(w->server);
    stop_ticks();
}

/* On success why is empty, or says what is lacking. */
static enum rc start(struct worker *w, char why[SERVICE_WHY])
{
    const struct worker_job *job = w->job;
    enum service_state state;
    if (job->options->user && user_become(job->options->user, why))
        return RC_SYSTEM;
    const struct service_place place = {job->index, job->area};
    state = job->service->open(job->options, &place, w->ev, job->may_lack, &w->server, why);
    if (state == SERVICE_FAILED)
        return RC_SYSTEM;
    if (state == SERVICE_OPEN)
        why[0] = '\0';
    enum rc rc = start_loop(w, why);
    if (rc)
        job->service->close(w->server);
    return rc;
}

int worker_main(const struct worker_job *job)
{
    static struct worker w;
    activity = board_activity(job->board, job->heart);
    char why[SERVICE_WHY] = "";
    w = (struct worker){.job = job, .ev = ev_loop_new(EVFLAG_AUTO)};
    if (!w.ev)
        return 1;
    leave_signals_to_master();
    timer_init(&w.cut, w.ev, on_cut);
    timer_init(&w.beat, w.ev, on_beat);
    w.channel.on_message = on_order;
    w.channel.on_end = on_master_lost;
    channel_start(&w.channel, w.ev, job->channel);
    enum rc rc = start(&w, why);
    if (!rc) {
        serve(&w, why);
        job->service->close(w.server);
    } else if (channel_send(&w.channel, REPLY_FAILED, why, strlen(why))) {
        log_event(LOG_ERROR, "worker not started", log_str("reason", why));
    }
    channel_stop(&w.channel);
    ev_loop_destroy(w.ev);
    return rc ? 1 : 0;
}

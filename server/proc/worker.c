#include "proc/worker.h"

#include "core/list.h"
#include "core/log.h"
#include "http/handler.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>

/* Ticks, for the handler, by the CPU time that the process takes: one that idles has none. */

static struct handler *ticked;

static void on_tick(int signal_number)
{
    (void)signal_number;
    ticked->ops->tick(ticked);
}

static void set_ticks(int milliseconds)
{
    struct itimerval every = {.it_interval = {.tv_usec = milliseconds * 1000},
        .it_value = {.tv_usec = milliseconds * 1000}};
    setitimer(ITIMER_PROF, &every, NULL);
}

static void start_ticks(struct handler *handler)
{
    struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
    if (!handler->ops->tick)
        return;
    ticked = handler;
    sigaction(SIGPROF, &action, NULL);
    set_ticks(HANDLER_TICK_MS);
}

enum rc worker_init(struct worker *w)
{
    *w = (struct worker){.ev = ev_loop_new(EVFLAG_AUTO)};
    return w->ev ? RC_OK : RC_SYSTEM;
}

void worker_fini(struct worker *w)
{
    set_ticks(0);
    ev_loop_destroy(w->ev);
}

void worker_listen(struct worker *w, int fd, struct tls *tls)
{
    struct listener *ls = &w->listeners[w->listener_count++];
    ls->tls = tls;
    ls->readable.fd = fd;
}

void worker_log_access(struct worker *w, struct access_log *log)
{
    w->access_log = log;
}

static void stop_listening(struct worker *w)
{
    for (int i = 0; i < w->listener_count; i++)
        listener_stop(&w->listeners[i]);
    w->listener_count = 0;
}

static void on_cut(struct timer *t)
{
    struct worker *w = container_of(t, struct worker, cut);
    log_event(LOG_WARN, "grace over", log_num("seconds", w->grace));
    ev_break(w->ev, EVBREAK_ALL);
}

static void stop(struct worker *w, const char *signal_name)
{
    bool again = w->loop.going;
    log_event(LOG_INFO, again ? "stopping now" : "stopping", log_str("signal", signal_name),
        log_num("grace", again ? 0 : w->grace));
    if (again) {
        ev_break(w->ev, EVBREAK_ALL);
        return;
    }
    stop_listening(w);
    loop_shut_down(&w->loop);
    timer_start(&w->cut, w->grace);
}

static void on_term(struct ev_loop *ev, ev_signal *s, int events)
{
    (void)ev, (void)events;
    stop(container_of(s, struct worker, term), "TERM");
}

static void on_interrupt(struct ev_loop *ev, ev_signal *s, int events)
{
    (void)ev, (void)events;
    stop(container_of(s, struct worker, interrupt), "INT");
}

/* As many descriptors as the system lets us have: each connection needs one. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        log_event(LOG_WARN, "descriptors not raised", log_str("reason", strerror(errno)));
}

enum rc worker_start(
    struct worker *w, struct handler *handler, const struct net_limits *limits, double grace)
{
    enum rc rc = loop_init(&w->loop, w->ev, handler, limits);
    if (rc)
        return rc;
    w->loop.access_log = w->access_log;
    w->grace = grace;
    raise_descriptors();
    signal(SIGPIPE, SIG_IGN);
    ev_signal_init(&w->term, on_term, SIGTERM);
    ev_signal_init(&w->interrupt, on_interrupt, SIGINT);
    ev_signal_start(w->ev, &w->term);
    ev_signal_start(w->ev, &w->interrupt);
    timer_init(&w->cut, w->ev, on_cut);
    for (int i = 0; i < w->listener_count; i++) {
        struct listener *ls = &w->listeners[i];
        listener_start(ls, &w->loop, ls->readable.fd, ls->tls);
    }
    start_ticks(handler);
    return RC_OK;
}

/* From here on another signal must not turn the end into a failure. */
static void block_signals(void)
{
    sigset_t both;
    sigemptyset(&both);
    sigaddset(&both, SIGTERM);
    sigaddset(&both, SIGINT);
    sigprocmask(SIG_BLOCK, &both, NULL);
}

void worker_run(struct worker *w)
{
    ev_run(w->ev, 0);
    stop_listening(w);
    timer_stop(&w->cut);
    block_signals();
    ev_signal_stop(w->ev, &w->term);
    ev_signal_stop(w->ev, &w->interrupt);
    loop_fini(&w->loop);
}

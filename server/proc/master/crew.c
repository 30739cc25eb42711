#include "proc/master/crew.h"

#include "core/activity.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "proc/options/options.h"
#include "proc/worker/board.h"
#include "proc/worker/worker.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const double pulse_seconds = 0.25, quick_pulse_seconds = 0.08;
/* Where the master itself stood still for so long, so may all have (Ctrl-Z). */
static const double late_seconds = 1;
/* That a worker has beyond its grace to free what it holds. */
static const double parting_seconds = 5;

static struct child *child_of(struct list *link)
{
    return container_of(link, struct child, link);
}

void child_set_state(struct child *c, enum child_state state)
{
    check(state > c->state);
    c->state = state;
}

/* Watching. */

/* The seconds that the heart has been still, where that is too long; else 0. */
static double stillness(struct child *c, double now)
{
    uint64_t beats = board_beats(c->crew->board, c->heart);
    if (beats != c->beats)
        c->beaten = now;
    c->beats = beats;
    double still = now - c->beaten;
    double patience = c->patience + (c->loading ? c->load_patience : 0);
    return c->patience > 0 && still > patience ? still : 0;
}

enum { END_FIELDS = 4 };

/* What a worker is at, where it has said so; returns how many fields that makes. */
static size_t describe(const struct activity *a, struct log_field out[END_FIELDS])
{
    size_t n = 0;
    if (a->method[0])
        out[n++] = log_str("method", a->method);
    if (a->path[0])
        out[n++] = log_str("path", a->path);
    if (a->script[0])
        out[n++] = log_str("script", a->script);
    if (a->loading[0])
        out[n++] = log_str("loading", a->loading);
    return n;
}

static void log_end(const struct child *c, const char *event, double still)
{
    struct log_field fields[3 + END_FIELDS] = {
        log_int("worker", c->index), log_int("pid", c->pid), log_num("seconds", still)};
    size_t n = still > 0 ? 3 : 2;
    n += describe(board_activity(c->crew->board, c->heart), fields + n);
    log_write(LOG_ERROR, event, fields, n);
}

/* It is killed a pulse after it was asked what it is at, which it says even where a handler of its
 * runs; from where that blocks beyond all signals it says nothing. */
static void end(struct child *c, const char *event, double still)
{
    if (!c->asked) {
        c->asked = true;
        kill(c->pid, WORKER_ASKED);
        return;
    }
    log_end(c, event, still);
    child_kill(c);
}

/* A step of a script that was under way at the last pulse, and still is, is to be told of. */
static void ask_of_step(struct child *c)
{
    struct activity *a = board_activity(c->crew->board, c->heart);
    uint32_t steps = atomic_load_explicit(&a->steps, memory_order_relaxed);
    if (steps % 2 && steps == c->steps)
        atomic_store_explicit(&a->asked, true, memory_order_relaxed);
    c->steps = steps;
}

static void check_on(struct child *c, double now)
{
    if (c->state == CHILD_LOST)
        return;
    double still = stillness(c, now);
    ask_of_step(c);
    if (still > 0)
        end(c, "worker stuck", still);
    else if (c->state == CHILD_DRAINING && now - c->drained > c->grace + parting_seconds)
        end(c, "worker does not end", 0);
    else
        c->asked = false;
}

static void on_pulse(struct timer *t)
{
    struct crew *crew = container_of(t, struct crew, pulse);
    double now = clock_monotonic();
    bool late = now - crew->pulsed > late_seconds;
    crew->pulsed = now;
    for (struct list *node = crew->children.next; node != &crew->children; node = node->next) {
        struct child *c = child_of(node);
        if (late)
            c->beaten = now;
        check_on(c, now);
    }
    timer_start(t, crew->quick ? quick_pulse_seconds : pulse_seconds);
}

static void on_message(struct channel *ch, enum message kind, const char *text, size_t n)
{
    (void)n;
    struct child *c = container_of(ch, struct child, channel);
    if (c->state == CHILD_LOST)
        return;
    if (kind == REPLY_READY)
        c->served = true;
    if (kind == REPLY_READY && c->state == CHILD_STARTING)
        child_set_state(c, CHILD_SERVING);
    c->loading = false;
    c->beaten = clock_monotonic();
    c->crew->on_reply(c, kind, text);
}

/* Its end is told by SIGCHLD, with the reason. */
static void on_end(struct channel *ch)
{
    ev_io_stop(ch->loop, &ch->readable);
}

/* Making and freeing. */

enum rc crew_init(struct crew *crew, struct ev_loop *loop)
{
    crew->loop = loop;
    list_init(&crew->children);
    crew->pulsed = clock_monotonic();
    timer_init(&crew->pulse, loop, on_pulse);
    enum rc rc = board_new(&crew->board);
    if (!rc)
        timer_start(&crew->pulse, pulse_seconds);
    return rc;
}

static void free_child(struct child *c)
{
    channel_stop(&c->channel);
    board_give(c->crew->board, c->heart);
    list_remove(&c->link);
    mem_put(c, sizeof *c);
}

void crew_fini(struct crew *crew)
{
    timer_stop(&crew->pulse);
    for (struct list *node = crew->children.next, *next; node != &crew->children; node = next) {
        next = node->next;
        struct child *c = child_of(node);
        channel_stop(&c->channel);
        mem_put(c, sizeof *c);
    }
    list_init(&crew->children);
}

static struct child *new_child(
    struct crew *crew, const struct options *o, int index, uint32_t setup)
{
    struct child *c = mem_get_zeroed(sizeof *c);
    if (!c)
        return NULL;
    list_init(&c->link);
    c->crew = crew;
    c->index = index;
    c->setup = setup;
    crew->quick = o->dev;
    c->loading = true;
    c->grace = o->grace;
    c->patience = o->heartbeat_timeout;
    c->load_patience = o->load_timeout;
    c->started = c->beaten = clock_monotonic();
    c->channel.on_message = on_message;
    c->channel.on_end = on_end;
    return c;
}

static void join(struct crew *crew, struct child *c, int channel)
{
    c->beats = board_beats(crew->board, c->heart);
    channel_start(&c->channel, crew->loop, channel);
    list_append(&crew->children, &c->link);
}

enum rc crew_fork(struct crew *crew, const struct options *o, int index, uint32_t setup,
    struct child **out, struct berth *berth)
{
    int ends[2];
    int heart = board_take(crew->board);
    if (heart == BOARD_NONE)
        return RC_LIMIT;
    enum rc rc = channel_pair(ends);
    if (rc)
        goto give_heart;
    struct child *c = new_child(crew, o, index, setup);
    rc = c ? RC_OK : RC_NOMEM;
    if (rc)
        goto close_ends;
    c->heart = heart;
    c->pid = fork();
    rc = c->pid < 0 ? RC_SYSTEM : RC_OK;
    if (rc)
        goto free_child;
    if (c->pid == 0) {
        close(ends[0]);
        mem_put(c, sizeof *c);
        *out = NULL;
        *berth = (struct berth){ends[1], heart};
        return RC_OK;
    }
    close(ends[1]);
    join(crew, c, ends[0]);
    *out = c;
    return RC_OK;

free_child:
    mem_put(c, sizeof *c);
close_ends:
    close(ends[0]);
    close(ends[1]);
give_heart:
    board_give(crew->board, heart);
    return rc;
}

/* Its programs were killed with it, but not what they have started. */
static void end_programs(struct activity *a)
{
    for (int i = 0; i < ACTIVITY_GROUPS; i++) {
        int32_t group = atomic_load(&a->groups[i]);
        if (group > 0)
            kill(-group, SIGKILL);
    }
}

void crew_reap(struct crew *crew)
{
    for (struct list *node = crew->children.next, *next; node != &crew->children; node = next) {
        int status;
        struct child *c = child_of(node);
        next = node->next;
        if (waitpid(c->pid, &status, WNOHANG) != c->pid)
            continue;
        end_programs(board_activity(crew->board, c->heart));
        channel_take_all(&c->channel); /* its last words may say why it ended */
        /* A worker forked in its place is to have nothing of it. */
        const struct child gone = *c;
        free_child(c);
        crew->on_gone(&gone, status);
    }
}

/* Orders. */

void child_kill(struct child *c)
{
    if (c->state != CHILD_LOST)
        child_set_state(c, CHILD_LOST);
    kill(c->pid, SIGKILL);
}

void child_order(struct child *c, enum message kind, const void *text, size_t n)
{
    if (c->state == CHILD_LOST || channel_send(&c->channel, kind, text, n) != RC_AGAIN)
        return;
    log_event(
        LOG_ERROR, "worker takes no orders", log_int("worker", c->index), log_int("pid", c->pid));
    child_kill(c);
}

void child_drain(struct child *c)
{
    if (c->state == CHILD_DRAINING || c->state == CHILD_LOST)
        return;
    child_set_state(c, CHILD_DRAINING);
    c->drained = clock_monotonic();
    child_order(c, ORDER_DRAIN, NULL, 0);
}

void child_stop(struct child *c)
{
    c->grace = 0;
    c->drained = clock_monotonic();
    child_order(c, ORDER_STOP, NULL, 0);
}

void child_cut(struct child *c)
{
    c->grace = 0;
    c->drained = clock_monotonic();
    if (child_is_on_duty(c))
        child_set_state(c, CHILD_DRAINING);
    child_order(c, ORDER_CUT, NULL, 0);
}

int64_t child_requests(const struct child *c)
{
    return atomic_load_explicit(
        &board_activity(c->crew->board, c->heart)->requests, memory_order_relaxed);
}

bool child_is_on_duty(const struct child *c)
{
    return c->state == CHILD_STARTING || c->state == CHILD_SERVING;
}

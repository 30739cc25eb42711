#include "program/program.h"

#include "core/activity.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/live.h"
#include "core/mem.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECE = 16384 }; /* bytes that are read at a time */

static const double patience_seconds = 1; /* between SIGTERM and SIGKILL */

static void set_state(struct program *p, enum program_state state)
{
    check(state > p->state);
    p->state = state;
}

/* Streams. */

static void open_stream(struct program_stream *s, int fd, struct ev_loop *ev,
    void (*ready)(struct descriptor *d, unsigned events))
{
    s->fd = fd;
    bytes_init(&s->queue, PROGRAM_QUEUE);
    descriptor_init(&s->descriptor, ev, ready);
}

static void close_stream(struct program_stream *s)
{
    if (s->fd < 0)
        return;
    descriptor_stop(&s->descriptor);
    close(s->fd);
    s->fd = -1;
}

static void watch_output(struct program_stream *s)
{
    bool wanted = s->fd >= 0 && bytes_room(&s->queue);
    if (wanted && !descriptor_is_watched(&s->descriptor))
        descriptor_watch(&s->descriptor, s->fd, DESCRIPTOR_READABLE);
    if (!wanted)
        descriptor_stop(&s->descriptor);
}

/* The program has closed its input, or all of it was written. */
static void end_input(struct program_stream *s)
{
    s->ended = true;
    bytes_fini(&s->queue);
    close_stream(s);
}

/* The end of one process. */

static bool outputs_ended(const struct program *p)
{
    return p->outputs[PROGRAM_OUT].ended && p->outputs[PROGRAM_ERR].ended;
}

/* From now on its number may belong to another process. */
static void reap(struct program *p)
{
    siginfo_t info;
    check(p->seen && p->pid > 0);
    descriptor_stop(&p->end);
    activity_drop_group(p->group);
    while (waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED) && errno == EINTR)
        ;
    close(p->pidfd);
    p->pid = p->pidfd = -1;
}

/* All of it has ended: no process holds its outputs any more. */
static void reap_if_over(struct program *p)
{
    if (p->state != PROGRAM_OVER || !outputs_ended(p))
        return;
    reap(p);
    if (p->input.queue.len == 0)
        end_input(&p->input);
}

bool program_is_over(const struct program *p)
{
    return p->pid < 0;
}

static void kill_group(const struct program *p, int number)
{
    if (!program_is_over(p))
        kill(-p->pid, number);
}

static void free_program(struct program *p)
{
    timer_stop(&p->patience);
    list_remove(&p->link);
    live.programs--;
    mem_put(p, sizeof *p);
}

/* Reads its status, and leaves that to be reaped. A library that waits for any child may have taken
 * it: nobody knows it then. */
static void look(struct program *p)
{
    siginfo_t info = {.si_pid = 0};
    if (waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED | WNOHANG | WNOWAIT)) {
        p->seen = errno == ECHILD;
        p->code = -1;
        return;
    }
    if (!info.si_pid)
        return;
    p->seen = true;
    p->code = info.si_code == CLD_EXITED ? info.si_status : -1;
    p->signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
}

static void on_end(struct descriptor *d, unsigned events)
{
    (void)events;
    struct program *p = container_of(d, struct program, end);
    look(p);
    if (!p->seen)
        return;
    descriptor_stop(&p->end);
    if (p->state == PROGRAM_KILLED) {
        reap(p);
        free_program(p);
    } else if (p->state == PROGRAM_RUNNING) {
        set_state(p, PROGRAM_OVER);
        reap_if_over(p);
        p->ops->on_end(p);
    }
}

static void on_patience(struct timer *t)
{
    struct program *p = container_of(t, struct program, patience);
    kill_group(p, SIGKILL);
    set_state(p, PROGRAM_KILLED);
    if (!p->seen)
        return;
    reap(p);
    free_program(p);
}

/* Its output. */

static struct program *of_output(const struct program_stream *s, enum program_output which)
{
    return container_of(s - which, struct program, outputs);
}

static void end_output(struct program *p, struct program_stream *s)
{
    s->ended = true;
    close_stream(s);
    reap_if_over(p);
}

static void read_output(struct program *p, enum program_output which)
{
    char piece[PIECE];
    struct program_stream *s = &p->outputs[which];
    size_t room = bytes_room(&s->queue);
    ssize_t n = read(s->fd, piece, room < sizeof piece ? room : sizeof piece);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0 && bytes_append(&s->queue, piece, (size_t)n) == RC_OK) {
        s->moved += (uint64_t)n;
        watch_output(s);
    } else {
        s->lost = n > 0;
        end_output(p, s);
    }
    p->ops->on_output(p, which);
}

static void on_out(struct descriptor *d, unsigned events)
{
    (void)events;
    struct program_stream *s = container_of(d, struct program_stream, descriptor);
    read_output(of_output(s, PROGRAM_OUT), PROGRAM_OUT);
}

static void on_err(struct descriptor *d, unsigned events)
{
    (void)events;
    struct program_stream *s = container_of(d, struct program_stream, descriptor);
    read_output(of_output(s, PROGRAM_ERR), PROGRAM_ERR);
}

const char *program_peek(const struct program *p, enum program_output which, size_t *n)
{
    return bytes_front(&p->outputs[which].queue, n);
}

void program_consume(struct program *p, enum program_output which, size_t n)
{
    struct program_stream *s = &p->outputs[which];
    bytes_drop(&s->queue, n);
    watch_output(s);
}

bool program_output_ended(const struct program *p, enum program_output which)
{
    return p->outputs[which].ended && p->outputs[which].queue.len == 0;
}

/* Its input. */

static void on_input(struct descriptor *d, unsigned events)
{
    (void)events;
    struct program_stream *s = container_of(d, struct program_stream, descriptor);
    struct program *p = container_of(s, struct program, input);
    size_t n;
    const char *piece = bytes_front(&s->queue, &n);
    ssize_t written = n ? write(s->fd, piece, n) : 0;
    if (written < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (written > 0) {
        bytes_drop(&s->queue, (size_t)written);
        s->moved += (uint64_t)written;
    }
    if (s->queue.len && written > 0)
        return;
    if (written < 0 || s->ended)
        end_input(s);
    else
        descriptor_stop(&s->descriptor);
    p->ops->on_room(p);
}

enum rc program_write(struct program *p, const char *data, size_t n, size_t *taken)
{
    struct program_stream *s = &p->input;
    *taken = 0;
    if (!program_takes(p))
        return RC_CLOSED;
    if (n > bytes_room(&s->queue))
        n = bytes_room(&s->queue);
    enum rc rc = n ? bytes_append(&s->queue, data, n) : RC_OK;
    if (rc || !n)
        return rc;
    *taken = n;
    if (!descriptor_is_watched(&s->descriptor))
        descriptor_watch(&s->descriptor, s->fd, DESCRIPTOR_WRITABLE);
    return RC_OK;
}

void program_finish(struct program *p)
{
    struct program_stream *s = &p->input;
    s->ended = true;
    if (s->queue.len == 0)
        end_input(s);
}

bool program_takes(const struct program *p)
{
    return p->input.fd >= 0 && !p->input.ended;
}

/* Life. */

static void take_over(struct program *p, struct programs *all, const struct launched *l)
{
    p->pid = l->pid;
    p->pidfd = l->pidfd;
    p->group = activity_add_group(p->pid);
    descriptor_init(&p->end, all->ev, on_end);
    descriptor_watch(&p->end, p->pidfd, DESCRIPTOR_READABLE);
    timer_init(&p->patience, all->ev, on_patience);
    open_stream(&p->input, l->in, all->ev, on_input);
    open_stream(&p->outputs[PROGRAM_OUT], l->out, all->ev, on_out);
    open_stream(&p->outputs[PROGRAM_ERR], l->err, all->ev, on_err);
    for (int i = 0; i < PROGRAM_OUTPUTS; i++)
        watch_output(&p->outputs[i]);
    list_append(&all->all, &p->link);
    live.programs++;
}

int program_start(struct programs *all, const struct launch_order *order,
    const struct program_ops *ops, void *owner, struct program **out, enum launch_step *step)
{
    struct launched launched;
    struct program *p = mem_get_zeroed(sizeof *p);
    *step = LAUNCH_PREPARING;
    if (!p)
        return ENOMEM;
    int error = launch(order, &launched, step);
    if (error) {
        mem_put(p, sizeof *p);
        return error;
    }
    list_init(&p->link);
    p->ops = ops;
    p->owner = owner;
    take_over(p, all, &launched);
    *out = p;
    return 0;
}

static void close_streams(struct program *p)
{
    end_input(&p->input);
    for (int i = 0; i < PROGRAM_OUTPUTS; i++) {
        close_stream(&p->outputs[i]);
        bytes_fini(&p->outputs[i].queue);
    }
}

void program_end(struct program *p)
{
    check(p->owner);
    p->owner = NULL;
    kill_group(p, SIGTERM);
    close_streams(p);
    if (program_is_over(p)) {
        free_program(p);
        return;
    }
    set_state(p, PROGRAM_TOLD_TO_END);
    timer_start(&p->patience, patience_seconds);
}

void program_signal(struct program *p, int number)
{
    kill_group(p, number);
}

void programs_init(struct programs *all, struct ev_loop *ev)
{
    all->ev = ev;
    list_init(&all->all);
}

/* Waits for a process until the time is over. */
static void await(struct program *p, double until)
{
    struct pollfd end = {.fd = p->pidfd, .events = POLLIN};
    double left = until - clock_monotonic();
    if (!p->seen)
        poll(&end, 1, left > 0 ? (int)ceil(left * 1000) : 0);
}

/* Waits for the process, which only the system can delay. */
static void finish(struct program *p)
{
    kill_group(p, SIGKILL);
    while (!p->seen) {
        await(p, clock_monotonic() + patience_seconds);
        look(p);
    }
    reap(p);
    free_program(p);
}

void programs_fini(struct programs *all)
{
    double until = clock_monotonic() + patience_seconds;
    for (struct list *node = all->all.next; node != &all->all; node = node->next)
        await(container_of(node, struct program, link), until);
    while (!list_empty(&all->all))
        finish(container_of(all->all.next, struct program, link));
}

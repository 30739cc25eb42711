#include "proc/master/proof.h"

#include "core/check.h"
#include "core/clock.h"
#include "core/list.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The load timeout makes scripts end with an error that names the place. Seconds that they then
 * have to report it. */
static const double last_words_seconds = 0.5;

enum { TEXT_MAX = 4 << 20, PIECE = 4096, PROVED = '+', REFUTED = '-' };

static int end(struct proof *p)
{
    int status = 0;
    ev_io_stop(p->loop, &p->readable);
    close(p->readable.fd);
    timer_stop(&p->limit);
    while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
        ;
    p->pid = 0;
    return status;
}

static void describe(const struct proof *p, int status, char *out, size_t size)
{
    if (p->ended)
        snprintf(out, size, "%s", p->ended);
    else if (WIFSIGNALED(status))
        snprintf(out, size, "signal %s ended the process that loaded the scripts",
            sigabbrev_np(WTERMSIG(status)));
    else
        snprintf(out, size, "the process that loaded the scripts ended with status %d",
            WEXITSTATUS(status));
}

/* The process writes its verdict and two texts, each ended by a NUL. */
static bool is_whole(const struct proof *p)
{
    const char *end = p->len > 1 ? memchr(p->text + 1, '\0', p->len - 1) : NULL;
    return end && end + 1 < p->text + p->len && p->text[p->len - 1] == '\0';
}

static void finish(struct proof *p)
{
    char how[128];
    int status = end(p);
    bool answered = status == 0 && !p->ended && is_whole(p);
    char *text = p->text;
    p->text = NULL;
    p->len = 0;
    if (answered) {
        p->done(p, text[0] == PROVED, text + 1, text + 1 + strlen(text + 1) + 1);
    } else {
        describe(p, status, how, sizeof how);
        p->done(p, false, how, "");
    }
    free(text);
}

/* Makes room for another piece. */
static bool grow(struct proof *p)
{
    char *text = p->len > TEXT_MAX ? NULL : realloc(p->text, p->len + PIECE);
    if (text)
        p->text = text;
    return text;
}

static void on_readable(struct ev_loop *ev, ev_io *w, int events)
{
    (void)ev, (void)events;
    struct proof *p = container_of(w, struct proof, readable);
    if (p->len > TEXT_MAX)
        proof_give_up(p, "the scripts name too many files that are to be watched");
    ssize_t n = grow(p) ? read(w->fd, p->text + p->len, PIECE) : 0;
    if (n < 0 && errno == EINTR)
        return;
    if (n <= 0) {
        finish(p);
        return;
    }
    p->len += (size_t)n;
}

/* Ends the process, which closes its end of the pipe. */
static void on_limit(struct timer *t)
{
    struct proof *p = container_of(t, struct proof, limit);
    snprintf(p->late, sizeof p->late,
        "the scripts take more than %g seconds to load: see --load-timeout", p->seconds);
    proof_give_up(p, p->late);
}

void proof_init(struct proof *p, struct ev_loop *loop,
    void (*done)(struct proof *p, bool proved, const char *why, const char *notes))
{
    *p = (struct proof){.loop = loop, .done = done};
    timer_init(&p->limit, loop, on_limit);
}

enum rc proof_start(struct proof *p, double seconds, int *fd)
{
    int ends[2];
    check(!p->pid);
    if (pipe2(ends, O_CLOEXEC))
        return RC_SYSTEM;
    p->pid = fork();
    if (p->pid <= 0)
        close(ends[0]);
    if (p->pid)
        close(ends[1]);
    *fd = p->pid == 0 ? ends[1] : -1;
    if (p->pid < 0)
        p->pid = 0;
    if (p->pid == 0)
        return *fd < 0 ? RC_SYSTEM : RC_OK;
    p->seconds = seconds;
    p->began = clock_monotonic();
    p->ended = NULL;
    ev_io_init(&p->readable, on_readable, ends[0], EV_READ);
    ev_io_start(p->loop, &p->readable);
    if (seconds > 0)
        timer_start(&p->limit, seconds + last_words_seconds);
    return RC_OK;
}

void proof_answer(int fd, bool proved, const char *why, const char *notes)
{
    FILE *f = fdopen(fd, "w");
    if (!f)
        return;
    fputc(proved ? PROVED : REFUTED, f);
    fwrite(why, 1, strlen(why) + 1, f);
    fwrite(notes, 1, strlen(notes) + 1, f);
    fclose(f);
}

bool proof_runs(const struct proof *p)
{
    return p->pid;
}

double proof_age(const struct proof *p)
{
    return clock_monotonic() - p->began;
}

void proof_give_up(struct proof *p, const char *why)
{
    if (!p->pid)
        return;
    p->ended = why;
    kill(p->pid, SIGKILL);
}

void proof_cancel(struct proof *p)
{
    if (!p->pid)
        return;
    kill(p->pid, SIGKILL);
    end(p);
    free(p->text);
    p->text = NULL;
    p->len = 0;
}

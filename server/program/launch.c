#include "program/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIPES = 3, ENDS = 2, NONE = -1 };

struct pipes {
    int ours[PIPES], theirs[PIPES];
};

/* What the new process reports, through the memory that it shares with this one. */
struct news {
    volatile int error;
    volatile enum launch_step step;
};

/* Descriptors. */

static void close_all(const int *fds, int count)
{
    for (int i = 0; i < count; i++)
        if (fds[i] != NONE)
            close(fds[i]);
}

/* If a standard stream of this process is closed, a pipe must not get its number: the new process
 * would close the pipe when it sets up its own streams. */
static int above_standard(int fd)
{
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    close(fd);
    return moved;
}

/* The program reads the first, and writes the others. */
static bool open_pipe(struct pipes *p, int which)
{
    int fds[ENDS];
    if (pipe2(fds, O_CLOEXEC))
        return false;
    for (int i = 0; i < ENDS; i++)
        fds[i] = above_standard(fds[i]);
    p->ours[which] = fds[which == STDIN_FILENO];
    p->theirs[which] = fds[which != STDIN_FILENO];
    return fds[0] >= 0 && fds[1] >= 0 && !fcntl(p->ours[which], F_SETFL, O_NONBLOCK);
}

static bool open_pipes(struct pipes *p)
{
    for (int i = 0; i < PIPES; i++)
        p->ours[i] = p->theirs[i] = NONE;
    for (int i = 0; i < PIPES; i++)
        if (!open_pipe(p, i))
            return false;
    return true;
}

/* The new process. All signals are blocked; nothing here may use the heap. */

static void fail(struct news *news, enum launch_step step)
{
    news->step = step;
    news->error = errno;
    _exit(127);
}

/* By the kernel's own call: the C library's refuses two signals that it keeps to itself, and that
 * the parent of the server may have ignored. */
static void reset_signals(void)
{
    static const unsigned long action[8]; /* a struct sigaction of the kernel's, with SIG_DFL */
    sigset_t none;
    for (int number = 1; number < _NSIG; number++)
        syscall(SYS_rt_sigaction, number, action, NULL, _NSIG / 8);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void keep_three_descriptors(const int theirs[PIPES])
{
    for (int i = 0; i < PIPES; i++)
        dup2(theirs[i], i);
    closefrom(PIPES);
}

/* Searches as execvp does, in the folders that were collected before. */
static int become_first_of(const struct launch_order *order)
{
    int error = ENOENT;
    for (const char *const *file = order->files; *file; file++) {
        execve(*file, (char *const *)order->argv, (char *const *)order->envp);
        if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
            return errno;
        if (errno == EACCES)
            error = EACCES;
    }
    return error;
}

/* The parent may have died before this process asked to be told of that. */
static _Noreturn void become(
    const struct launch_order *order, const struct pipes *p, pid_t parent, struct news *news)
{
    setsid();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
        fail(news, LAUNCH_PREPARING);
    keep_three_descriptors(p->theirs);
    if (order->folder && chdir(order->folder))
        fail(news, LAUNCH_FOLDER);
    reset_signals();
    errno = become_first_of(order);
    fail(news, LAUNCH_FILE);
    __builtin_unreachable();
}

/* This process. */

/* Not inlined, so that the new process, which shares the stack, uses only the part below this
 * frame. */
static __attribute__((noinline)) pid_t start(
    const struct launch_order *order, const struct pipes *p, struct news *news)
{
    pid_t parent = getpid();
    pid_t pid = vfork();
    if (pid == 0)
        become(order, p, parent, news);
    return pid;
}

/* No signal handler of this process may run in the new one. */
static pid_t start_without_signals(
    const struct launch_order *order, const struct pipes *p, struct news *news)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = start(order, p, news);
    if (pid < 0)
        news->error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}

/* A pid belongs to its child until that is reaped, and nobody else reaps it. */
static int watch(pid_t pid, struct news *news)
{
    int pidfd = news->error ? NONE : pidfd_open(pid, 0);
    if (pidfd >= 0)
        return pidfd;
    if (!news->error) {
        news->error = errno;
        kill(-pid, SIGKILL);
    }
    waitpid(pid, NULL, 0);
    return NONE;
}

int launch(const struct launch_order *order, struct launched *out, enum launch_step *step)
{
    struct pipes p;
    struct news news = {.error = 0, .step = LAUNCH_PREPARING};
    if (!open_pipes(&p))
        news.error = errno;
    out->pid = news.error ? NONE : start_without_signals(order, &p, &news);
    out->pidfd = out->pid > 0 ? watch(out->pid, &news) : NONE;
    close_all(p.theirs, PIPES);
    if (news.error)
        close_all(p.ours, PIPES);
    out->in = p.ours[STDIN_FILENO];
    out->out = p.ours[STDOUT_FILENO];
    out->err = p.ours[STDERR_FILENO];
    *step = news.step;
    return news.error;
}

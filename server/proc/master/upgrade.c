#include "proc/master/upgrade.h"

#include "core/check.h"
#include "core/list.h"
#include "core/log.h"
#include "net/tls_tickets.h"
#include "proc/worker/sockets.h"
#include "store/area.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const char sockets_name[] = "MOONTRAIL_SOCKETS";
static const char tickets_name[] = "MOONTRAIL_TICKETS";
static const char store_name[] = "MOONTRAIL_STORE";
static const char ready_name[] = "MOONTRAIL_READY";

/* Links in the path are kept: by the time of an upgrade they may lead to another program. */
static void find_program(const char *name, char out[PATH_MAX])
{
    char folder[PATH_MAX];
    int n = -1;
    if (name[0] == '/')
        n = snprintf(out, PATH_MAX, "%s", name);
    else if (strchr(name, '/') && getcwd(folder, sizeof folder))
        n = snprintf(out, PATH_MAX, "%s/%s", folder, name);
    if (n >= 0 && n < PATH_MAX)
        return;
    ssize_t len = readlink("/proc/self/exe", out, PATH_MAX - 1);
    out[len < 0 ? 0 : len] = '\0';
}

static void stop_waiting(struct upgrade *u)
{
    ev_io_stop(u->loop, &u->readable);
    close(u->readable.fd);
    timer_stop(&u->limit);
}

/* A program that has closed the pipe will never serve. It may still run, so it is killed. */
static void reap(struct upgrade *u)
{
    stop_waiting(u);
    kill(u->pid, SIGKILL);
    while (waitpid(u->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    u->pid = 0;
}

/* Reads the new program's word; the end of the pipe means that it has ended. */
static void on_readable(struct ev_loop *ev, ev_io *w, int events)
{
    (void)ev, (void)events;
    char word;
    struct upgrade *u = container_of(w, struct upgrade, readable);
    ssize_t n = read(w->fd, &word, 1);
    if (n < 0 && errno == EINTR)
        return;
    if (n > 0)
        stop_waiting(u);
    else
        reap(u);
    u->done(u, n > 0);
}

static void on_limit(struct timer *t)
{
    kill(container_of(t, struct upgrade, limit)->pid, SIGKILL);
}

void upgrade_init(struct upgrade *u, struct ev_loop *loop, char **argv,
    void (*done)(struct upgrade *u, bool ready))
{
    u->loop = loop;
    u->argv = argv;
    u->pid = 0;
    u->done = done;
    find_program(argv[0], u->program);
    timer_init(&u->limit, loop, on_limit);
}

static void pass(int fd)
{
    fcntl(fd, F_SETFD, 0);
}

static void pass_sockets(const struct sockets *s)
{
    for (int i = 0; i < s->count; i++) {
        for (int k = 0; k < s->addresses[i].count; k++)
            pass(s->addresses[i].fds[k]);
    }
}

static void name_fd(const char *name, int fd)
{
    char text[16];
    snprintf(text, sizeof text, "%d", fd);
    pass(fd);
    setenv(name, text, 1);
}

/* Stored in anonymous memory, which only the new program can read, unlike a file or the
 * environment. */
static int store_tickets(const struct tls_tickets *tickets)
{
    int fd = memfd_create("tickets", MFD_CLOEXEC);
    if (fd >= 0 && pwrite(fd, tickets, sizeof *tickets, 0) == sizeof *tickets)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* What the new program is given, beside the pipe. */
struct estate {
    const struct sockets *sockets;
    char *sockets_text;
    const struct area *area;
    char *area_text;
    int keys;
};

_Noreturn static void become(const struct upgrade *u, const struct estate *e, int ready)
{
    sigset_t none;
    pass_sockets(e->sockets);
    area_pass(e->area);
    setenv(sockets_name, e->sockets_text, 1);
    setenv(store_name, e->area_text, 1);
    name_fd(tickets_name, e->keys);
    name_fd(ready_name, ready);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(u->program, u->argv);
    fprintf(stderr, "moontrail: %s cannot be run: %s\n", u->program, strerror(errno));
    _exit(1);
}

enum rc upgrade_start(struct upgrade *u, const struct sockets *sockets,
    const struct tls_tickets *tickets, const struct area *area, double seconds)
{
    int ends[2] = {-1, -1};
    check(!u->pid);
    const struct estate e = {
        sockets, sockets_export(sockets), area, area_export(area), store_tickets(tickets)};
    pid_t pid = -1;
    if (e.sockets_text && e.area_text && e.keys >= 0 && pipe2(ends, O_CLOEXEC) == 0)
        pid = fork();
    if (pid == 0)
        become(u, &e, ends[1]);
    free(e.sockets_text);
    free(e.area_text);
    if (e.keys >= 0)
        close(e.keys);
    if (ends[1] >= 0)
        close(ends[1]);
    if (pid < 0) {
        if (ends[0] >= 0)
            close(ends[0]);
        return RC_SYSTEM;
    }
    u->pid = pid;
    ev_io_init(&u->readable, on_readable, ends[0], EV_READ);
    ev_io_start(u->loop, &u->readable);
    timer_start(&u->limit, seconds);
    return RC_OK;
}

void upgrade_cancel(struct upgrade *u)
{
    if (!u->pid || !ev_is_active(&u->readable))
        return;
    kill(u->pid, SIGTERM);
    stop_waiting(u);
}

static int take_fd(const char *name)
{
    const char *text = getenv(name);
    int fd = text ? atoi(text) : -1;
    unsetenv(name);
    return fd >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? fd : -1;
}

static void load_tickets(int fd, struct tls_tickets *tickets)
{
    struct tls_tickets loaded;
    if (fd >= 0 && pread(fd, &loaded, sizeof loaded, 0) == sizeof loaded)
        *tickets = loaded;
    if (fd >= 0)
        close(fd);
}

static struct area *take_area(void)
{
    const char *text = getenv(store_name);
    struct area *area = text ? area_import(text) : NULL;
    unsetenv(store_name);
    if (!area)
        log_event(LOG_WARN, "store begins empty",
            log_str("reason", "another version of the program has filled it"));
    return area;
}

enum rc upgrade_inherit(
    struct sockets *sockets, struct tls_tickets *tickets, struct area **area, int *ready)
{
    const char *text = getenv(sockets_name);
    *ready = UPGRADE_NONE;
    if (!text)
        return RC_OK;
    *ready = take_fd(ready_name);
    /* Another version of the program may have keys of another form: then sessions are not
     * resumed. */
    load_tickets(take_fd(tickets_name), tickets);
    *area = take_area();
    enum rc rc = *ready == UPGRADE_NONE ? RC_INVALID : sockets_import(text, sockets);
    unsetenv(sockets_name);
    return rc;
}

void upgrade_tell_ready(int ready)
{
    ssize_t told = write(ready, "+", 1);
    (void)told; /* the old program may have ended */
    close(ready);
}

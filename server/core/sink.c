#include "core/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A pipe that cannot be reopened is shared, and is asked before each piece whether it has room. */
static void open_pipe(struct sink *s)
{
    char name[32];
    snprintf(name, sizeof name, "/proc/self/fd/%d", s->fd);
    int own = open(name, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    s->kind = own >= 0 ? SINK_PIPE : SINK_SHARED_PIPE;
    if (own >= 0)
        s->fd = own;
}

void sink_open(struct sink *s, int fd)
{
    struct stat st;
    *s = (struct sink){.fd = fd, .kind = SINK_PLAIN};
    if (fstat(fd, &st))
        return;
    if (S_ISFIFO(st.st_mode))
        open_pipe(s);
    else if (S_ISSOCK(st.st_mode))
        s->kind = SINK_SOCKET;
}

/* Between the two calls only another writer can fill it. */
static ssize_t write_if_room(int fd, const char *text, size_t n)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    if (poll(&p, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
    }
    return write(fd, text, n < PIPE_BUF ? n : PIPE_BUF);
}

ssize_t sink_write(const struct sink *s, const char *text, size_t n)
{
    switch (s->kind) {
    case SINK_SOCKET:
        return send(s->fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    case SINK_SHARED_PIPE:
        return write_if_room(s->fd, text, n);
    default:
        return write(s->fd, text, n);
    }
}

bool sink_is_pipe(const struct sink *s)
{
    return s->kind == SINK_PIPE || s->kind == SINK_SHARED_PIPE;
}

void sink_close(struct sink *s)
{
    if (s->kind == SINK_PIPE)
        close(s->fd);
}

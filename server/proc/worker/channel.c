#include "proc/worker/channel.h"

#include "core/list.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct packet {
    unsigned char kind;
    char text[CHANNEL_TEXT + 1];
};

enum { HEAD = offsetof(struct packet, text) };

enum rc channel_pair(int fds[2])
{
    const int type = SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC;
    return socketpair(AF_UNIX, type, 0, fds) ? RC_SYSTEM : RC_OK;
}

/* RC_OK if a message was taken, RC_AGAIN if there is none, RC_CLOSED. */
static enum rc take(struct channel *ch)
{
    struct packet p;
    ssize_t n = recv(ch->readable.fd, &p, sizeof p - 1, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return RC_AGAIN;
    if (n < HEAD)
        return RC_CLOSED;
    p.text[n - HEAD] = '\0';
    ch->on_message(ch, (enum message)p.kind, p.text, (size_t)n - HEAD);
    return RC_OK;
}

static void on_readable(struct ev_loop *ev, ev_io *w, int events)
{
    (void)ev, (void)events;
    struct channel *ch = container_of(w, struct channel, readable);
    if (take(ch) == RC_CLOSED)
        ch->on_end(ch);
}

void channel_take_all(struct channel *ch)
{
    while (take(ch) == RC_OK)
        ;
}

void channel_start(struct channel *ch, struct ev_loop *loop, int fd)
{
    ch->loop = loop;
    ev_io_init(&ch->readable, on_readable, fd, EV_READ);
    ev_io_start(loop, &ch->readable);
}

enum rc channel_send(struct channel *ch, enum message kind, const void *text, size_t n)
{
    struct packet p = {.kind = (unsigned char)kind};
    if (n > CHANNEL_TEXT)
        n = CHANNEL_TEXT;
    if (n)
        memcpy(p.text, text, n);
    ssize_t sent = send(ch->readable.fd, &p, HEAD + n, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN ? RC_AGAIN : RC_CLOSED;
    return RC_OK;
}

void channel_stop(struct channel *ch)
{
    ev_io_stop(ch->loop, &ch->readable);
    close(ch->readable.fd);
}

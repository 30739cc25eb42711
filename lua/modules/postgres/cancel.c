#include "lua/modules/postgres/cancel.h"

#include "core/list.h"
#include "net/descriptor.h"
#include "net/timer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

/* Reading the key. */

static void read_line(struct key_reader *r)
{
    static const char mark[] = "BackendKeyData";
    int process, key;
    r->line[r->n < CANCEL_LINE ? r->n : CANCEL_LINE - 1] = '\0';
    const char *found = strstr(r->line, mark);
    r->n = 0;
    if (!found || sscanf(found + sizeof mark - 1, "%d %d", &process, &key) != 2)
        return;
    r->is_known = true;
    r->process = process;
    r->key = key;
}

static ssize_t on_trace(void *cookie, const char *bytes, size_t n)
{
    struct key_reader *r = cookie;
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == '\n')
            read_line(r);
        else if (r->n < CANCEL_LINE)
            r->line[r->n++] = bytes[i];
    }
    return (ssize_t)n;
}

void key_reader_start(struct key_reader *r, PGconn *pg)
{
    *r = (struct key_reader){
        .file = fopencookie(r, "w", (cookie_io_functions_t){.write = on_trace})};
    if (!r->file)
        return;
    PQtrace(pg, r->file);
    PQsetTraceFlags(pg, PQTRACE_SUPPRESS_TIMESTAMPS);
}

void key_reader_stop(struct key_reader *r, PGconn *pg)
{
    if (!r->file)
        return;
    PQuntrace(pg);
    fclose(r->file);
    r->file = NULL;
    explicit_bzero(r->line, sizeof r->line);
}

/* Requests under way. */

static const double seconds_at_most = 2;

enum { CANCEL_CODE = 80877102 }; /* "Message Formats", CancelRequest */

struct cancel {
    struct list link;
    struct descriptor descriptor;
    struct timer timer;
    int fd;
    bool is_sent;
    uint32_t request[4];
};

/* All of the process's. Their memory is not the pool's: those that are under way when a worker ends
 * are left to that. */
static struct list under_way = {&under_way, &under_way};

static void end(struct cancel *c)
{
    descriptor_stop(&c->descriptor);
    timer_stop(&c->timer);
    list_remove(&c->link);
    close(c->fd);
    free(c);
}

static void on_late(struct timer *t)
{
    end(container_of(t, struct cancel, timer));
}

/* The server closes once it has seen to it. */
static void on_ready(struct descriptor *d, unsigned events)
{
    struct cancel *c = container_of(d, struct cancel, descriptor);
    (void)events;
    if (c->is_sent || send(c->fd, c->request, sizeof c->request, MSG_NOSIGNAL) < 0) {
        end(c);
        return;
    }
    c->is_sent = true;
    descriptor_watch(&c->descriptor, c->fd, DESCRIPTOR_READABLE);
}

static int dial(int peer)
{
    struct sockaddr_storage to;
    socklen_t n = sizeof to;
    if (getpeername(peer, (struct sockaddr *)&to, &n))
        return -1;
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, n) && errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}

void cancel_start(struct ev_loop *ev, const struct key_reader *r, int fd)
{
    if (!r->is_known)
        return;
    struct cancel *c = calloc(1, sizeof *c);
    if (!c)
        return;
    c->fd = dial(fd);
    if (c->fd < 0) {
        free(c);
        return;
    }
    list_init(&c->link);
    c->request[0] = htonl(sizeof c->request);
    c->request[1] = htonl(CANCEL_CODE);
    c->request[2] = htonl((uint32_t)r->process);
    c->request[3] = htonl((uint32_t)r->key);
    list_append(&under_way, &c->link);
    descriptor_init(&c->descriptor, ev, on_ready);
    timer_init(&c->timer, ev, on_late);
    timer_start(&c->timer, seconds_at_most);
    /* At once where it is possible: a worker that ends has no other turn. */
    c->is_sent = send(c->fd, c->request, sizeof c->request, MSG_NOSIGNAL) > 0;
    descriptor_watch(&c->descriptor, c->fd, c->is_sent ? DESCRIPTOR_READABLE : DESCRIPTOR_WRITABLE);
}

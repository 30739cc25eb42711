#include "net/access_log.h"

#include "core/list.h"
#include "core/log.h"
#include "core/mem.h"
#include "http/exchange.h"
#include "net/access_line.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_SIZE = 2 * LINE_MAX_BYTES }; /* the rest of a line, and one more, always fit */

struct access_log {
    struct exchange_observer observer;
    const char *path;
    uid_t owner;
    void (*compose)(struct line *l, const struct exchange *x);
    int fd;
    bool is_pipe;
    bool failing;     /* the last write failed */
    bool torn;        /* the buffer begins within a line, whose start is in the file */
    uint64_t dropped; /* lines, since writing began to fail */
    size_t len;       /* bytes that wait in the buffer */
    struct line line;
    char buffer[BUFFER_SIZE];
};

/* Writing. */

/* How much of what waits behind done is written at once. To a pipe, which other processes may
 * write as well, only what goes there in one piece (PIPE_BUF). */
static size_t next_piece(const struct access_log *a, size_t done)
{
    const char *from = a->buffer + done;
    size_t left = a->len - done;
    if (!a->is_pipe || left <= PIPE_BUF)
        return left;
    const char *end = memrchr(from, '\n', PIPE_BUF);
    if (!end)
        end = memchr(from, '\n', left);
    return (size_t)(end - from) + 1;
}

/* Whether a write would go through: a pipe may be full. */
static bool is_writable(const struct access_log *a)
{
    struct pollfd p = {.fd = a->fd, .events = POLLOUT};
    return !a->is_pipe || poll(&p, 1, 0) != 0;
}

/* Writes what it can of the buffer; returns how much, and an errno, or 0, that says why not all. */
static size_t write_some(const struct access_log *a, int *error)
{
    size_t done = 0;
    *error = 0;
    while (done < a->len) {
        if (!is_writable(a)) {
            *error = EAGAIN;
            break;
        }
        ssize_t n = write(a->fd, a->buffer + done, next_piece(a, done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            *error = n ? errno : EIO;
            break;
        }
        done += (size_t)n;
    }
    return done;
}

/* Takes n bytes, which were written, from the buffer. */
static void take_written(struct access_log *a, size_t n)
{
    if (n == 0)
        return;
    a->torn = a->buffer[n - 1] != '\n';
    a->len -= n;
    memmove(a->buffer, a->buffer + n, a->len);
}

/* Empties the buffer but for the rest of a line that was begun. */
static void drop_lines(struct access_log *a)
{
    const char *end = a->buffer + a->len;
    const char *kept = a->torn ? (const char *)memchr(a->buffer, '\n', a->len) + 1 : a->buffer;
    for (const char *c = kept; c < end; c++)
        a->dropped += *c == '\n';
    a->len = (size_t)(kept - a->buffer);
}

static void fail(struct access_log *a, int error)
{
    if (!a->failing)
        log_event(LOG_ERROR, "access log failed", log_str("file", a->path),
            log_str("reason", error == EAGAIN ? "nobody reads it" : strerror(error)));
    a->failing = true;
    drop_lines(a);
}

static void recover(struct access_log *a)
{
    if (a->failing)
        log_event(LOG_INFO, "access log written again", log_str("file", a->path),
            log_int("dropped", (int64_t)a->dropped));
    a->failing = false;
    a->dropped = 0;
}

void access_log_flush(struct access_log *a)
{
    int error;
    if (a->len == 0)
        return;
    take_written(a, write_some(a, &error));
    if (error && error != EAGAIN)
        fail(a, error);
    else if (!error)
        recover(a);
}

static void on_ended(struct exchange_observer *o, const struct exchange *x)
{
    struct access_log *a = container_of(o, struct access_log, observer);
    a->compose(&a->line, x);
    if (a->line.len > BUFFER_SIZE - a->len)
        access_log_flush(a);
    if (a->line.len > BUFFER_SIZE - a->len)
        fail(a, EAGAIN);
    memcpy(a->buffer + a->len, a->line.text, a->line.len);
    a->len += a->line.len;
}

struct exchange_observer *access_log_observer(struct access_log *a)
{
    return &a->observer;
}

/* Opening. */

static bool is_stdout(const struct access_log *a)
{
    return strcmp(a->path, "-") == 0;
}

/* Follows no link: whoever may write to the folder is not to choose which file is given away. */
static int make_file(const struct access_log *a)
{
    int fd = open(a->path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0 || a->owner == geteuid() || fchown(fd, a->owner, (gid_t)-1) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* A pipe that has a name and no reader is an error, not a wait. */
static int open_file(const struct access_log *a)
{
    if (is_stdout(a))
        return STDOUT_FILENO;
    int fd = make_file(a);
    if (fd >= 0 || errno != EEXIST)
        return fd;
    return open(a->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
}

static void use_file(struct access_log *a, int fd)
{
    struct stat st;
    a->fd = fd;
    a->is_pipe = fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

static void close_file(const struct access_log *a)
{
    if (!is_stdout(a))
        close(a->fd);
}

enum rc access_log_open(const char *path, enum access_log_format format, uid_t owner,
    struct access_log **out, char why[ACCESS_LOG_WHY])
{
    struct access_log *a = mem_get_zeroed(sizeof *a);
    if (!a) {
        snprintf(why, ACCESS_LOG_WHY, "the access log: %s", rc_text(RC_NOMEM));
        return RC_NOMEM;
    }
    a->observer.ended = on_ended;
    a->path = path;
    a->owner = owner;
    a->compose = format == ACCESS_LOG_JSON ? access_line_json : access_line_combined;
    int fd = open_file(a);
    if (fd < 0) {
        snprintf(why, ACCESS_LOG_WHY, "the access log \"%.300s\" cannot be opened: %s", path,
            strerror(errno));
        mem_put(a, sizeof *a);
        return RC_SYSTEM;
    }
    use_file(a, fd);
    *out = a;
    return RC_OK;
}

void access_log_close(struct access_log *a)
{
    access_log_flush(a);
    close_file(a);
    mem_put(a, sizeof *a);
}

/* The rest of a line belongs to the file that has its start. */
static void drop_rest(struct access_log *a)
{
    if (!a->torn)
        return;
    const char *end = memchr(a->buffer, '\n', a->len);
    take_written(a, (size_t)(end - a->buffer) + 1);
    a->dropped++;
}

bool access_log_reopen(struct access_log *a)
{
    access_log_flush(a);
    int fd = open_file(a);
    if (fd < 0) {
        log_event(LOG_ERROR, "access log not reopened", log_str("file", a->path),
            log_str("reason", strerror(errno)));
        return false;
    }
    drop_rest(a);
    close_file(a);
    use_file(a, fd);
    return true;
}

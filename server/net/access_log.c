#include "net/access_log.h"

#include "core/list.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/sink.h"
#include "http/exchange.h"
#include "net/access_line.h"
#include "net/log_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_SIZE = 2 * LINE_MAX_BYTES }; /* room for the rest of a line and a whole one */

struct access_log {
    struct exchange_observer observer;
    const char *path;
    uid_t owner;
    void (*compose)(struct line *l, const struct exchange *x);
    struct sink sink;
    bool failing;     /* the last write failed */
    bool torn;        /* the buffer begins in the middle of a line, whose start is in the file */
    uint64_t dropped; /* lines lost since writing began to fail */
    size_t len;       /* bytes in the buffer, still to be written */
    struct line line;
    char buffer[BUFFER_SIZE];
};

/* Writing. */

/* How much of the buffer from done on is written at once. To a pipe, which other processes may
 * write to as well, only what arrives in one piece (PIPE_BUF). */
static size_t next_piece(const struct access_log *a, size_t done)
{
    const char *from = a->buffer + done;
    size_t left = a->len - done;
    if (!sink_is_pipe(&a->sink) || left <= PIPE_BUF)
        return left;
    const char *end = memrchr(from, '\n', PIPE_BUF);
    if (!end)
        end = memchr(from, '\n', left);
    return (size_t)(end - from) + 1;
}

/* Writes what it can of the buffer. Returns how much, and an errno that says why not all of it, or
 * 0. */
static size_t write_some(const struct access_log *a, int *error)
{
    size_t done = 0;
    *error = 0;
    while (done < a->len) {
        ssize_t n = sink_write(&a->sink, a->buffer + done, next_piece(a, done));
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

/* Removes n bytes that were written from the buffer. */
static void take_written(struct access_log *a, size_t n)
{
    if (n == 0)
        return;
    a->torn = a->buffer[n - 1] != '\n';
    a->len -= n;
    memmove(a->buffer, a->buffer + n, a->len);
}

/* Empties the buffer, except for the rest of a line that was begun. */
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

/* On failure returns false and fills why. */
static bool open_sink(const struct access_log *a, struct sink *s, char why[LOG_FILE_WHY])
{
    int fd;
    struct stat st;
    if (log_file_is_standard(a->path, &fd)) {
        sink_open(s, fd);
        return true;
    }
    fd = log_file_open(a->path, a->owner, why);
    bool is_pipe = fd >= 0 && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
    *s = (struct sink){fd, is_pipe ? SINK_PIPE : SINK_PLAIN};
    return fd >= 0;
}

static void close_sink(struct access_log *a)
{
    int fd;
    if (log_file_is_standard(a->path, &fd))
        sink_close(&a->sink);
    else
        close(a->sink.fd);
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
    char reason[LOG_FILE_WHY];
    if (!open_sink(a, &a->sink, reason)) {
        snprintf(
            why, ACCESS_LOG_WHY, "the access log \"%.300s\" cannot be opened: %s", path, reason);
        mem_put(a, sizeof *a);
        return RC_SYSTEM;
    }
    *out = a;
    return RC_OK;
}

void access_log_close(struct access_log *a)
{
    access_log_flush(a);
    close_sink(a);
    mem_put(a, sizeof *a);
}

/* The rest of a line belongs into the file that has its start. */
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
    struct sink fresh;
    char reason[LOG_FILE_WHY];
    if (!open_sink(a, &fresh, reason)) {
        log_event(LOG_ERROR, "access log not reopened", log_str("file", a->path),
            log_str("reason", reason));
        return false;
    }
    drop_rest(a);
    close_sink(a);
    a->sink = fresh;
    return true;
}

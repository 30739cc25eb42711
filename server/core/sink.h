/*
 * A sink: a descriptor that came from outside, such as stderr, to be written to without waiting.
 *
 * Other processes may share it, so its flags are left alone: a pipe is opened anew, by its name in
 * /proc, and a socket is asked not to wait each time. A file or a terminal is written to as it is.
 */
#ifndef CORE_SINK_H
#define CORE_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum sink_kind { SINK_PLAIN, SINK_PIPE, SINK_SHARED_PIPE, SINK_SOCKET };

struct sink {
    int fd;
    enum sink_kind kind;
};

/* The descriptor is borrowed. */
void sink_open(struct sink *s, int fd);
/* Like write(2), but never waits: EAGAIN if it is full. What goes into a pipe beyond PIPE_BUF bytes
 * may be written in part. */
ssize_t sink_write(const struct sink *s, const char *text, size_t n);
/* Whether it is a pipe, which other processes may write to as well. */
bool sink_is_pipe(const struct sink *s);
void sink_close(struct sink *s);

#endif

/*
 * Lines of a message as they arrive, in pieces of any size. A line that was received in one piece
 * is not copied; any other is put together in a buffer, which is freed with the message's last
 * line. A line ends in CRLF and nothing else (RFC 9112 2.2 lets a recipient take a lone LF; a
 * recipient that does disagrees with one that does not about where a message ends).
 */
#ifndef H1_LINE_H
#define H1_LINE_H

#include "core/str.h"
#include "h1/fault.h"

#include <stdint.h>

struct h1_line {
    char *buffer;
    size_t n, room;
    bool complete; /* the buffer holds a line that was given out */
};

void h1_line_init(struct h1_line *l);
/* Frees the buffer. */
void h1_line_fini(struct h1_line *l);

/* Takes a line of up to max bytes off the front of the data: out is the line without its CRLF, to
 * be used before the next call. False while it is not complete: then all of the data was taken, or
 * *fault says what is wrong. */
bool h1_line_take(
    struct h1_line *l, struct str *data, size_t max, struct str *out, enum h1_fault *fault);

#endif

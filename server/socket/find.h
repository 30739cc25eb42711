/*
 * Where a line or a mark ends in bytes that arrive piece by piece. What was looked through is not
 * looked through again:
 *
 *     struct find f = {0};
 *     while (!find_line(&f, content, &n)) …more arrives at the end of content
 */
#ifndef SOCKET_FIND_H
#define SOCKET_FIND_H

#include "core/str.h"

struct find {
    size_t looked; /* no end begins before this byte */
};

/* Finds the first line feed: *line is the length of what stands before it, without a CR that is
 * there, *taken the length with its end. */
bool find_line(struct find *f, struct str content, size_t *line, size_t *taken);
/* Finds the mark, of a byte at the least: *before is the length of what stands before it. */
bool find_mark(struct find *f, struct str content, struct str mark, size_t *before);

#endif

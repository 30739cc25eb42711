/*
 * A line of text under construction, for logs. It is bounded: what does not fit is left out, and
 * noted. What comes from outside is escaped as JSON escapes it, so that it neither ends the line
 * nor the quotes around it.
 */
#ifndef CORE_LINE_H
#define CORE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINE_MAX_BYTES = 65536 };

struct line {
    size_t len;
    size_t max; /* bytes that may be put */
    bool cut;   /* something did not fit */
    char text[LINE_MAX_BYTES];
};

/* Empties the line. end_room bytes are kept free, for its end. */
void line_init(struct line *l, size_t end_room);

static inline size_t line_room(const struct line *l)
{
    return l->max - l->len;
}

void line_put(struct line *l, const char *text, size_t n);
void line_put_text(struct line *l, const char *text);
/* A whole number, of so many digits at the least. */
void line_put_number(struct line *l, uint64_t number, int digits);
/* At most 63 bytes. */
__attribute__((format(printf, 2, 3))) void line_put_format(struct line *l, const char *fmt, ...);
/* Escaped, and cut between characters; a byte that is no UTF-8 is escaped as Latin-1. */
void line_put_escaped(struct line *l, const char *text, size_t n);
/* Likewise, in quotes. */
void line_put_quoted(struct line *l, const char *text, size_t n);
/* The time now, as "2026-01-31T12:00:00.000Z". */
void line_put_time(struct line *l);

#endif

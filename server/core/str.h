/* A borrowed run of bytes; its lender says for how long. It need not end in NUL. */
#ifndef CORE_STR_H
#define CORE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})

static inline struct str str_of(const char *text)
{
    return (struct str){text, strlen(text)};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && memcmp(s.p, prefix.p, prefix.n) == 0;
}

/* Moves up to room bytes from the front of s to out; returns how many. */
static inline size_t str_move(struct str *s, void *out, size_t room)
{
    size_t n = s->n < room ? s->n : room;
    if (n) {
        memcpy(out, s->p, n);
        s->p += n;
        s->n -= n;
    }
    return n;
}

#endif

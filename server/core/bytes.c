#include "core/bytes.h"

#include "core/check.h"
#include "core/mem.h"

#include <string.h>

enum { CHUNK_MIN = 512, CHUNK_MAX = 16384 };

struct bytes_chunk {
    struct bytes_chunk *next;
    size_t size;       /* of the whole block */
    size_t start, end; /* the part of data that is queued */
    char data[];
};

static size_t capacity(const struct bytes_chunk *c)
{
    return c->size - sizeof *c;
}

void bytes_init(struct bytes *b, size_t max)
{
    b->first = b->last = NULL;
    b->len = 0;
    b->max = max;
}

void bytes_fini(struct bytes *b)
{
    bytes_drop(b, b->len);
}

/* A new, empty chunk, with room for n bytes or, if those are too many, for the first of them. */
static struct bytes_chunk *new_chunk(size_t n)
{
    size_t size = CHUNK_MIN;
    while (size < CHUNK_MAX && size - sizeof(struct bytes_chunk) < n)
        size *= 2;
    struct bytes_chunk *c = mem_get(size);
    if (!c)
        return NULL;
    c->next = NULL;
    c->size = size;
    c->start = c->end = 0;
    return c;
}

/* Chunks with room for n bytes in all, linked; NULL if memory ran out. */
static struct bytes_chunk *new_chunks(size_t n, struct bytes_chunk **last)
{
    struct bytes_chunk *first = NULL, **link = &first;
    for (;;) {
        struct bytes_chunk *c = new_chunk(n);
        if (!c)
            break;
        *link = *last = c;
        link = &c->next;
        if (n <= capacity(c))
            return first;
        n -= capacity(c);
    }
    while (first) {
        struct bytes_chunk *next = first->next;
        mem_put(first, first->size);
        first = next;
    }
    return NULL;
}

/* Fills chunk c with as much of data as fits; returns how much. */
static size_t fill(struct bytes_chunk *c, const char *data, size_t n)
{
    size_t room = capacity(c) - c->end;
    if (n > room)
        n = room;
    memcpy(c->data + c->end, data, n);
    c->end += n;
    return n;
}

enum rc bytes_append(struct bytes *b, const void *data, size_t n)
{
    const char *from = data;
    if (n > bytes_room(b))
        return RC_LIMIT;
    if (n == 0)
        return RC_OK;
    size_t room = b->last ? capacity(b->last) - b->last->end : 0;
    struct bytes_chunk *more = NULL, *last = b->last;
    if (n > room) {
        more = new_chunks(n - room, &last);
        if (!more)
            return RC_NOMEM;
    }
    b->len += n;
    if (b->last) {
        size_t filled = fill(b->last, from, n);
        from += filled;
        n -= filled;
        b->last->next = more;
    } else {
        b->first = more;
    }
    for (struct bytes_chunk *c = more; c; c = c->next) {
        size_t filled = fill(c, from, n);
        from += filled;
        n -= filled;
    }
    b->last = last;
    return RC_OK;
}

const char *bytes_front(const struct bytes *b, size_t *n)
{
    if (!b->first) {
        *n = 0;
        return NULL;
    }
    *n = b->first->end - b->first->start;
    return b->first->data + b->first->start;
}

void bytes_drop(struct bytes *b, size_t n)
{
    check_hot(n <= b->len);
    b->len -= n;
    while (b->first) {
        struct bytes_chunk *c = b->first;
        size_t here = c->end - c->start;
        if (n < here) {
            c->start += n;
            return;
        }
        n -= here;
        b->first = c->next;
        mem_put(c, c->size);
    }
    b->last = NULL;
}

size_t bytes_take(struct bytes *b, void *out, size_t n)
{
    char *to = out;
    size_t taken = 0;
    while (taken < n && b->len) {
        size_t run;
        const char *front = bytes_front(b, &run);
        if (run > n - taken)
            run = n - taken;
        memcpy(to + taken, front, run);
        bytes_drop(b, run);
        taken += run;
    }
    return taken;
}

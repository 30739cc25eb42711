/*
 * What has arrived and is not read yet: one run of bytes, so that what is looked for in it is found
 * where it stands. It grows up to INBOX_MAX bytes; for more, the reader lends a larger place.
 */
#ifndef SOCKET_INBOX_H
#define SOCKET_INBOX_H

#include "core/rc.h"
#include "core/str.h"

#include <stdbool.h>
#include <stddef.h>

enum { INBOX_MAX = 65536 };

struct inbox {
    char *data;
    size_t start, end, size;
    bool lent; /* data is the reader's */
};

void inbox_init(struct inbox *in);
void inbox_fini(struct inbox *in);

static inline struct str inbox_content(const struct inbox *in)
{
    return in->data ? (struct str){in->data + in->start, in->end - in->start} : STR("");
}

/* How many bytes more it may hold. */
size_t inbox_room(const struct inbox *in);
/* Makes a place for bytes to be received into: *at has room for *n, at least `least` of them, for
 * which there is room. RC_NOMEM. */
enum rc inbox_reserve(struct inbox *in, size_t least, char **at, size_t *n) MUST_CHECK;
/* So many bytes have been put there. */
void inbox_add(struct inbox *in, size_t n);
/* Drops n bytes from the front. */
void inbox_drop(struct inbox *in, size_t n);
/* The content moves to a larger place, which must last until inbox_restore or inbox_fini. */
void inbox_lend(struct inbox *in, char *place, size_t size);
/* If the content fits, it leaves the place that was lent. Returns whether it did. */
bool inbox_restore(struct inbox *in);

#endif

#include "socket/inbox.h"

#include "core/check.h"
#include "core/mem.h"

enum { INBOX_FIRST = 4096 };

void inbox_init(struct inbox *in)
{
    *in = (struct inbox){.data = NULL};
}

static void free_own(struct inbox *in)
{
    if (!in->lent)
        mem_put(in->data, in->size);
}

void inbox_fini(struct inbox *in)
{
    free_own(in);
    inbox_init(in);
}

size_t inbox_room(const struct inbox *in)
{
    return (in->lent ? in->size : INBOX_MAX) - (in->end - in->start);
}

static void move(struct inbox *in, char *to)
{
    struct str content = inbox_content(in);
    if (content.n)
        memmove(to, content.p, content.n);
    in->start = 0;
    in->end = content.n;
}

static enum rc grow(struct inbox *in, size_t need)
{
    size_t size = in->size ? 2 * in->size : INBOX_FIRST;
    while (size < need)
        size *= 2;
    char *data = mem_get(size);
    if (!data)
        return RC_NOMEM;
    move(in, data);
    free_own(in);
    in->data = data;
    in->size = size;
    return RC_OK;
}

/* A buffer that is more than half full is enlarged; otherwise its content moves to the front only
 * where it stands in the way. */
enum rc inbox_reserve(struct inbox *in, size_t least, char **at, size_t *n)
{
    size_t len = in->end - in->start;
    check_hot(least <= inbox_room(in));
    bool may_grow = !in->lent && in->size < INBOX_MAX;
    if (may_grow && (len + least > in->size || len > in->size / 2)) {
        enum rc rc = grow(in, len + least);
        if (rc)
            return rc;
    } else if (in->size - in->end < least || in->start > in->size / 2) {
        move(in, in->data);
    }
    *at = in->data + in->end;
    *n = in->size - in->end;
    return RC_OK;
}

void inbox_add(struct inbox *in, size_t n)
{
    check_hot(n <= in->size - in->end);
    in->end += n;
}

void inbox_drop(struct inbox *in, size_t n)
{
    check_hot(n <= in->end - in->start);
    in->start += n;
    if (in->start == in->end)
        in->start = in->end = 0;
}

void inbox_lend(struct inbox *in, char *place, size_t size)
{
    check(size > in->size);
    char *old = in->lent ? NULL : in->data;
    size_t old_size = in->size;
    move(in, place);
    mem_put(old, old_size);
    in->data = place;
    in->size = size;
    in->lent = true;
}

bool inbox_restore(struct inbox *in)
{
    struct inbox own;
    char *at;
    size_t n, len = in->end - in->start;
    check(in->lent);
    inbox_init(&own);
    if (len > INBOX_MAX || (len && inbox_reserve(&own, len, &at, &n)))
        return false;
    if (len) {
        memcpy(at, in->data + in->start, len);
        inbox_add(&own, len);
    }
    *in = own;
    return true;
}

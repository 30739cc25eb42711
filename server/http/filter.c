#include "http/filter.h"

#include "core/check.h"
#include "http/outgoing.h"

/* Passing on. */

static enum rc take_head(struct outgoing *o)
{
    check(!o->filters->head_passed);
    o->filters->head_passed = true;
    return RC_OK;
}

/* A filter whose output for one piece exceeds the slack runs out of memory. */
static enum rc queue_body(struct outgoing *o, const char *data, size_t n)
{
    check(o->filters->head_passed);
    if (n && bytes_append(&o->body, data, n))
        return RC_NOMEM;
    o->filters->passed += n;
    return RC_OK;
}

enum rc filter_head(struct filter *f, struct outgoing *o)
{
    while (f && !f->ops->head)
        f = f->next;
    return f ? f->ops->head(f, o) : take_head(o);
}

enum rc filter_body(struct filter *f, struct outgoing *o, const char *data, size_t n)
{
    while (f && !f->ops->body)
        f = f->next;
    return f ? f->ops->body(f, o, data, n) : queue_body(o, data, n);
}

enum rc filter_flush(struct filter *f, struct outgoing *o)
{
    while (f && !f->ops->flush)
        f = f->next;
    return f ? f->ops->flush(f, o) : RC_OK;
}

enum rc filter_end(struct filter *f, struct outgoing *o)
{
    while (f && !f->ops->end)
        f = f->next;
    return f ? f->ops->end(f, o) : RC_OK;
}

void filter_drop_length(struct outgoing *o)
{
    check(!o->filters->head_passed);
    o->filters->drops_length = true;
    fields_remove(&o->head, STR("content-length"));
}

/* The chain. */

static enum rc enter(struct outgoing *o)
{
    check(!o->filters->running);
    if (o->filters->failed)
        return RC_NOMEM;
    o->filters->running = true;
    return RC_OK;
}

static enum rc leave(struct outgoing *o, enum rc rc)
{
    o->filters->running = false;
    if (rc)
        o->filters->failed = true;
    return rc;
}

enum rc filters_begin(struct outgoing *o)
{
    struct filter_chain *c = o->filters;
    if (c->begun)
        return RC_OK;
    enum rc rc = enter(o);
    if (rc)
        return rc;
    c->begun = c->holds = true;
    return leave(o, filter_head(c->first, o));
}

enum rc filters_write(struct outgoing *o, const char *data, size_t n, size_t *taken)
{
    struct filter_chain *c = o->filters;
    enum rc rc = enter(o);
    if (rc)
        return rc;
    while (!rc && *taken < n && o->body.len < OUTGOING_QUEUE_HIGH) {
        size_t left = n - *taken, piece = left < FILTER_PIECE ? left : FILTER_PIECE;
        rc = filter_body(c->first, o, data + *taken, piece);
        *taken += piece;
        c->holds = true;
    }
    return leave(o, rc);
}

/* The queue always has room for the slack after what is in it. */
static void keep_slack(struct outgoing *o)
{
    if (o->body.max < o->body.len + FILTER_SLACK)
        o->body.max = o->body.len + FILTER_SLACK;
}

enum rc filters_write_whole(struct outgoing *o, const char *data, size_t n)
{
    struct filter_chain *c = o->filters;
    enum rc rc = enter(o);
    if (rc)
        return rc;
    for (size_t piece; !rc && n; data += piece, n -= piece) {
        piece = n < FILTER_PIECE ? n : FILTER_PIECE;
        rc = filter_body(c->first, o, data, piece);
        keep_slack(o);
        c->holds = true;
    }
    return leave(o, rc);
}

enum rc filters_flush(struct outgoing *o)
{
    struct filter_chain *c = o->filters;
    enum rc rc = enter(o);
    if (rc)
        return rc;
    c->holds = false;
    rc = leave(o, filter_flush(c->first, o));
    check(rc || c->head_passed);
    return rc;
}

enum rc filters_end(struct outgoing *o)
{
    struct filter_chain *c = o->filters;
    enum rc rc = enter(o);
    if (rc)
        return rc;
    c->holds = false;
    rc = leave(o, filter_end(c->first, o));
    check(rc || c->head_passed);
    check(rc || !o->length_set || c->drops_length || o->no_content || c->passed == o->length);
    return rc;
}

bool filters_drain(struct outgoing *o)
{
    const struct filter_chain *c = o->filters;
    if (!c->failed && c->holds && o->state == OUTGOING_STARTED && o->body.len == 0)
        return filters_flush(o) == RC_OK;
    return !c->failed;
}

void filters_restart(struct filter_chain *c)
{
    *c = (struct filter_chain){.first = c->first};
}

void filters_free(struct filter_chain *c)
{
    for (struct filter *f = c->first, *next; f; f = next) {
        next = f->next;
        f->ops->free(f);
    }
}

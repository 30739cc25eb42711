/*
 * Filters stand between the writer of a message and the queue that a session takes it from: a
 * compression, or a tap that looks on.
 *
 *     outgoing_write ──▶ filter added last ──▶ … ──▶ filter added first ──▶ queue ──▶ session
 *
 * Each operation passes on by the function of its name, with f->next, what it makes of what it is
 * given: at once, or later, and always in the order head, body, end. What goes into the queue is
 * what counts against its limits, and as sent; the length that the writer has set is held against
 * what it writes.
 *
 * A tunnel (o->raw) passes them as well; a filter that changes bodies leaves a tunnel's alone.
 *
 * When the writer waits and the queue is empty, the filters are flushed, so that none keeps back
 * what the peer could have. A filter's error is final: the stream is reset.
 */
#ifndef HTTP_FILTER_H
#define HTTP_FILTER_H

#include "core/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct filter;
struct outgoing;

enum {
    FILTER_PIECE = 16384,  /* bytes of a body that a filter is given at a time, at the most */
    FILTER_SLACK = 262144, /* bytes by which what it makes of them may pass the queue's limit */
};

/* Each may be NULL but free: then it only passes on. RC_NOMEM, RC_SYSTEM. */
struct filter_ops {
    /* The head is fixed, as far as its writer goes. A filter may change fields by the functions of
     * outgoing.h, and drop the length, until it passes the head on; with flush or end at the latest
     * it must. Comes again where the response is begun anew, for an error page: what came before it
     * is void. */
    enum rc (*head)(struct filter *f, struct outgoing *o);
    /* More of the body; borrowed for the call. Not for a message without content. */
    enum rc (*body)(struct filter *f, struct outgoing *o, const char *data, size_t n);
    /* All that was kept back goes on. */
    enum rc (*flush)(struct filter *f, struct outgoing *o);
    /* Nothing follows, and o->trailers are complete: all that was kept back goes on. */
    enum rc (*end)(struct filter *f, struct outgoing *o);
    /* Called once, whatever has come before: the message is over, or aborted. */
    void (*free)(struct filter *f);
};

/* Embedded by its owner, whom free tells when it may go. */
struct filter {
    const struct filter_ops *ops;
    struct filter *next; /* set by outgoing_add_filter; NULL: the queue is next */
};

/* For filters: pass on, f being their next. */
enum rc filter_head(struct filter *f, struct outgoing *o) MUST_CHECK;
enum rc filter_body(struct filter *f, struct outgoing *o, const char *data, size_t n) MUST_CHECK;
enum rc filter_flush(struct filter *f, struct outgoing *o) MUST_CHECK;
enum rc filter_end(struct filter *f, struct outgoing *o) MUST_CHECK;
/* What goes on has another length than what is written: no content-length says the one that the
 * writer has set. Before the head is passed on. */
void filter_drop_length(struct outgoing *o);

/* The filters of a message, for outgoing.c. In the message's arena. */
struct filter_chain {
    struct filter *first;
    uint64_t passed;  /* bytes of body that have come to the queue */
    bool begun;       /* the head was given to the first */
    bool head_passed; /* and has come to the queue */
    bool running;     /* a filter's operation is under way */
    bool holds;       /* something was given to the first since the last flush */
    bool drops_length;
    bool failed;
};

/* The head, to the first; no effect where it has it. */
enum rc filters_begin(struct outgoing *o) MUST_CHECK;
/* As many of n bytes as there is room for, until the queue is full. */
enum rc filters_write(struct outgoing *o, const char *data, size_t n, size_t *taken) MUST_CHECK;
/* All of n bytes, however long the queue gets. */
enum rc filters_write_whole(struct outgoing *o, const char *data, size_t n) MUST_CHECK;
enum rc filters_flush(struct outgoing *o) MUST_CHECK;
enum rc filters_end(struct outgoing *o) MUST_CHECK;
/* A session asks for more: flushes where nothing is queued. False where a filter has failed. */
bool filters_drain(struct outgoing *o);
/* Back to before the head. */
void filters_restart(struct filter_chain *c);
void filters_free(struct filter_chain *c);

#endif

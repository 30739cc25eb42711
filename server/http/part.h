/*
 * A part: what lives with the process and works in turns, between what is received and what is
 * sent. A worker has a list of them; each may belong to a handler, or to none.
 */
#ifndef HTTP_PART_H
#define HTTP_PART_H

#include <stdbool.h>
#include <stddef.h>

struct part;

enum { PART_TICK_MS = 20 }; /* milliseconds of CPU time */

/* Each may be NULL. */
struct part_ops {
    /* Does queued work, within a budget. Returns whether there is more, for another turn. */
    bool (*run)(struct part *p);
    /* The loop's thread has run for another PART_TICK_MS. Called from a signal handler. */
    void (*tick)(struct part *p);
    /* Writes what it is at to the process's activity. Called from a signal handler. */
    void (*describe)(struct part *p);
    /* Logs the requests under way, which are about to be cut. */
    void (*log_cut)(struct part *p);
    /* Loads anew what it works with. If that fails, the old stays in force, and why says what
     * failed. Returns whether it succeeded. */
    bool (*reload)(struct part *p, char *why, size_t why_size);
    /* The worker drains: requests under way end, and no more come. */
    void (*drain)(struct part *p);
    /* Whether a worker that drains is not to end yet, though its requests have. */
    bool (*holds)(struct part *p);
    /* What is on disk does not load, for the reason given; NULL: it does again. */
    void (*set_fault)(struct part *p, const char *why);
};

struct part {
    const struct part_ops *ops;
    struct part *next;
    bool ready; /* something was queued for it since it last ran, by another part */
};

/* Parts in the order in which they run; they are borrowed. */
struct parts {
    struct part *first;
};

void parts_add(struct parts *all, struct part *p);
/* Runs each part once, and once more those that others have made ready after their turn, so that
 * what one hands to another is under way in this turn. Returns whether there is more to do. */
bool parts_run(const struct parts *all);
bool parts_have_tick(const struct parts *all);
void parts_tick(const struct parts *all);
void parts_describe(const struct parts *all);
void parts_log_cut(const struct parts *all);
/* Ends with the first that fails. */
bool parts_reload(const struct parts *all, char *why, size_t why_size);
void parts_drain(const struct parts *all);
bool parts_hold(const struct parts *all);
void parts_set_fault(const struct parts *all, const char *why);

#endif

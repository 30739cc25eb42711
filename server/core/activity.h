/*
 * What the process is doing, for a reader that cannot ask it: a worker keeps its own on the page
 * that it shares with the master (proc/worker/board.h). Nothing in it is ever locked; a text may be
 * seen half written, and always ends.
 */
#ifndef CORE_ACTIVITY_H
#define CORE_ACTIVITY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ACTIVITY_TEXT = 256,
    ACTIVITY_GROUPS = 128,
    ACTIVITY_NO_GROUP = -1,
};

struct activity {
    _Atomic uint32_t steps;   /* of scripts, begun and ended: odd while one runs */
    atomic_bool asked;        /* the step that runs is to be told of when it ends */
    _Atomic int64_t requests; /* under way, as of the last turn */
    _Atomic uint64_t awaits;  /* beats of its heart while it waits for another process */
    /* The request that runs, written when the process is asked by a signal; else empty. */
    char method[32], path[ACTIVITY_TEXT], script[ACTIVITY_TEXT];
    char loading[ACTIVITY_TEXT]; /* the file that is being loaded; else empty */
    /* The process groups of its programs, 0 for none: the process that sees it end ends them
     * too. */
    _Atomic int32_t groups[ACTIVITY_GROUPS];
};

/* Memory of the process's own until it is moved to the shared page. */
extern struct activity *activity;

/* A script begins to run. */
static inline void activity_begin(void)
{
    uint32_t steps = atomic_load_explicit(&activity->steps, memory_order_relaxed);
    atomic_store_explicit(&activity->steps, steps + 1, memory_order_relaxed);
}

/* It waits for another process, whose time is bounded: that counts as a beat of its heart. */
static inline void activity_await(void)
{
    atomic_fetch_add_explicit(&activity->awaits, 1, memory_order_relaxed);
}

/* The script waits, or has ended. Returns whether it took so long that the master has asked. */
static inline bool activity_end(void)
{
    uint32_t steps = atomic_load_explicit(&activity->steps, memory_order_relaxed);
    atomic_store_explicit(&activity->steps, steps + 1, memory_order_relaxed);
    return atomic_load_explicit(&activity->asked, memory_order_relaxed);
}

/* Writes as much of a text as there is room for. Safe in a signal handler. */
void activity_write(char *to, size_t size, const char *text, size_t n);
/* A process group is its own, and no longer is. Of more than there is room for nothing is noted:
 * ACTIVITY_NO_GROUP. */
int activity_add_group(int32_t group);
void activity_drop_group(int place);
/* A file begins to load; NULL: loading is over. */
void activity_load(const char *file);

#endif

/*
 * A pool of threads for what blocks and has no other way: a disk that is waited for, a hash that is
 * slow on purpose. It is the one place with threads; the loop stays alone with everything else.
 *
 *     loop: pool_submit ──▶ thread: run ──▶ wake-up ──▶ loop, in pool_collect: done
 *
 * The threads are made with the first work, in a process that has called pool_open: workers do, the
 * master and proofs do not. What runs there touches neither Lua nor core/mem nor the log; it has
 * copies of what it needs. Work whose owner no longer waits ends all the same, and done lets go of
 * the result.
 */
#ifndef CORE_POOL_H
#define CORE_POOL_H

#include "core/list.h"
#include "core/rc.h"

enum { POOL_THREADS = 4 };

struct pool_work {
    struct list link;
    void (*run)(struct pool_work *w);  /* in a thread */
    void (*done)(struct pool_work *w); /* in the loop; may free w */
};

/* From now on there may be work. watch is called with the first: from then on, whenever the
 * descriptor is readable, pool_collect is to be called. */
void pool_open(void (*watch)(void *data, int fd), void *data);
/* Begins work in the order in which it is submitted. RC_STATE where the pool is not open;
 * RC_SYSTEM where there can be no threads. */
enum rc pool_submit(struct pool_work *w) MUST_CHECK;
/* Calls done for what has ended. */
void pool_collect(void);
/* Waits for all that was submitted, calls done, and ends the threads. */
void pool_close(void);

#endif

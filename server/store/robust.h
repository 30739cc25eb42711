/*
 * A lock in memory that processes share, held for microseconds. A holder that is killed leaves it
 * to the next, who is told so; one that is stopped while others wait is killed by who waits, so
 * that no process can hold up the others for longer than their hearts may be still.
 */
#ifndef STORE_ROBUST_H
#define STORE_ROBUST_H

#include "core/rc.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct robust {
    pthread_mutex_t mutex;
    _Atomic uint64_t taken;  /* how often */
    _Atomic uint32_t killed; /* holders, so far */
};

/* In memory that is zero. RC_SYSTEM. */
enum rc robust_init(struct robust *r) MUST_CHECK;
/* Waits for the lock; one and the same holder for so many tenths of a second at the most, for which
 * this process's heart beats on. Whether the last holder died with it: what it guards may be half
 * done. */
bool robust_lock(struct robust *r, unsigned patience);
void robust_unlock(struct robust *r);

/* A lock that a process holds for as long as it lives, and by which others see that it does. */

/* Whether this process has it now: nobody had it. */
bool robust_claim(pthread_mutex_t *life);
void robust_release(pthread_mutex_t *life);
/* Whether a process has it. */
bool robust_is_claimed(pthread_mutex_t *life);
/* In memory that is zero. RC_SYSTEM. */
enum rc robust_init_life(pthread_mutex_t *life) MUST_CHECK;

#endif

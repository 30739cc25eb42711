#include "store/robust.h"

#include "core/activity.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <time.h>

/* A write takes some microseconds: to sleep and be woken takes longer than to look again. */
enum { SPINS = 400 };

enum rc robust_init_life(pthread_mutex_t *life)
{
    pthread_mutexattr_t a;
    if (pthread_mutexattr_init(&a))
        return RC_SYSTEM;
    pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    int error = pthread_mutex_init(life, &a);
    pthread_mutexattr_destroy(&a);
    return error ? RC_SYSTEM : RC_OK;
}

enum rc robust_init(struct robust *r)
{
    return robust_init_life(&r->mutex);
}

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static int spin(pthread_mutex_t *mutex)
{
    int error = pthread_mutex_trylock(mutex);
    for (int i = 0; error == EBUSY && i < SPINS; i++) {
        relax();
        error = pthread_mutex_trylock(mutex);
    }
    return error;
}

static int wait_a_tenth(pthread_mutex_t *mutex)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 100000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &until);
}

/* The holder is in the mutex itself, so that there is no moment at which one has it and is not
 * known: the kernel finds the locks of those that die by the same word, which is the first of a
 * mutex's in glibc (linux/futex.h, robust futexes). 0: nobody has it. */
static int32_t holder_of(const struct robust *r)
{
    uint32_t word;
    memcpy(&word, &r->mutex, sizeof word);
    return (int32_t)(word & FUTEX_TID_MASK);
}

/* It had the lock all the time: it is stopped, or will never give it up. */
static void kill_holder(struct robust *r, int32_t holder)
{
    if (holder <= 0)
        return;
    atomic_fetch_add(&r->killed, 1);
    kill(holder, SIGKILL);
}

/* Tenths are counted, and not the clock: where all processes were stopped, none is to blame. On a
 * busy machine they are longer: the heart beats on meanwhile, until the holder has had its time. */
static int wait_patiently(struct robust *r, unsigned patience)
{
    uint64_t taken = atomic_load(&r->taken);
    int32_t holder = holder_of(r);
    unsigned waited = 0;
    bool has_killed = false;
    int error;
    while ((error = wait_a_tenth(&r->mutex)) == ETIMEDOUT) {
        uint64_t now = atomic_load(&r->taken);
        int32_t by = holder_of(r);
        waited = now == taken && by == holder ? waited + 1 : 0;
        taken = now;
        holder = by;
        if (!has_killed)
            activity_await();
        if (waited >= patience) {
            kill_holder(r, holder);
            has_killed = true;
            waited = 0;
        }
    }
    return error;
}

bool robust_lock(struct robust *r, unsigned patience)
{
    int error = spin(&r->mutex);
    if (error == EBUSY)
        error = wait_patiently(r, patience);
    if (error == EOWNERDEAD)
        pthread_mutex_consistent(&r->mutex);
    atomic_store_explicit(
        &r->taken, atomic_load_explicit(&r->taken, memory_order_relaxed) + 1, memory_order_relaxed);
    return error == EOWNERDEAD;
}

void robust_unlock(struct robust *r)
{
    pthread_mutex_unlock(&r->mutex);
}

bool robust_claim(pthread_mutex_t *life)
{
    int error = pthread_mutex_trylock(life);
    if (error == EOWNERDEAD)
        pthread_mutex_consistent(life);
    return error == 0 || error == EOWNERDEAD;
}

void robust_release(pthread_mutex_t *life)
{
    pthread_mutex_unlock(life);
}

bool robust_is_claimed(pthread_mutex_t *life)
{
    if (!robust_claim(life))
        return true;
    robust_release(life);
    return false;
}

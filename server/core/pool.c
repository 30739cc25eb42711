#include "core/pool.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What the threads share with the loop, under the mutex. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t more; /* work has come, or the end */
    struct list waiting, over;
    bool ending;
} shared = {.mutex = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};

/* The loop's own. */
static struct {
    void (*watch)(void *data, int fd); /* NULL while the pool is closed */
    void *data;
    int fd; /* an eventfd, once there are threads */
    uint64_t submitted, done;
    int count;
    pthread_t threads[POOL_THREADS];
} pool;

/* The next work; NULL at the end, once there is none. */
static struct pool_work *take(void)
{
    struct list *node;
    pthread_mutex_lock(&shared.mutex);
    while (!(node = list_shift(&shared.waiting)) && !shared.ending)
        pthread_cond_wait(&shared.more, &shared.mutex);
    pthread_mutex_unlock(&shared.mutex);
    return node ? container_of(node, struct pool_work, link) : NULL;
}

static void give_back(struct pool_work *w, int fd)
{
    const uint64_t one = 1;
    pthread_mutex_lock(&shared.mutex);
    list_append(&shared.over, &w->link);
    pthread_mutex_unlock(&shared.mutex);
    ssize_t told = write(fd, &one, sizeof one);
    (void)told; /* it fails only where the loop is to wake up anyway */
}

static void *serve(void *fd)
{
    for (struct pool_work *w; (w = take());) {
        w->run(w);
        give_back(w, (int)(intptr_t)fd);
    }
    return NULL;
}

/* Signals are the loop's. */
static void start_threads(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool.count < POOL_THREADS &&
           pthread_create(&pool.threads[pool.count], NULL, serve, (void *)(intptr_t)pool.fd) == 0)
        pool.count++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Fewer threads than wanted do as well. */
static enum rc start(void)
{
    pool.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (pool.fd < 0)
        return RC_SYSTEM;
    list_init(&shared.waiting);
    list_init(&shared.over);
    shared.ending = false;
    start_threads();
    if (pool.count) {
        pool.watch(pool.data, pool.fd);
        return RC_OK;
    }
    close(pool.fd);
    return RC_SYSTEM;
}

void pool_open(void (*watch)(void *data, int fd), void *data)
{
    pool.watch = watch;
    pool.data = data;
}

enum rc pool_submit(struct pool_work *w)
{
    if (!pool.watch)
        return RC_STATE;
    enum rc rc = pool.count ? RC_OK : start();
    if (rc)
        return rc;
    list_init(&w->link);
    pthread_mutex_lock(&shared.mutex);
    list_append(&shared.waiting, &w->link);
    pthread_mutex_unlock(&shared.mutex);
    pthread_cond_signal(&shared.more); /* the thread finds the mutex free */
    pool.submitted++;
    return RC_OK;
}

void pool_collect(void)
{
    struct list over, *node;
    uint64_t wakes;
    list_init(&over);
    if (!pool.count || read(pool.fd, &wakes, sizeof wakes) < 0)
        return;
    pthread_mutex_lock(&shared.mutex);
    list_splice(&over, &shared.over);
    pthread_mutex_unlock(&shared.mutex);
    while ((node = list_shift(&over))) {
        struct pool_work *w = container_of(node, struct pool_work, link);
        pool.done++;
        w->done(w);
    }
}

static void end_threads(void)
{
    pthread_mutex_lock(&shared.mutex);
    shared.ending = true;
    pthread_cond_broadcast(&shared.more);
    pthread_mutex_unlock(&shared.mutex);
    while (pool.count)
        pthread_join(pool.threads[--pool.count], NULL);
    close(pool.fd);
}

/* What done submits meanwhile is still done. */
void pool_close(void)
{
    while (pool.submitted > pool.done) {
        struct pollfd wake = {.fd = pool.fd, .events = POLLIN};
        poll(&wake, 1, -1);
        pool_collect();
    }
    if (pool.count)
        end_threads();
    pool.watch = NULL;
}

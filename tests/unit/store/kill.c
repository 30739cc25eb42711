/* Processes that are killed in the middle of writes: nothing that was committed is lost, nobody is
 * locked out, and what follows goes on. */
#include "core/activity.h"
#include "store/area.h"
#include "store/hub.h"
#include "store/table.h"

#include "tests/unit/check.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILLS = 200, KEYS = 40 };

/* What writers have been told of, each at its place: a page that they share with the test. */
struct told {
    _Atomic int64_t count;
};

struct writer {
    struct area *area;
    struct told *told;
    const char *file; /* NULL: in memory */
};

static struct store_op incr(const char *key)
{
    return (struct store_op){.action = STORE_INCR, .key = str_of(key), .by = 1};
}

static struct store_op set(const char *key, const char *text, size_t n, double ttl)
{
    return (struct store_op){.action = STORE_SET,
        .key = str_of(key),
        .ttl = ttl,
        .value = {.kind = STORE_STRING, .text = {text, n}}};
}

static void write_one(struct writer *w, struct table *t, struct store_op *op)
{
    if (!w->file)
        robust_lock(&t->page->writing, 50);
    change_whole(t, op);
    if (!w->file)
        robust_unlock(&t->page->writing);
    if (op->result != STORE_YES)
        _exit(2);
}

static enum rc open_table(struct writer *w, struct table *t, struct area_page *p)
{
    char why[TABLE_WHY];
    if (w->file)
        return table_open_file(t, w->file, 4, p, why);
    robust_lock(&p->writing, 50);
    enum rc rc = table_open_memory(t, w->area, p, why);
    robust_unlock(&p->writing);
    return rc;
}

_Noreturn static void write_for_ever(struct writer *w, int seed)
{
    static char text[9000];
    struct table t;
    struct area_page *p = area_map(w->area);
    if (!p || open_table(w, &t, p))
        _exit(3);
    for (unsigned i = (unsigned)seed;; i++) {
        char key[32];
        struct store_op op = incr("\3\0n");
        write_one(w, &t, &op);
        atomic_fetch_add(&w->told->count, 1);
        snprintf(key, sizeof key, "\3%ckey%u", 1, i % KEYS);
        op = set(key, text, i * 37 % sizeof text, i % 3 ? 0.001 * (i % 50) + 0.001 : 0);
        write_one(w, &t, &op);
    }
}

static pid_t start_writer(struct writer *w, int seed)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        write_for_ever(w, seed);
    return pid;
}

static void end_writer(pid_t pid)
{
    int status;
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

/* In a process of its own, as a worker is: what is counted there. */
static int64_t count_in(struct writer *w)
{
    int ends[2];
    int64_t found = -1;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct table t;
        struct area_page *p = area_map(w->area);
        struct store_op op = {.action = STORE_GET, .key = str_of("\3\0n")};
        if (!p || open_table(w, &t, p))
            _exit(3);
        struct store_op again = set("\3\1again", "x", 1, 0);
        write_one(w, &t, &again);
        table_read(&t, &op);
        found = op.found.kind == STORE_INTEGER ? op.found.integer : 0;
        ssize_t n = write(ends[1], &found, sizeof found);
        table_close(&t);
        _exit(n == sizeof found ? 0 : 4);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(read(ends[0], &found, sizeof found), sizeof found);
    close(ends[0]);
    close(ends[1]);
    return found;
}

static void kill_many(const char *file, int kills)
{
    struct writer w = {.file = file};
    char why[AREA_WHY];
    assert_int_equal(area_new(4, 2, &w.area, why), RC_OK);
    w.told = mmap(NULL, sizeof *w.told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t steady = start_writer(&w, 1), other = start_writer(&w, 2);
    for (int i = 0; i < kills; i++) {
        int64_t before = atomic_load(&w.told->count);
        while (atomic_load(&w.told->count) < before + 4 + i % 5)
            ;
        usleep((useconds_t)(check_random() % 400));
        end_writer(i % 2 ? other : steady);
        *(i % 2 ? &other : &steady) = start_writer(&w, i);
    }
    int64_t before = atomic_load(&w.told->count);
    while (atomic_load(&w.told->count) < before + 10)
        ;
    end_writer(steady);
    end_writer(other);
    int64_t told = atomic_load(&w.told->count), found = count_in(&w);
    assert_true(found >= told);
    assert_true(found <= told + kills + 2);
    munmap(w.told, sizeof *w.told);
    area_free(w.area);
}

static void Kill_WritersInMemory_LosesNothing(void **state)
{
    (void)state;
    kill_many(NULL, KILLS);
}

static void Kill_WritersToAFile_LosesNothing(void **state)
{
    (void)state;
    char folder[] = "/tmp/moontrail-kill-XXXXXX", file[64], locks[80];
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/store", folder);
    snprintf(locks, sizeof locks, "%s-lock", file);
    kill_many(file, KILLS);
    unlink(file);
    unlink(locks);
    rmdir(folder);
}

/* Publishers that are killed leave the ring to the others, and no message of theirs is torn. */

_Noreturn static void publish_for_ever(struct writer *w)
{
    static char body[5000];
    struct area_page *p = area_map(w->area);
    if (!p)
        _exit(3);
    for (unsigned i = 0;; i++) {
        size_t n = 8 + i * 131 % (sizeof body - 8);
        memset(body, (int)(i & 0xff), n);
        robust_lock(&p->telling, 50);
        ring_write(&p->ring, str_of("c"), (struct str){body, n});
        robust_unlock(&p->telling);
        atomic_fetch_add(&w->told->count, 1);
    }
}

static void Kill_Publishers_RingStaysWhole(void **state)
{
    (void)state;
    static unsigned char room[RING_MESSAGE];
    struct writer w = {0};
    struct ring_message m;
    char why[AREA_WHY];
    uint64_t at = 0, read = 0;
    assert_int_equal(area_new(2, 2, &w.area, why), RC_OK);
    w.told = mmap(NULL, sizeof *w.told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct area_page *p = area_map(w.area);
    for (int i = 0; i < KILLS; i++) {
        pid_t pid = fork();
        if (pid == 0)
            publish_for_ever(&w);
        int64_t before = atomic_load(&w.told->count);
        while (atomic_load(&w.told->count) < before + 5)
            ;
        usleep((useconds_t)(check_random() % 300));
        end_writer(pid);
        for (enum ring_read r; (r = ring_read(&p->ring, &at, room, &m)) != RING_NONE;) {
            for (size_t k = 1; r == RING_READ && k < m.body.n; k++)
                assert_int_equal(m.body.p[k], m.body.p[0]);
            read += r == RING_READ;
        }
    }
    assert_true(read > KILLS);
    area_unmap(p);
    munmap(w.told, sizeof *w.told);
    area_free(w.area);
}

/* Slots: whoever lives is known to. */

static void Slot_OfOneThatWasKilled_IsFreeAtOnce(void **state)
{
    (void)state;
    struct writer w = {0};
    char why[AREA_WHY];
    assert_int_equal(area_new(2, 2, &w.area, why), RC_OK);
    struct area_page *p = area_map(w.area);
    int own = area_claim(p);
    assert_int_equal(own, 0);
    uint64_t nonce = atomic_load(&p->slots[own].nonce);
    assert_true(area_lives(p, own, nonce));
    assert_false(area_lives(p, own, nonce + 1));
    pid_t pid = fork();
    if (pid == 0) {
        if (area_claim(p) != 1)
            _exit(3);
        for (;;)
            pause();
    }
    while (!area_lives(p, 1, atomic_load(&p->slots[1].nonce)) || !atomic_load(&p->slots[1].nonce))
        usleep(1000);
    uint64_t other = atomic_load(&p->slots[1].nonce);
    end_writer(pid);
    assert_false(area_lives(p, 1, other));
    assert_int_equal(area_claim(p), 1);
    assert_false(area_lives(p, 1, other));
    area_leave(p, 1);
    area_leave(p, own);
    assert_false(area_lives(p, own, nonce));
    area_unmap(p);
    area_free(w.area);
}

static void Lock_HeldByOneThatIsStopped_IsTakenFromIt(void **state)
{
    (void)state;
    struct writer w = {0};
    char why[AREA_WHY];
    assert_int_equal(area_new(2, 2, &w.area, why), RC_OK);
    struct area_page *p = area_map(w.area);
    pid_t pid = fork();
    if (pid == 0) {
        robust_lock(&p->writing, 50);
        raise(SIGSTOP);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    assert_true(robust_lock(&p->writing, 3));
    assert_int_equal(atomic_load(&p->writing.killed), 1);
    robust_unlock(&p->writing);
    assert_false(robust_lock(&p->writing, 3));
    robust_unlock(&p->writing);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WTERMSIG(status), SIGKILL);
    area_unmap(p);
    area_free(w.area);
}

/* Between having the lock and anything that it could say of that. */
static void Lock_HeldByOneThatHasSaidNothing_IsTakenFromIt(void **state)
{
    (void)state;
    struct writer w = {0};
    char why[AREA_WHY];
    int status;
    assert_int_equal(area_new(2, 2, &w.area, why), RC_OK);
    struct area_page *p = area_map(w.area);
    pid_t pid = fork();
    if (pid == 0) {
        pthread_mutex_lock(&p->writing.mutex);
        raise(SIGSTOP);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    uint64_t before = atomic_load(&activity->awaits);
    assert_true(robust_lock(&p->writing, 3));
    assert_true(atomic_load(&activity->awaits) >= before + 3);
    robust_unlock(&p->writing);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WTERMSIG(status), SIGKILL);
    area_unmap(p);
    area_free(w.area);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Kill_WritersInMemory_LosesNothing),
        checked(Kill_WritersToAFile_LosesNothing),
        checked(Kill_Publishers_RingStaysWhole),
        checked(Slot_OfOneThatWasKilled_IsFreeAtOnce),
        checked(Lock_HeldByOneThatIsStopped_IsTakenFromIt),
        checked(Lock_HeldByOneThatHasSaidNothing_IsTakenFromIt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

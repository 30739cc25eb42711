#include "store/area.h"

#include "core/mem.h"
#include "store/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOCKS_BYTES = 128 << 10, LEAST_WAKES = 32, WAKES_EACH = 4 };

static const uint64_t magic = 0x6d6f6f6e73746f72;
/* One more with each change of what lies in the data or the page. */
static const uint64_t layout = 1 + ((uint64_t)sizeof(struct area_page) << 16);

size_t area_data_bytes(uint32_t size)
{
    return ((size_t)size << 20) + ((size_t)size << 18);
}

/* All of it is there from now on, so that no access can fail. */
static enum rc allocate(int fd, size_t bytes)
{
    errno = posix_fallocate(fd, 0, (off_t)bytes);
    return errno ? RC_SYSTEM : RC_OK;
}

static enum rc new_file(const char *name, size_t bytes, int *out)
{
    *out = memfd_create(name, MFD_CLOEXEC);
    if (*out < 0)
        return RC_SYSTEM;
    return bytes ? allocate(*out, bytes) : RC_OK;
}

/* LMDB begins with a file that is empty. */
static enum rc make_data(struct area *a)
{
    enum rc rc = new_file("store", 0, &a->data);
    int error = rc ? 0 : table_format(a);
    if (!rc && !error)
        return allocate(a->data, area_data_bytes(a->size));
    errno = error > 0 ? error : rc ? errno : EIO;
    return RC_SYSTEM;
}

static enum rc init_page(struct area_page *p)
{
    enum rc rc = robust_init(&p->writing);
    if (!rc)
        rc = robust_init(&p->telling);
    for (int i = 0; !rc && i < AREA_SLOTS; i++)
        rc = robust_init_life(&p->slots[i].life);
    p->magic = magic;
    p->layout = layout;
    return rc;
}

static enum rc make_page(const struct area *a)
{
    struct area_page *p = area_map(a);
    enum rc rc = p ? init_page(p) : RC_SYSTEM;
    if (p)
        area_unmap(p);
    return rc;
}

/* Fewer do as well. */
static void make_wakes(struct area *a, int workers)
{
    int wanted = workers * WAKES_EACH;
    wanted = wanted < LEAST_WAKES ? LEAST_WAKES : wanted > AREA_WAKES ? AREA_WAKES : wanted;
    while (a->wake_count < wanted) {
        int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (fd < 0)
            return;
        a->wakes[a->wake_count++] = fd;
    }
}

static enum rc make(struct area *a, int workers)
{
    enum rc rc = new_file("store locks", LOCKS_BYTES, &a->locks);
    if (!rc)
        rc = make_data(a);
    if (!rc)
        rc = new_file("store page", sizeof(struct area_page), &a->page);
    if (!rc)
        rc = make_page(a);
    if (!rc)
        make_wakes(a, workers);
    return rc;
}

enum rc area_new(uint32_t size, int workers, struct area **out, char why[AREA_WHY])
{
    struct area *a = mem_get_zeroed(sizeof *a);
    if (!a)
        return RC_NOMEM;
    *a = (struct area){.size = size, .data = -1, .locks = -1, .page = -1};
    enum rc rc = make(a, workers);
    if (rc) {
        snprintf(why, AREA_WHY,
            "the store takes %zu MiB of memory, which cannot be had: %s; give less with "
            "--store-size",
            (area_data_bytes(size) + sizeof(struct area_page)) >> 20, strerror(errno));
        area_free(a);
        return rc;
    }
    *out = a;
    return RC_OK;
}

static void close_one(int fd)
{
    if (fd >= 0)
        close(fd);
}

void area_free(struct area *a)
{
    close_one(a->data);
    close_one(a->locks);
    close_one(a->page);
    for (int i = 0; i < a->wake_count; i++)
        close_one(a->wakes[i]);
    mem_put(a, sizeof *a);
}

/* To the next program. */

char *area_export(const struct area *a)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    fprintf(f, "%u %d %d %d", a->size, a->data, a->locks, a->page);
    for (int i = 0; i < a->wake_count; i++)
        fprintf(f, " %d", a->wakes[i]);
    return fclose(f) ? NULL : text;
}

static void pass(int fd)
{
    fcntl(fd, F_SETFD, 0);
}

void area_pass(const struct area *a)
{
    pass(a->data);
    pass(a->locks);
    pass(a->page);
    for (int i = 0; i < a->wake_count; i++)
        pass(a->wakes[i]);
}

static bool take(const char **text, int *out)
{
    char *end;
    long n = strtol(*text, &end, 10);
    bool is_number = end != *text && n >= 0 && n <= INT32_MAX;
    *text = end;
    *out = (int)n;
    return is_number;
}

static bool take_fd(const char **text, int *fd)
{
    if (take(text, fd) && fcntl(*fd, F_SETFD, FD_CLOEXEC) == 0)
        return true;
    *fd = -1;
    return false;
}

static bool has_bytes(int fd, size_t bytes)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_size == (off_t)bytes;
}

static bool is_ours(const struct area *a)
{
    if (!has_bytes(a->page, sizeof(struct area_page)) ||
        !has_bytes(a->data, area_data_bytes(a->size)))
        return false;
    struct area_page *p = area_map(a);
    bool ours = p && p->magic == magic && p->layout == layout;
    if (p)
        area_unmap(p);
    return ours;
}

struct area *area_import(const char *text)
{
    int size;
    struct area *a = mem_get_zeroed(sizeof *a);
    if (!a)
        return NULL;
    *a = (struct area){.data = -1, .locks = -1, .page = -1};
    bool taken = take(&text, &size) && take_fd(&text, &a->data) && take_fd(&text, &a->locks) &&
                 take_fd(&text, &a->page);
    a->size = (uint32_t)size;
    while (taken && *text && a->wake_count < AREA_WAKES && take_fd(&text, &a->wakes[a->wake_count]))
        a->wake_count++;
    if (taken && is_ours(a))
        return a;
    area_free(a);
    return NULL;
}

/* In a worker. */

struct area_page *area_map(const struct area *a)
{
    void *p = mmap(NULL, sizeof(struct area_page), PROT_READ | PROT_WRITE, MAP_SHARED, a->page, 0);
    return p == MAP_FAILED ? NULL : p;
}

void area_unmap(struct area_page *p)
{
    munmap(p, sizeof *p);
}

static void note_claimed(struct area_page *p, int32_t count)
{
    int32_t known = atomic_load(&p->claimed);
    while (known < count && !atomic_compare_exchange_weak(&p->claimed, &known, count))
        ;
}

int area_claim(struct area_page *p)
{
    for (int i = 0; i < AREA_SLOTS; i++) {
        struct area_slot *s = &p->slots[i];
        if (!robust_claim(&s->life))
            continue;
        atomic_store(&s->nonce, atomic_fetch_add(&p->nonces, 1) + 1);
        atomic_store(&s->wants_locks, false);
        for (int k = 0; k < RING_TOPICS / 64; k++)
            atomic_store(&s->topics[k], 0);
        atomic_store(&s->is_told, false);
        note_claimed(p, i + 1);
        return i;
    }
    return AREA_NONE;
}

void area_leave(struct area_page *p, int slot)
{
    atomic_store(&p->slots[slot].nonce, 0);
    robust_release(&p->slots[slot].life);
}

bool area_lives(struct area_page *p, int slot, uint64_t nonce)
{
    if (slot < 0 || slot >= AREA_SLOTS)
        return true; /* nobody can tell */
    struct area_slot *s = &p->slots[slot];
    return atomic_load(&s->nonce) == nonce && robust_is_claimed(&s->life);
}

void area_tell(const struct area *a, struct area_page *p, int slot)
{
    const uint64_t one = 1;
    if (slot >= a->wake_count || atomic_exchange(&p->slots[slot].is_told, true))
        return;
    ssize_t told = write(a->wakes[slot], &one, sizeof one);
    (void)told; /* it fails only where the other is to wake up anyway */
}

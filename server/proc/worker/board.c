#include "proc/worker/board.h"

#include "core/activity.h"
#include "core/check.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

enum { HEARTS = 1024 };

struct board {
    _Atomic uint64_t beats[HEARTS];
    struct activity activities[HEARTS];
    bool taken[HEARTS]; /* used by the master only */
};

enum rc board_new(struct board **out)
{
    void *shared =
        mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return RC_SYSTEM;
    *out = shared;
    return RC_OK;
}

void board_free(struct board *b)
{
    munmap(b, sizeof *b);
}

int board_take(struct board *b)
{
    for (int i = 0; i < HEARTS; i++) {
        if (!b->taken[i]) {
            b->taken[i] = true;
            b->activities[i] = (struct activity){0};
            return i;
        }
    }
    return BOARD_NONE;
}

void board_give(struct board *b, int heart)
{
    check(heart >= 0 && heart < HEARTS && b->taken[heart]);
    b->taken[heart] = false;
}

struct activity *board_activity(struct board *b, int heart)
{
    return &b->activities[heart];
}

uint64_t board_beats(const struct board *b, int heart)
{
    check(heart >= 0 && heart < HEARTS);
    return atomic_load_explicit(&b->beats[heart], memory_order_relaxed) +
           atomic_load_explicit(&b->activities[heart].awaits, memory_order_relaxed);
}

double board_pace(double timeout)
{
    return timeout < 4 ? timeout / 4 : 1;
}

void board_beat(struct board *b, int heart)
{
    check(heart >= 0 && heart < HEARTS);
    atomic_fetch_add_explicit(&b->beats[heart], 1, memory_order_relaxed);
}

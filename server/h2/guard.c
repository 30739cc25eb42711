#include "h2/guard.h"

#include "core/check.h"
#include "core/clock.h"

const char *guard_name(enum guard_kind kind)
{
    static const char *const names[GUARD_KINDS] = {
        [GUARD_RESETS] = "max-resets",
        [GUARD_FAULTS] = "max-faults",
        [GUARD_CONTROL] = "max-control-frames",
        [GUARD_WINDOWS] = "max-window-updates",
        [GUARD_EMPTY] = "max-empty-frames",
        [GUARD_DRIBBLES] = "max-dribbles",
    };
    return names[kind];
}

/* To save time, the clock is read only at the first count and after the limit is passed. */
bool guard_count(struct guard *g, enum guard_kind kind, uint32_t limit)
{
    check_hot(kind < GUARD_KINDS);
    if (limit == 0)
        return true;
    uint32_t count = g->seconds[kind].count++;
    if (count > 0 && count < limit)
        return true;
    double now = clock_monotonic();
    if (count > 0 && now - g->seconds[kind].since < 1)
        return false;
    g->seconds[kind].since = now;
    g->seconds[kind].count = 1;
    return true;
}

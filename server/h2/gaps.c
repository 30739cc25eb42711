#include "h2/gaps.h"

#include "core/check.h"

static bool was_skipped(const struct gaps *g, int32_t id)
{
    uint32_t known = g->count < GAPS_MAX ? g->count : GAPS_MAX;
    for (uint32_t i = 0; i < known; i++)
        if (id >= g->ranges[i].first && id <= g->ranges[i].last)
            return true;
    return false;
}

bool gaps_open(struct gaps *g, int32_t id)
{
    check_hot(id > 0 && id % 2);
    int64_t expected = g->highest ? (int64_t)g->highest + 2 : 1;
    if (id < expected)
        return !was_skipped(g, id);
    if (id > expected) {
        g->ranges[g->count % GAPS_MAX].first = (int32_t)expected;
        g->ranges[g->count % GAPS_MAX].last = id - 1;
        g->count++;
    }
    g->highest = id;
    return true;
}

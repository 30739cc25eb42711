/*
 * Counts of what is alive. Whoever makes or frees a thing counts it here; tests, and the line that
 * a server logs when it stops, read them: each is to end at zero.
 */
#ifndef CORE_LIVE_H
#define CORE_LIVE_H

#include <stdint.h>

struct live {
    int64_t conns, exchanges, calls, tasks, waits, programs;
};

extern struct live live;

#endif

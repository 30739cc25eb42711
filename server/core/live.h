/*
 * Counts of what is alive. The code that makes or frees a thing counts it here. Tests read the
 * counts, and so does the line that a server logs when it stops: each must end at zero.
 */
#ifndef CORE_LIVE_H
#define CORE_LIVE_H

#include <stdint.h>

struct live {
    int64_t conns, exchanges, calls, tasks, waits, programs, sockets;
};

extern struct live live;

#endif

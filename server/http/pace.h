/*
 * How fast a peer sends or takes bytes, on average over the seconds in which it owed that, counted
 * in sweeps. The first seconds are its own; and what it was ahead counts for so long, and no
 * longer, as it may stand still: so one that was fast may pause, but not crawl for hours.
 */
#ifndef HTTP_PACE_H
#define HTTP_PACE_H

#include "http/waited.h"

#include <stdint.h>

enum { PACE_GRACE = 5 }; /* seconds in which nothing is asked of it */

struct pace {
    double seconds;  /* in which it owed bytes; NOT_WAITED for none yet */
    double bytes;    /* that count for them */
    uint64_t before; /* all bytes, at the last sweep */
};

/* From here on it counts, and bytes before those are not its own. */
static inline void pace_start(struct pace *p, uint64_t before)
{
    *p = (struct pace){.seconds = NOT_WAITED, .before = before};
}

/* Adds the seconds of a sweep at whose end the peer owed bytes; all is what it has sent or taken so
 * far. Returns whether the peer is slower than rate bytes a second, 0 for any rate; pause is the
 * seconds for which it may stand still, 0 for any. */
static inline bool pace_lags(
    struct pace *p, uint64_t all, double seconds, double rate, double pause)
{
    p->seconds = p->seconds == NOT_WAITED ? 0 : p->seconds + seconds;
    if (all > p->before)
        p->bytes += (double)(all - p->before);
    p->before = all;
    double due = rate * p->seconds, most = due + rate * pause;
    if (pause > 0 && p->bytes > most)
        p->bytes = most;
    return p->seconds > PACE_GRACE && p->bytes < due;
}

#endif

/* Timeouts that are counted in sweeps rather than by timers of their own. */
#ifndef HTTP_WAITED_H
#define HTTP_WAITED_H

#include <stdbool.h>

enum { NOT_WAITED = -1 }; /* in place of the seconds that something waited */

/* Adds the seconds to those waited; whether they pass the limit. 0 is no limit. A wait that began
 * since the last sweep counts from this one on, so that no timeout comes early. */
static inline bool waited_past(double *waited, double seconds, double limit)
{
    *waited = *waited == NOT_WAITED ? 0 : *waited + seconds;
    return limit > 0 && *waited > limit;
}

#endif

/* The process's clocks. */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Seconds since an arbitrary start, never going back. */
double clock_monotonic(void);
/* Like clock_monotonic, but up to a few milliseconds old, at a fraction of the cost. */
double clock_recent(void);
/* Seconds since 1970-01-01 UTC. */
double clock_wall(void);

/* The bytes of an RFC 9110 5.6.7 date: "Sun, 06 Nov 1994 08:49:37 GMT". */
enum { CLOCK_DATE_LEN = 29 };
/* The current date in that form, made once a second; static storage, NUL-terminated, overwritten by
 * a later call in another second. */
const char *clock_http_date(void);
/* Another date in that form: a second of the years 0 to 9999. */
void clock_format_date(time_t second, char out[CLOCK_DATE_LEN + 1]);
/* As clock_http_date, as access logs have it: "06/Nov/1994:08:49:37 +0000". */
const char *clock_log_date(void);

#endif

#include "core/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static double seconds(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double clock_monotonic(void)
{
    return seconds(CLOCK_MONOTONIC);
}

double clock_recent(void)
{
    return seconds(CLOCK_MONOTONIC_COARSE);
}

double clock_wall(void)
{
    return seconds(CLOCK_REALTIME);
}

/* strftime would use the locale's language; HTTP and logs do not. */
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static void format_http(char *out, size_t size, const struct tm *t)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    snprintf(out, size, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * t->tm_wday,
        t->tm_mday, months + 3 * t->tm_mon, t->tm_year + 1900, t->tm_hour, t->tm_min, t->tm_sec);
}

static void format_log(char *out, size_t size, const struct tm *t)
{
    snprintf(out, size, "%02d/%.3s/%04d:%02d:%02d:%02d +0000", t->tm_mday, months + 3 * t->tm_mon,
        t->tm_year + 1900, t->tm_hour, t->tm_min, t->tm_sec);
}

struct date {
    char text[64];
    time_t made;
};

static const char *current(struct date *d, void (*format)(char *, size_t, const struct tm *))
{
    time_t now = time(NULL);
    if (now != d->made) {
        struct tm t;
        gmtime_r(&now, &t);
        format(d->text, sizeof d->text, &t);
        d->made = now;
    }
    return d->text;
}

const char *clock_http_date(void)
{
    static struct date date;
    return current(&date, format_http);
}

void clock_format_date(time_t second, char out[CLOCK_DATE_LEN + 1])
{
    char text[64];
    struct tm t;
    gmtime_r(&second, &t);
    format_http(text, sizeof text, &t);
    memcpy(out, text, CLOCK_DATE_LEN);
    out[CLOCK_DATE_LEN] = '\0';
}

const char *clock_log_date(void)
{
    static struct date date;
    return current(&date, format_log);
}

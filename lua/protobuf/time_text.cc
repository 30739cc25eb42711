#include "lua/protobuf/time_text.h"

#include <cstdio>
#include <cstring>

namespace codec
{

static const int64_t day = 86400;
static const int64_t first_second = -62135596800; /* 0001-01-01T00:00:00Z */
static const int64_t last_second = 253402300799;  /* 9999-12-31T23:59:59Z */
static const int64_t longest = 315576000000;      /* of a duration, in seconds */

enum { BILLION = 1000000000, FRACTION_MAX = 9, ERA_YEARS = 400, ERA_DAYS = 146097 };

bool timestamp_is_valid(const instant &t)
{
    return t.seconds >= first_second && t.seconds <= last_second && t.nanos >= 0 &&
           t.nanos < BILLION;
}

bool duration_is_valid(const instant &t)
{
    return t.seconds >= -longest && t.seconds <= longest && t.nanos > -BILLION &&
           t.nanos < BILLION && (t.seconds <= 0 || t.nanos >= 0) &&
           (t.seconds >= 0 || t.nanos <= 0);
}

/* Writing. */

/* Writes the fraction of a second with its point, or nothing. */
static size_t write_fraction(char *out, int32_t nanos)
{
    if (nanos == 0)
        return 0;
    if (nanos % 1000000 == 0)
        return (size_t)snprintf(out, TIME_ROOM, ".%03d", nanos / 1000000);
    if (nanos % 1000 == 0)
        return (size_t)snprintf(out, TIME_ROOM, ".%06d", nanos / 1000);
    return (size_t)snprintf(out, TIME_ROOM, ".%09d", nanos);
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days before a month in a year that begins in March, so that the leap day is the last. */
static int64_t days_to_month(int64_t month_from_march)
{
    return (153 * month_from_march + 2) / 5;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar. */
static int64_t days_of(int64_t year, int month, int day_of_month)
{
    year -= month <= 2;
    int64_t era = year / ERA_YEARS, year_of_era = year % ERA_YEARS;
    int64_t day_of_year = days_to_month((month + 9) % 12) + day_of_month - 1;
    return era * ERA_DAYS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

size_t timestamp_write(char *out, const instant &t)
{
    int64_t days = (t.seconds - first_second) / day, rest = (t.seconds - first_second) % day;
    int64_t shifted = days + 306; /* since 0000-03-01 */
    int64_t era = shifted / ERA_DAYS, d = shifted % ERA_DAYS;
    int64_t year_of_era = (d - d / 1460 + d / 36524 - d / 146096) / 365;
    int64_t day_of_year = d - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t from_march = (5 * day_of_year + 2) / 153;
    int month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);
    int64_t year = era * ERA_YEARS + year_of_era + (month <= 2);
    char *at = out;
    at += snprintf(at, TIME_ROOM, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year, month,
        (int)(day_of_year - days_to_month(from_march) + 1), (int)(rest / 3600),
        (int)(rest / 60 % 60), (int)(rest % 60));
    at += write_fraction(at, t.nanos);
    *at++ = 'Z';
    return (size_t)(at - out);
}

size_t duration_write(char *out, const instant &t)
{
    bool negative = t.seconds < 0 || t.nanos < 0;
    char *at = out;
    if (negative)
        *at++ = '-';
    at += snprintf(at, TIME_ROOM, "%lld", (long long)(negative ? -t.seconds : t.seconds));
    at += write_fraction(at, negative ? -t.nanos : t.nanos);
    *at++ = 's';
    return (size_t)(at - out);
}

/* Reading: each function moves past what it reads; false if the text is something else. */

namespace
{

struct reader {
    const char *at, *end;
};

} // namespace

static bool read_digits(reader &r, int count, int *v)
{
    for (*v = 0; count > 0; count--) {
        if (r.at == r.end || *r.at < '0' || *r.at > '9')
            return false;
        *v = 10 * *v + (*r.at++ - '0');
    }
    return true;
}

static bool read_char(reader &r, char c)
{
    if (r.at == r.end || *r.at != c)
        return false;
    r.at++;
    return true;
}

static bool read_fraction(reader &r, int32_t *nanos)
{
    int digits = 0, digit;
    *nanos = 0;
    if (!read_char(r, '.'))
        return true;
    while (digits < FRACTION_MAX && read_digits(r, 1, &digit)) {
        *nanos = 10 * *nanos + digit;
        digits++;
    }
    for (int i = digits; i < FRACTION_MAX; i++)
        *nanos *= 10;
    return digits > 0;
}

static bool read_date(reader &r, int64_t *days)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, date;
    if (!read_digits(r, 4, &year) || !read_char(r, '-') || !read_digits(r, 2, &month) ||
        !read_char(r, '-') || !read_digits(r, 2, &date))
        return false;
    if (year < 1 || month < 1 || month > 12 || date < 1 ||
        date > lengths[month - 1] + (month == 2 && is_leap(year)))
        return false;
    *days = days_of(year, month, date);
    return true;
}

static bool read_clock(reader &r, bool seconds, int *time)
{
    int hour, minute, second = 0;
    if (!read_digits(r, 2, &hour) || !read_char(r, ':') || !read_digits(r, 2, &minute))
        return false;
    if (seconds && (!read_char(r, ':') || !read_digits(r, 2, &second)))
        return false;
    *time = 3600 * hour + 60 * minute + second;
    return hour < 24 && minute < 60 && second < 60;
}

/* Reads a zone; *ahead is the number of seconds by which its clock is ahead of UTC. */
static bool read_zone(reader &r, int *ahead)
{
    *ahead = 0;
    if (read_char(r, 'Z'))
        return true;
    bool west = r.at < r.end && *r.at == '-';
    if (!west && !(r.at < r.end && *r.at == '+'))
        return false;
    r.at++;
    if (!read_clock(r, false, ahead))
        return false;
    *ahead = west ? -*ahead : *ahead;
    return true;
}

bool timestamp_read(const char *text, size_t n, instant *t)
{
    reader r = {text, text + n};
    int64_t days;
    int time, ahead;
    if (!read_date(r, &days) || !read_char(r, 'T') || !read_clock(r, true, &time) ||
        !read_fraction(r, &t->nanos) || !read_zone(r, &ahead) || r.at != r.end)
        return false;
    t->seconds = days * day + time - ahead;
    return timestamp_is_valid(*t);
}

bool duration_read(const char *text, size_t n, instant *t)
{
    reader r = {text, text + n};
    bool negative = read_char(r, '-');
    int digit, digits = 0;
    t->seconds = 0;
    for (; r.at < r.end && read_digits(r, 1, &digit); digits++)
        if ((t->seconds = 10 * t->seconds + digit) > longest)
            return false;
    if (digits == 0 || !read_fraction(r, &t->nanos) || !read_char(r, 's') || r.at != r.end)
        return false;
    if (negative) {
        t->seconds = -t->seconds;
        t->nanos = -t->nanos;
    }
    return duration_is_valid(*t);
}

} // namespace codec

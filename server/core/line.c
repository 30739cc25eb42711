#include "core/line.h"

#include "core/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { ESCAPE_ROOM = 8 }; /* the longest escape or UTF-8 sequence, and a closing quote */

void line_init(struct line *l, size_t end_room)
{
    check_hot(end_room < sizeof l->text);
    l->len = 0;
    l->max = sizeof l->text - end_room;
    l->cut = false;
}

void line_put(struct line *l, const char *text, size_t n)
{
    if (n > line_room(l)) {
        n = line_room(l);
        l->cut = true;
    }
    memcpy(l->text + l->len, text, n);
    l->len += n;
}

void line_put_text(struct line *l, const char *text)
{
    line_put(l, text, strlen(text));
}

void line_put_number(struct line *l, uint64_t number, int digits)
{
    char text[20], *first = text + sizeof text;
    check_hot(digits <= (int)sizeof text);
    for (; number || digits > 0; number /= 10, digits--)
        *--first = (char)('0' + number % 10);
    line_put(l, first, (size_t)(text + sizeof text - first));
}

void line_put_format(struct line *l, const char *fmt, ...)
{
    char piece[64];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(piece, sizeof piece, fmt, args);
    va_end(args);
    check(n >= 0 && (size_t)n < sizeof piece);
    line_put_text(l, piece);
}

/* A byte of ASCII. Both formats use the escapes of JSON. */
static void escape(struct line *l, unsigned char c)
{
    switch (c) {
    case '"':
        line_put_text(l, "\\\"");
        break;
    case '\\':
        line_put_text(l, "\\\\");
        break;
    case '\n':
        line_put_text(l, "\\n");
        break;
    case '\t':
        line_put_text(l, "\\t");
        break;
    case '\r':
        line_put_text(l, "\\r");
        break;
    default:
        if (c < 0x20 || c == 0x7f)
            line_put_format(l, "\\u%04x", c);
        else
            line_put(l, (const char *)&c, 1);
    }
}

/* The length of a sequence, as its first byte tells it; 0 if no sequence begins with that byte. */
static size_t length_of(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    return (size_t)(2 + (first >= 0xe0) + (first >= 0xf0));
}

/* The length of the well-formed UTF-8 sequence at s, 0 if there is none (RFC 3629). */
static size_t utf8_len(const unsigned char *s, size_t n)
{
    size_t len = length_of(s[0]);
    if (len == 0 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return len;
}

void line_put_escaped(struct line *l, const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0; i < n;) {
        if (line_room(l) < ESCAPE_ROOM) {
            l->cut = true;
            return;
        }
        size_t len = utf8_len(s + i, n - i);
        if (len > 1)
            line_put(l, text + i, len);
        else if (len == 1)
            escape(l, s[i]);
        else
            line_put_format(l, "\\u%04x", s[i]);
        i += len ? len : 1;
    }
}

void line_put_quoted(struct line *l, const char *text, size_t n)
{
    line_put(l, "\"", 1);
    line_put_escaped(l, text, n);
    line_put(l, "\"", 1);
}

void line_put_time(struct line *l)
{
    struct timespec now;
    struct tm t;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &t);
    line_put_format(l, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", t.tm_year + 1900, t.tm_mon + 1,
        t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, now.tv_nsec / 1000000);
}

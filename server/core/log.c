#include "core/log.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 65536,
    END_ROOM = 16,   /* bytes kept free for the line's end, cut or not */
    ESCAPE_ROOM = 8, /* the longest escape or UTF-8 sequence, and a closing quote */
    VALUE_ROOM = 64, /* the longest number; for a string, quotes and some of it */
};

static enum log_level threshold = LOG_INFO;
static enum log_format format = LOG_TEXT;

/* A line under construction. What does not fit is left out. */
struct line {
    size_t len;
    bool cut; /* something did not fit */
    char text[LINE_MAX_BYTES];
};

void log_configure(enum log_level new_threshold, enum log_format new_format)
{
    threshold = new_threshold;
    format = new_format;
}

bool log_enabled(enum log_level level)
{
    return level >= threshold;
}

static size_t room(const struct line *l)
{
    return sizeof l->text - END_ROOM - l->len;
}

static void put(struct line *l, const char *text, size_t n)
{
    if (n > room(l)) {
        n = room(l);
        l->cut = true;
    }
    memcpy(l->text + l->len, text, n);
    l->len += n;
}

static void put_text(struct line *l, const char *text)
{
    put(l, text, strlen(text));
}

__attribute__((format(printf, 2, 3))) static void put_format(struct line *l, const char *fmt, ...)
{
    char piece[64];
    va_list args;
    va_start(args, fmt);
    vsnprintf(piece, sizeof piece, fmt, args);
    va_end(args);
    put_text(l, piece);
}

/* A byte of ASCII; the escapes are JSON's in both formats. */
static void put_escaped(struct line *l, unsigned char c)
{
    switch (c) {
    case '"':
        put_text(l, "\\\"");
        break;
    case '\\':
        put_text(l, "\\\\");
        break;
    case '\n':
        put_text(l, "\\n");
        break;
    case '\t':
        put_text(l, "\\t");
        break;
    case '\r':
        put_text(l, "\\r");
        break;
    default:
        if (c < 0x20 || c == 0x7f)
            put_format(l, "\\u%04x", c);
        else
            put(l, (const char *)&c, 1);
    }
}

/* The length of the well-formed UTF-8 sequence at s, 0 where there is none (RFC 3629). */
static size_t utf8_len(const unsigned char *s, size_t n)
{
    size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (len == 0 || s[0] > 0xf4 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return len;
}

/* Escaped, so that it neither ends the line nor the quotes around it, and cut between characters.
 */
static void put_string(struct line *l, const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0; i < n;) {
        if (room(l) < ESCAPE_ROOM) {
            l->cut = true;
            return;
        }
        size_t len = utf8_len(s + i, n - i);
        if (len > 1)
            put(l, text + i, len);
        else if (len == 1)
            put_escaped(l, s[i]);
        else
            put_format(l, "\\u%04x", s[i]);
        i += len ? len : 1;
    }
}

static void put_quoted(struct line *l, const char *text, size_t n)
{
    put(l, "\"", 1);
    put_string(l, text, n);
    put(l, "\"", 1);
}

/* Whether a text value reads well without quotes. */
static bool is_plain(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
            return false;
    }
    return n > 0;
}

static void put_number(struct line *l, double value)
{
    if (isfinite(value))
        put_format(l, "%.10g", value);
    else
        put_text(l, format == LOG_JSON ? "null" : "nan");
}

static void put_value(struct line *l, const struct log_field *f)
{
    switch (f->kind) {
    case LOG_STRING:
        if (format == LOG_TEXT && is_plain(f->text, f->len))
            put(l, f->text, f->len);
        else
            put_quoted(l, f->text, f->len);
        break;
    case LOG_INTEGER:
        put_format(l, "%lld", (long long)f->integer);
        break;
    case LOG_NUMBER:
        put_number(l, f->number);
        break;
    case LOG_BOOLEAN:
        put_text(l, f->boolean ? "true" : "false");
        break;
    }
}

static void put_time(struct line *l)
{
    struct timespec now;
    struct tm t;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &t);
    put_format(l, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
        t.tm_hour, t.tm_min, t.tm_sec, now.tv_nsec / 1000000);
}

static void compose_text(
    struct line *l, const char *level, const char *event, const struct log_field *fields, size_t n)
{
    put_time(l);
    put_format(l, " %s ", level);
    put_string(l, event, strlen(event));
    for (size_t i = 0; i < n; i++) {
        put(l, " ", 1);
        put_string(l, fields[i].key, strlen(fields[i].key));
        put(l, "=", 1);
        put_value(l, &fields[i]);
    }
}

/* A member of the object, or nothing: half of one is no JSON. */
static void put_member(struct line *l, const struct log_field *f)
{
    size_t start = l->len;
    put(l, ",", 1);
    put_quoted(l, f->key, strlen(f->key));
    put(l, ":", 1);
    if (!l->cut && room(l) >= VALUE_ROOM) {
        put_value(l, f);
    } else {
        l->len = start;
        l->cut = true;
    }
}

static void compose_json(
    struct line *l, const char *level, const char *event, const struct log_field *fields, size_t n)
{
    put_text(l, "{\"time\":\"");
    put_time(l);
    put_format(l, "\",\"level\":\"%s\",\"event\":", level);
    put_quoted(l, event, strlen(event));
    for (size_t i = 0; i < n && !l->cut; i++)
        put_member(l, &fields[i]);
}

static void end_line(struct line *l)
{
    const char *end = l->cut ? "...\n" : "\n";
    if (format == LOG_JSON)
        end = l->cut ? ",\"cut\":true}\n" : "}\n";
    memcpy(l->text + l->len, end, strlen(end));
    l->len += strlen(end);
}

static void write_out(const char *text, size_t n)
{
    while (n) {
        ssize_t written = write(STDERR_FILENO, text, n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        text += written;
        n -= (size_t)written;
    }
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    static struct line line;
    line.len = 0;
    line.cut = false;
    if (format == LOG_JSON)
        compose_json(&line, levels[level], event, fields, n);
    else
        compose_text(&line, levels[level], event, fields, n);
    end_line(&line);
    write_out(line.text, line.len);
}

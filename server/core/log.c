#include "core/log.h"

#include "core/line.h"

#include <errno.h>
#include <math.h>
#include <unistd.h>

enum {
    END_ROOM = 16,   /* bytes kept free for the line's end, cut or not */
    VALUE_ROOM = 64, /* the longest number; for a string, quotes and some of it */
};

static enum log_level threshold = LOG_INFO;
static enum log_format format = LOG_TEXT;

void log_configure(enum log_level new_threshold, enum log_format new_format)
{
    threshold = new_threshold;
    format = new_format;
}

bool log_enabled(enum log_level level)
{
    return level >= threshold;
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
        line_put_format(l, "%.10g", value);
    else
        line_put_text(l, format == LOG_JSON ? "null" : "nan");
}

static void put_value(struct line *l, const struct log_field *f)
{
    switch (f->kind) {
    case LOG_STRING:
        if (format == LOG_TEXT && is_plain(f->text, f->len))
            line_put(l, f->text, f->len);
        else
            line_put_quoted(l, f->text, f->len);
        break;
    case LOG_INTEGER:
        line_put_format(l, "%lld", (long long)f->integer);
        break;
    case LOG_NUMBER:
        put_number(l, f->number);
        break;
    case LOG_BOOLEAN:
        line_put_text(l, f->boolean ? "true" : "false");
        break;
    }
}

static void compose_text(
    struct line *l, const char *level, const char *event, const struct log_field *fields, size_t n)
{
    line_put_time(l);
    line_put_format(l, " %s ", level);
    line_put_escaped(l, event, strlen(event));
    for (size_t i = 0; i < n; i++) {
        line_put(l, " ", 1);
        line_put_escaped(l, fields[i].key, strlen(fields[i].key));
        line_put(l, "=", 1);
        put_value(l, &fields[i]);
    }
}

/* A member of the object, or nothing: half of one is no JSON. */
static void put_member(struct line *l, const struct log_field *f)
{
    size_t start = l->len;
    line_put(l, ",", 1);
    line_put_quoted(l, f->key, strlen(f->key));
    line_put(l, ":", 1);
    if (!l->cut && line_room(l) >= VALUE_ROOM) {
        put_value(l, f);
    } else {
        l->len = start;
        l->cut = true;
    }
}

static void compose_json(
    struct line *l, const char *level, const char *event, const struct log_field *fields, size_t n)
{
    line_put_text(l, "{\"time\":\"");
    line_put_time(l);
    line_put_format(l, "\",\"level\":\"%s\",\"event\":", level);
    line_put_quoted(l, event, strlen(event));
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
    line_init(&line, END_ROOM);
    if (format == LOG_JSON)
        compose_json(&line, levels[level], event, fields, n);
    else
        compose_text(&line, levels[level], event, fields, n);
    end_line(&line);
    write_out(line.text, line.len);
}

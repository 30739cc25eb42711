#include "core/log.h"

#include "core/clock.h"
#include "core/line.h"
#include "core/sink.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const levels[] = {"debug", "info", "warn", "error"};

enum {
    END_ROOM = 16,   /* bytes kept free for the line's end, cut or not */
    VALUE_ROOM = 64, /* the longest number; for a string, its quotes and some of its text */
};

static enum log_level threshold = LOG_INFO;
static enum log_format format = LOG_TEXT;
static bool terminal, coloured;

void log_configure(enum log_level new_threshold, enum log_format new_format)
{
    threshold = new_threshold;
    format = new_format;
}

bool log_enabled(enum log_level level)
{
    return level >= threshold;
}

void log_use_terminal(void)
{
    const char *no_color = getenv("NO_COLOR");
    terminal = true;
    coloured = !no_color || !no_color[0];
}

bool log_on_terminal(void)
{
    return terminal && format == LOG_TEXT;
}

/* Whether a text value is readable without quotes. */
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
    case LOG_LINES:
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

static void put_field(struct line *l, const struct log_field *f)
{
    line_put(l, " ", 1);
    line_put_escaped(l, f->key, strlen(f->key));
    line_put(l, "=", 1);
    put_value(l, f);
}

/* Escapes the text as between quotes, but leaves quotes alone, since none surround the text. */
static void put_unquoted(struct line *l, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t from = i;
        while (i < n && text[i] != '"' && text[i] != '\\')
            i++;
        line_put_escaped(l, text + from, i - from);
        line_put(l, text + i, i < n);
    }
}

/* One line of a text, on a line of its own below the event's. */
static void put_below(struct line *l, const char *text, size_t n)
{
    line_put_text(l, "\n    ");
    for (; n > 0 && *text == '\t'; text++, n--)
        line_put_text(l, "    ");
    put_unquoted(l, text, n);
}

static void put_lines(struct line *l, const struct log_field *f)
{
    const char *end = f->text + f->len;
    for (const char *at = f->text; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((stop ? stop : end) - at);
        put_below(l, at, n);
        at += n + 1;
    }
}

static void put_level(struct line *l, enum log_level level)
{
    static const char *const colours[] = {"\33[2m", "\33[32m", "\33[33m", "\33[31m"};
    if (coloured)
        line_put_format(l, " %s%s\33[0m ", colours[level], levels[level]);
    else
        line_put_format(l, " %s ", levels[level]);
}

static void compose_text(struct line *l, enum log_level level, const char *event,
    const struct log_field *fields, size_t n)
{
    line_put_time(l);
    put_level(l, level);
    line_put_escaped(l, event, strlen(event));
    for (size_t i = 0; i < n; i++)
        if (!terminal || fields[i].kind != LOG_LINES)
            put_field(l, &fields[i]);
    for (size_t i = 0; i < n && terminal; i++)
        if (fields[i].kind == LOG_LINES)
            put_lines(l, &fields[i]);
}

/* A member of the object, or nothing: half a member would be invalid JSON. */
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

static void compose_json(struct line *l, enum log_level level, const char *event,
    const struct log_field *fields, size_t n)
{
    line_put_text(l, "{\"time\":\"");
    line_put_time(l);
    line_put_format(l, "\",\"level\":\"%s\",\"event\":", levels[level]);
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

/* Writing. */

static struct sink out = {STDERR_FILENO, SINK_PLAIN};

/* What this process has still to write or to report. */
static struct {
    pid_t pid;
    uint64_t lost; /* lines that were lost because nobody reads the log */
    size_t len;    /* bytes in rest: the end of a line that was begun */
    char rest[LINE_MAX_BYTES];
} late;

void log_open(void)
{
    sink_close(&out);
    sink_open(&out, STDERR_FILENO);
}

/* Writes what it can and returns how much that is. The remainder matters only if a line was
 * begun. */
static size_t write_some(const char *text, size_t n, bool *full)
{
    size_t done = 0;
    *full = false;
    while (done < n) {
        ssize_t written = sink_write(&out, text + done, n - done);
        if (written < 0 && errno == EINTR)
            continue;
        *full = written < 0 && errno == EAGAIN;
        if (written <= 0)
            break;
        done += (size_t)written;
    }
    return done;
}

/* Writes the end of a line that was begun. False if some of it is left: no other line can begin. */
static bool write_rest(void)
{
    bool full;
    size_t done = write_some(late.rest, late.len, &full);
    late.len = full ? late.len - done : 0;
    memmove(late.rest, late.rest + done, late.len);
    return !full;
}

static bool write_line(const struct line *l)
{
    bool full;
    size_t done = write_some(l->text, l->len, &full);
    if (!full)
        return true;
    if (done == 0)
        return false;
    late.len = l->len - done;
    memcpy(late.rest, l->text + done, late.len);
    return true;
}

static void compose(struct line *l, enum log_level level, const char *event,
    const struct log_field *fields, size_t n)
{
    line_init(l, END_ROOM);
    if (format == LOG_JSON)
        compose_json(l, level, event, fields, n);
    else
        compose_text(l, level, event, fields, n);
    end_line(l);
}

/* Reports the lines that were lost. False if that could not be written. */
static bool tell_lost(struct line *l)
{
    const struct log_field count = log_int("count", (int64_t)late.lost);
    if (late.lost == 0)
        return true;
    compose(l, LOG_WARN, "log lines lost", &count, 1);
    if (!write_line(l))
        return false;
    late.lost = 0;
    return true;
}

/* A process that was forked leaves what is late in its parent to the parent. */
static void forget_parents(void)
{
    pid_t pid = getpid();
    if (late.pid == pid)
        return;
    late.pid = pid;
    late.lost = 0;
    late.len = 0;
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n)
{
    static struct line line;
    forget_parents();
    if (write_rest() && tell_lost(&line)) {
        compose(&line, level, event, fields, n);
        if (write_line(&line))
            return;
    }
    late.lost++;
}

/* Rates. */

enum { RATED = 64, BURST = 10 };
static const double window_seconds = 1;

/* The lines of one event since a point in time. */
struct rate {
    const char *event;
    enum log_level level;
    double since;
    uint64_t count;
};

static struct rate rates[RATED];

/* NULL if there are too many events. */
static struct rate *find_rate(const char *event)
{
    for (struct rate *r = rates; r < rates + RATED; r++) {
        if (!r->event)
            r->event = event;
        if (strcmp(r->event, event) == 0)
            return r;
    }
    return NULL;
}

static void close_window(struct rate *r, double now)
{
    uint64_t left_out = r->count > BURST ? r->count - BURST : 0;
    r->since = now;
    r->count = 0;
    if (left_out) {
        const struct log_field field = log_int("left_out", (int64_t)left_out);
        log_write(r->level, r->event, &field, 1);
    }
}

void log_write_rated(
    enum log_level level, const char *event, const struct log_field *fields, size_t n)
{
    bool rated = (level == LOG_INFO || level == LOG_WARN) && !log_enabled(LOG_DEBUG);
    struct rate *r = rated ? find_rate(event) : NULL;
    if (r) {
        double now = clock_monotonic();
        if (now - r->since >= window_seconds)
            close_window(r, now);
        r->level = level;
        if (++r->count > BURST)
            return;
    }
    log_write(level, event, fields, n);
}

void log_settle(bool all)
{
    double now = clock_monotonic();
    for (struct rate *r = rates; r < rates + RATED && r->event; r++)
        if (all || now - r->since >= window_seconds)
            close_window(r, now);
}

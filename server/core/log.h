/*
 * The log: one line an event on stderr, the event's name in lower case and then its fields, as text
 * or as JSON:
 *
 *     2026-01-31T12:00:00.000Z info stream reset conn=7 stream=3 code=CANCEL
 *     {"time":"2026-01-31T12:00:00.000Z","level":"info","event":"stream reset","conn":7,…}
 *
 * Nothing waits for a slow reader: lines that a full pipe or socket does not take are dropped, and
 * their number is logged once there is room. Lines that a peer can cause at will are limited in
 * rate.
 *
 * Levels: error, an operator must act; warn, a peer misbehaved; info, lifecycle; debug, the rest.
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

enum log_kind { LOG_STRING = 1, LOG_INTEGER, LOG_NUMBER, LOG_BOOLEAN, LOG_LINES };

struct log_field {
    const char *key;
    enum log_kind kind;
    union {
        struct {
            const char *text;
            size_t len;
        };
        int64_t integer;
        double number;
        bool boolean;
    };
};

static inline struct log_field log_bytes(const char *key, const char *text, size_t len)
{
    return (struct log_field){.key = key, .kind = LOG_STRING, .text = text, .len = len};
}

/* A text of several lines, such as a traceback: a string like any other, except that on a terminal
 * it stands below the event's line. */
static inline struct log_field log_lines(const char *key, const char *text, size_t len)
{
    return (struct log_field){.key = key, .kind = LOG_LINES, .text = text, .len = len};
}

static inline struct log_field log_str(const char *key, const char *text)
{
    return log_bytes(key, text ? text : "", text ? strlen(text) : 0);
}

static inline struct log_field log_int(const char *key, int64_t value)
{
    return (struct log_field){.key = key, .kind = LOG_INTEGER, .integer = value};
}

static inline struct log_field log_num(const char *key, double value)
{
    return (struct log_field){.key = key, .kind = LOG_NUMBER, .number = value};
}

static inline struct log_field log_bool(const char *key, bool value)
{
    return (struct log_field){.key = key, .kind = LOG_BOOLEAN, .boolean = value};
}

/* For the whole process. The start is LOG_INFO and LOG_TEXT. */
void log_configure(enum log_level threshold, enum log_format format);
bool log_enabled(enum log_level level);
/* stderr is a developer's terminal: lines in text format have colours, unless NO_COLOR is set, and
 * log_lines stand below them. */
void log_use_terminal(void);
/* Whether log_use_terminal was called and the format is text. */
bool log_on_terminal(void);
/* Writes to stderr, as it is now, without waiting; until this is called a write may wait. */
void log_open(void);

/* Writes one line, whatever the threshold. A line longer than 64 KiB is cut, and says so. */
void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n);

/* log_event(LOG_INFO, "stream reset", log_int("conn", 7), …): fields are evaluated only where the
 * level is enabled. */
#define log_event(level, event, ...) \
    do { \
        if (log_enabled(level)) { \
            const struct log_field fields_[] = {__VA_ARGS__}; \
            log_write(level, event, fields_, sizeof fields_ / sizeof *fields_); \
        } \
    } while (0)

/* Like log_event, for what a peer can cause as often as it likes: an event, which is a constant,
 * has at most ten lines a second, and then one with the number of those left out. Errors are not
 * limited, nor is anything at LOG_DEBUG, where every line is wanted. */
#define log_peer_event(level, event, ...) \
    do { \
        if (log_enabled(level)) { \
            const struct log_field fields_[] = {__VA_ARGS__}; \
            log_write_rated(level, event, fields_, sizeof fields_ / sizeof *fields_); \
        } \
    } while (0)

void log_write_rated(
    enum log_level level, const char *event, const struct log_field *fields, size_t n);
/* Logs how many lines were left out: of the events whose second is over, or of all. To be called
 * each second. */
void log_settle(bool all);

#endif

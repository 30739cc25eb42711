/*
 * What the log says of one request: each line has the numbers of its connection and stream, its
 * method, its path without the query, and the script that answers it:
 *
 *     handler failed conn=7 stream=1 error="…" traceback="…" method=GET path=/a script=s/a.lua
 */
#ifndef LUA_CTX_REPORT_H
#define LUA_CTX_REPORT_H

#include "core/log.h"
#include "core/str.h"

#include <lua.h>
#include <stdbool.h>

struct ctx;
struct task;

enum { REPORT_FIELDS = 4 }; /* fields of an event's own, at most */

/* As log_event, of a request; and of a task that a script has started, with what is still known of
 * the request that it was started for. */
#define report_event(c, level, event, ...) report_with(report_write, c, level, event, __VA_ARGS__)
#define report_task_event(t, level, event, ...) \
    report_with(report_write_task, t, level, event, __VA_ARGS__)

#define report_with(write, about, level, event, ...) \
    do { \
        if (log_enabled(level)) { \
            const struct log_field fields_[] = {__VA_ARGS__}; \
            write(about, level, event, fields_, sizeof fields_ / sizeof *fields_); \
        } \
    } while (0)

void report_write(const struct ctx *c, enum log_level level, const char *event,
    const struct log_field *fields, size_t n);
void report_write_task(const struct task *t, enum log_level level, const char *event,
    const struct log_field *fields, size_t n);

/* The event of a task that has failed, a handler's or one that a script has started; its stack is
 * as it was left. */
void report_failure(
    const struct task *t, const char *event, struct str error, struct str traceback);

/* The event of an error that closing a task has raised, the error on top. It is no fault where it
 * is an abort error, or where the task was stopped. [-0, +0] */
void report_close_error(lua_State *L, const struct task *t, bool stopped);

/* Keeps a copy of the request's method and path, before its exchange is gone. Without memory the
 * lines go without them. */
void report_keep(struct ctx *c);
void report_drop(struct ctx *c);

#endif

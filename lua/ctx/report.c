#include "lua/ctx/report.h"

#include "core/check.h"
#include "core/mem.h"
#include "http/exchange.h"
#include "lua/ctx/ctx.h"
#include "lua/runtime/error_text.h"
#include "lua/runtime/excerpt.h"
#include "lua/runtime/script_file.h"
#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"

enum { TEXT_MAX = 2048 }; /* bytes of a path or a method; what is longer is cut */

/* A request that is over, with both texts behind it. */
struct report_kept {
    size_t method, path; /* their lengths */
    char text[];
};

struct line {
    struct log_field fields[REPORT_FIELDS + 5];
    size_t count;
};

static void put(struct line *l, struct log_field field)
{
    l->fields[l->count++] = field;
}

static size_t cut(struct str s)
{
    return s.n < TEXT_MAX ? s.n : TEXT_MAX;
}

static void put_request(struct line *l, const struct ctx *c)
{
    if (c->x) {
        const struct request *r = &c->x->request;
        put(l, log_bytes("method", r->method.p, cut(r->method)));
        put(l, log_bytes("path", r->path.p, cut(r->path)));
    } else if (c->kept) {
        put(l, log_bytes("method", c->kept->text, c->kept->method));
        put(l, log_bytes("path", c->kept->text + c->kept->method, c->kept->path));
    }
    put(l, log_str("script", ctx_script(c)->path));
}

static void put_all(struct line *l, const struct log_field *fields, size_t n)
{
    check(n <= REPORT_FIELDS);
    for (size_t i = 0; i < n; i++)
        put(l, fields[i]);
}

void report_write(const struct ctx *c, enum log_level level, const char *event,
    const struct log_field *fields, size_t n)
{
    struct line l = {.count = 0};
    put(&l, log_int("conn", (int64_t)c->conn));
    put(&l, log_int("stream", c->stream));
    put_all(&l, fields, n);
    put_request(&l, c);
    log_write(level, event, l.fields, l.count);
}

void report_write_task(const struct task *t, enum log_level level, const char *event,
    const struct log_field *fields, size_t n)
{
    struct line l = {.count = 0};
    const struct ctx *c = handles_get(&t->vm->requests, t->request);
    put_all(&l, fields, n);
    if (c)
        put_request(&l, c);
    log_write(level, event, l.fields, l.count);
}

static void write_of(const struct task *t, enum log_level level, const char *event,
    const struct log_field *fields, size_t n)
{
    if (t->ctx)
        report_write(t->ctx, level, event, fields, n);
    else
        report_write_task(t, level, event, fields, n);
}

void report_failure(const struct task *t, const char *event, struct str error, struct str traceback)
{
    char source[EXCERPT_SIZE];
    struct log_field fields[3] = {log_bytes("error", error.p, error.n)};
    size_t count = 1;
    if (!log_enabled(LOG_ERROR))
        return;
    if (log_on_terminal() && excerpt_of_stack(task_innermost(t), source))
        fields[count++] = log_lines("source", source, strlen(source));
    fields[count++] = log_lines("traceback", traceback.p, traceback.n);
    write_of(t, LOG_ERROR, event, fields, count);
}

struct closing {
    const struct task *task;
    bool stopped;
};

/* Called with the closing and the error. */
static int l_log_close(lua_State *L)
{
    size_t len;
    const struct closing *c = lua_touserdata(L, 1);
    bool is_fault = !c->stopped && !ctx_is_abort_error(L, 2, c->task);
    enum log_level level = is_fault ? LOG_ERROR : LOG_DEBUG;
    error_text_push(L, 2);
    const char *text = lua_tolstring(L, -1, &len);
    const struct log_field error = log_bytes("error", text, len);
    if (log_enabled(level))
        write_of(c->task, level, "close failed", &error, 1);
    return 0;
}

void report_close_error(lua_State *L, const struct task *t, bool stopped)
{
    struct closing c = {t, stopped};
    error_text_report(L, l_log_close, &c, "close failed");
}

void report_keep(struct ctx *c)
{
    const struct request *r = &c->x->request;
    size_t method = cut(r->method), path = cut(r->path);
    struct report_kept *kept = mem_get(sizeof *kept + method + path);
    if (!kept)
        return;
    kept->method = method;
    kept->path = path;
    memcpy(kept->text, r->method.p, method);
    memcpy(kept->text + method, r->path.p, path);
    c->kept = kept;
}

void report_drop(struct ctx *c)
{
    if (c->kept)
        mem_put(c->kept, sizeof *c->kept + c->kept->method + c->kept->path);
    c->kept = NULL;
}

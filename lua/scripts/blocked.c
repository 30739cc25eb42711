#include "lua/scripts/blocked.h"

#include "core/activity.h"
#include "core/clock.h"
#include "core/log.h"
#include "http/exchange.h"
#include "lua/ctx/ctx.h"
#include "lua/runtime/script_file.h"
#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"
#include "net/timer.h"

#include <math.h>

/* Seconds that are worth a line; with --dev a developer wants to know earlier. */
static const double long_seconds = 1, long_seconds_dev = 0.2;

static const char *file_of(const struct ctx *c)
{
    const struct script_file *file = ctx_script(c);
    return file ? file->path : "";
}

void blocked_report(struct task *t)
{
    const struct ctx *c = t->ctx;
    double seconds = clock_wall() - timer_turn(t->vm->ev);
    atomic_store(&activity->asked, false);
    timer_begin_turn(t->vm->ev);
    if (seconds < (t->vm->options.dev ? long_seconds_dev : long_seconds))
        return;
    seconds = floor(seconds * 10) / 10;
    if (!c || !c->x)
        log_event(LOG_WARN, c ? "handler blocked" : "task blocked", log_num("seconds", seconds),
            log_str("script", c ? file_of(c) : ""));
    else
        log_event(LOG_WARN, "handler blocked", log_num("seconds", seconds),
            log_bytes("method", c->x->request.method.p, c->x->request.method.n),
            log_bytes("path", c->x->request.path.p, c->x->request.path.n),
            log_str("script", file_of(c)));
}

static void describe(const struct ctx *c)
{
    struct activity *a = activity;
    const char *file = file_of(c);
    activity_write(a->script, sizeof a->script, file, strlen(file));
    if (!c->x)
        return;
    const struct request *r = &c->x->request;
    activity_write(a->method, sizeof a->method, r->method.p, r->method.n);
    activity_write(a->path, sizeof a->path, r->path.p, r->path.n);
}

void blocked_describe(const struct vm *vm)
{
    const struct task *t = vm->running;
    activity->method[0] = activity->path[0] = activity->script[0] = '\0';
    if (t && t->ctx)
        describe(t->ctx);
}

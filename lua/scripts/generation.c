#include "lua/scripts/generation.h"

#include "core/activity.h"
#include "core/check.h"
#include "core/mem.h"
#include "http/exchange.h"
#include "lua/ctx/ctx.h"
#include "lua/ctx/spawn.h"
#include "lua/runtime/budget.h"
#include "lua/runtime/held.h"
#include "lua/runtime/sources.h"
#include "lua/runtime/task.h"
#include "lua/scripts/blocked.h"
#include "lua/scripts/entry.h"
#include "lua/scripts/libraries.h"
#include "lua/scripts/route_files.h"
#include "lua/scripts/schedule.h"

#include <stdio.h>

static enum rc make(
    const struct generation_source *from, struct generation **out, char why[SCRIPT_WHY])
{
    char folder[SCRIPT_WHY];
    snprintf(why, SCRIPT_WHY, "%s", rc_text(RC_NOMEM));
    route_files_folder(from->path, folder, sizeof folder);
    struct generation *g = mem_get_zeroed(sizeof *g);
    if (!g)
        return RC_NOMEM;
    list_init(&g->link);
    if (vm_new(from->ev, &from->options, libraries_open, folder, &g->vm)) {
        generation_free(g);
        return RC_NOMEM;
    }
    if (schedule_new(g->vm, &g->schedule)) {
        generation_free(g);
        return RC_NOMEM;
    }
    g->vm->fault = from->fault;
    g->vm->blocked = blocked_report;
    g->vm->page = entry_write_page;
    *out = g;
    return RC_OK;
}

static enum rc load(struct generation *g, const char *path, char why[SCRIPT_WHY])
{
    budget_start_load(g->vm);
    enum rc rc = scripts_load(g->vm, path, &g->scripts, why);
    budget_end_load(g->vm);
    activity_load(NULL);
    schedule_go(g->schedule);
    return rc;
}

/* Garbage left by loading does not count as memory that the scripts need. */
static void set_floor(struct generation *g)
{
    vm_collect(g->vm);
    g->vm->memory_floor = g->vm->memory;
}

enum rc generation_new(
    const struct generation_source *from, struct generation **out, char why[SCRIPT_WHY])
{
    struct generation *g;
    enum rc rc = make(from, &g, why);
    if (rc)
        return rc;
    rc = load(g, from->path, why);
    if (rc) {
        generation_free(g);
        return rc;
    }
    set_floor(g);
    *out = g;
    return RC_OK;
}

enum rc generation_bare(const struct generation_source *from, struct generation **out)
{
    char why[SCRIPT_WHY];
    return make(from, out, why);
}

enum rc generation_prove(const struct generation_source *from,
    void (*visit)(void *data, const char *file), void *data, char why[SCRIPT_WHY])
{
    struct generation *g;
    enum rc rc = make(from, &g, why);
    if (rc)
        return rc;
    rc = load(g, from->path, why);
    sources_visit(g->vm, visit, data);
    generation_free(g);
    return rc;
}

/* Ends its tasks: every wait raises, and a task that catches that and goes on is killed. */
void generation_stop(struct generation *g)
{
    if (g->schedule)
        schedule_end(g->schedule);
    spawn_cancel_all(g->vm, SPAWN_SHUTDOWN);
    while (!list_empty(&g->vm->ready))
        vm_run(g->vm);
}

void generation_free(struct generation *g)
{
    if (g->vm)
        generation_stop(g);
    if (g->scripts)
        scripts_free(g->scripts);
    if (g->schedule)
        schedule_free(g->schedule);
    if (g->vm)
        vm_free(g->vm);
    list_remove(&g->link);
    mem_put(g, sizeof *g);
}

void generation_set_state(struct generation *g, enum generation_state state)
{
    check(state == g->state + 1);
    g->state = state;
    if (state != GENERATION_OLD)
        return;
    schedule_end(g->schedule);
    schedule_tell(g->schedule, "reload");
}

void generation_drain(struct generation *g)
{
    schedule_drain(g->schedule);
}

bool generation_is_telling(const struct generation *g)
{
    return schedule_is_telling(g->schedule);
}

bool generation_is_parting(const struct generation *g)
{
    return g->vm->partings > 0;
}

void generation_abort(struct generation *g)
{
    size_t at = 0;
    check(g->state != GENERATION_CURRENT && !g->aborted);
    g->aborted = true;
    for (struct ctx *c; (c = handles_next(&g->vm->requests, &at));)
        if (c->x)
            exchange_refuse(c->x, cut_of(CUT_RELOAD), 503);
}

bool generation_wind_up(struct generation *g)
{
    check(g->state != GENERATION_CURRENT);
    if (g->vm->requests.used || (generation_is_telling(g) && !g->aborted))
        return false;
    if (g->state == GENERATION_OLD) {
        generation_set_state(g, GENERATION_CLOSING);
        spawn_cancel_all(g->vm, SPAWN_RELOAD);
    }
    return list_empty(&g->vm->tasks);
}

static size_t held_by(const struct ctx *c)
{
    bool waits = c->x && c->task && c->task->state == TASK_WAITING;
    return waits ? held_by_task(c->task) : 0;
}

size_t generation_heaviest(struct generation *g)
{
    size_t at = 0, heaviest = 0;
    for (struct ctx *c; (c = handles_next(&g->vm->requests, &at));) {
        size_t held = held_by(c);
        heaviest = held > heaviest ? held : heaviest;
    }
    return heaviest;
}

size_t generation_relieve(struct generation *g, size_t least, size_t most)
{
    size_t at = 0, ended = 0;
    for (struct ctx *c; ended < most && (c = handles_next(&g->vm->requests, &at));) {
        size_t held = held_by(c);
        if (held == 0 || held < least)
            continue;
        ended += held;
        exchange_refuse(c->x, cut_by_us(ERROR_ENHANCE_YOUR_CALM), c->x->request.ended ? 503 : 413);
    }
    g->vm->relieved |= ended > 0;
    return ended;
}

bool generation_is_bloated(struct generation *g)
{
    return g->vm->bloated;
}

#include "lua/scripts/bridge.h"

#include "core/check.h"
#include "core/log.h"
#include "core/mem.h"
#include "http/exchange.h"
#include "http/handler.h"
#include "http/part.h"
#include "http/rpc.h"
#include "lua/ctx/ctx.h"
#include "lua/runtime/task.h"
#include "lua/scripts/answer.h"
#include "lua/scripts/around.h"
#include "lua/scripts/blocked.h"
#include "lua/scripts/entry.h"
#include "lua/scripts/generation.h"
#include "lua/scripts/handler_error.h"

#include <lauxlib.h>

struct bridge {
    struct handler handler, missing;
    struct part part;
    struct generation_source source;
    struct generation *current;
    struct list old; /* generations that have not ended, the oldest first */
    unsigned live;   /* number of generations, the current one included */
    unsigned loaded; /* number of generations loaded so far */
    bool draining;
    struct vm *volatile running; /* the vm whose tasks are running, for the ticks */
    char fault[VM_FAULT];
};

/* The task. */

/* Ends the response after the handler has returned. */
static enum rc complete(struct ctx *c)
{
    if (!c->x || c->x->response.out.state >= OUTGOING_FINISHED)
        return RC_OK;
    return exchange_finish(c->x);
}

/* The ctx of a request around whose handler something goes is kept by its task. */
static void clear_shelf(const struct task *t)
{
    lua_pushboolean(t->vm->L, false);
    lua_rawseti(t->vm->L, LUA_REGISTRYINDEX, t->shelf);
}

static void end_request(struct ctx *c)
{
    ctx_call_callbacks_at_end(c);
    if (c->x)
        exchange_detach(c->x);
    check_hot(!c->x || !c->x->instance);
    ctx_free(c);
}

static void finish_request(struct task *t, int status);

static enum rc begin(struct ctx *c, lua_CFunction entry)
{
    const struct task_kind kind = {entry, ctx_check_task, finish_request};
    enum rc rc = task_new(c->vm, &kind, c, &c->task);
    if (rc)
        return rc;
    c->task->ctx = c;
    c->x->instance = c;
    return RC_OK;
}

/* A task that has failed gives the request to another, which writes the page. Nothing of the
 * response goes out before. What was set on the way to a handler stays, however far it led. */
static void begin_page(struct task *t)
{
    struct ctx *c = t->ctx;
    lua_State *L = t->vm->L;
    ctx_set_deadline(c, -1);
    c->stage++;
    bool lacks = c->wrapped && !c->wrap.inside && outgoing_keep_head(&c->x->response.out);
    if (lacks || response_restart(&c->x->response) || begin(c, entry_page)) {
        answer_status(c->vm, c->x, c->failure, NULL);
        end_request(c);
        return;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, t->shelf);
    lua_rawseti(L, LUA_REGISTRYINDEX, c->task->shelf);
}

static void finish_request(struct task *t, int status)
{
    struct ctx *c = t->ctx;
    bool goes_on = false;
    ctx_take_back(c);
    if (status != LUA_OK)
        goes_on = handler_error_handle(t, status);
    else if (complete(c))
        goes_on = handler_error_short_body(c);
    bool wrapped = c->wrapped;
    if (goes_on)
        begin_page(t);
    else
        end_request(c);
    if (wrapped)
        clear_shelf(t);
    t->ctx = NULL; /* a signal handler may look at it */
}

/* The handler's operations. */

static void wrap(struct ctx *c, const struct around *around, const struct script_answer *answer)
{
    c->wrapped = true;
    c->wrap = (struct ctx_wrap){.around = around,
        .outer = LUA_NOREF,
        .failed = LUA_NOREF,
        .status = answer->status,
        .allow = answer->allow};
}

/* What a script answers, or has a route for. */
static void wrap_script(struct ctx *c, const struct script_answer *answer)
{
    const struct script_file *file = ctx_script(c);
    wrap(c, file->around, answer);
    struct script_wrap own = scripts_wrap(file, c->x->request.method);
    c->wrap.outer = own.outer;
    c->wrap.failed = own.failed;
}

/* Whether scripts have a say in a page of the server's own. */
static bool has_say(const struct ctx *c, const struct around *a, int status)
{
    return a && (a->count || c->wrap.outer != LUA_NOREF ||
                    (status >= 400 && a->page != LUA_NOREF && !rpc_protocol_of(&c->x->request)));
}

/* For a request that a script has no function for. */
static bool wrap_page(
    struct generation *g, struct ctx *c, const struct script_answer *answer, bool missing)
{
    const struct around *a;
    if (answer->status == 503)
        return false;
    if (answer->status == 204 || answer->status == 405) {
        wrap_script(c, answer);
        return has_say(c, c->wrap.around, answer->status);
    }
    a = scripts_around(g->scripts, &c->x->request, &c->x->arena, &c->match);
    if (!a || (answer->status == 404 && !missing && !a->count))
        return false;
    c->match.target = (void *)&a->file;
    wrap(c, a, answer);
    return has_say(c, a, answer->status);
}

/* Answers with a status, or declines: without a route. */
static bool answer_without(struct generation *g, struct ctx *c, const struct script_answer *answer)
{
    struct exchange *x = c->x;
    bool declines = answer->status == 404;
    if (wrap_page(g, c, answer, false) && begin(c, entry_wrapped) == RC_OK)
        return true;
    ctx_free(c);
    if (!declines)
        answer_status(g->vm, x, answer->status, answer->allow);
    return !declines;
}

static enum rc begin_handler(struct ctx *c, const struct script_answer *answer)
{
    if (!ctx_script(c)->wrapped)
        return begin(c, c->vm->options.dev ? entry_handler_in_dev : entry_handler);
    wrap_script(c, answer);
    return begin(c, entry_wrapped);
}

/* Declines a path that no script has. */
static bool on_start(struct handler *h, struct exchange *x)
{
    struct generation *g = container_of(h, struct bridge, handler)->current;
    struct script_answer answer;
    struct ctx *c;
    if (!g->scripts) {
        answer_without_scripts(g->vm, x);
        return true;
    }
    if (ctx_new(g->vm, x, &c)) {
        answer_status(g->vm, x, 503, NULL);
        return true;
    }
    answer = scripts_route(g->scripts, &x->request, &x->arena, &c->match);
    c->handler = answer.handler;
    if (answer.status)
        return answer_without(g, c, &answer);
    if (answer_mark(g->vm, x, ctx_script(c))) {
        ctx_free(c);
        return true;
    }
    if (begin_handler(c, &answer)) {
        ctx_free(c);
        answer_status(g->vm, x, 503, NULL);
    }
    return true;
}

/* A page that a script writes of what nobody has. */
static bool begin_missing(struct generation *g, struct exchange *x)
{
    const struct script_answer answer = {.status = 404};
    struct ctx *c;
    if (!g->scripts || ctx_new(g->vm, x, &c))
        return false;
    if (wrap_page(g, c, &answer, true) && begin(c, entry_wrapped) == RC_OK)
        return true;
    ctx_free(c);
    return false;
}

static bool on_missing(struct handler *h, struct exchange *x)
{
    struct bridge *b = container_of(h, struct bridge, missing);
    x->handler = &b->handler;
    if (!begin_missing(b->current, x))
        answer_status(b->current->vm, x, 404, NULL);
    return true;
}

/* The waiting task frees its slot itself, once it runs. */
static void on_readable(struct exchange *x)
{
    task_wake(((const struct ctx *)x->instance)->reader);
}

static void on_writable(struct exchange *x)
{
    task_wake(((const struct ctx *)x->instance)->writer);
}

/* A task that has not begun is dropped, but for one that is to tell of a failure: scripts have run
 * before it. */
static void on_abort(struct exchange *x, struct cut cut)
{
    struct ctx *c = x->instance;
    struct task *t = c->task;
    check(c->x == x);
    if (t->entry && c->stage == CTX_HANDLED) {
        task_drop(t);
        ctx_free(c);
        return;
    }
    ctx_abort(c, cut);
}

static void on_tick(struct part *p)
{
    struct vm *vm = container_of(p, struct bridge, part)->running;
    if (vm)
        budget_tick(&vm->budget);
}

static void on_describe(struct part *p)
{
    const struct vm *vm = container_of(p, struct bridge, part)->running;
    if (vm)
        blocked_describe(vm);
}

static void log_cut(struct vm *vm)
{
    size_t at = 0;
    for (const struct ctx *c; (c = handles_next(&vm->requests, &at));)
        if (c->x)
            log_peer_event(LOG_INFO, "request cut",
                log_bytes("method", c->x->request.method.p, c->x->request.method.n),
                log_bytes("path", c->x->request.path.p, c->x->request.path.n));
}

static void on_cut(struct part *p)
{
    struct bridge *b = container_of(p, struct bridge, part);
    log_cut(b->current->vm);
    for (struct list *node = b->old.next; node != &b->old; node = node->next)
        log_cut(container_of(node, struct generation, link)->vm);
}

/* Generations. */

static bool run(struct bridge *b, struct generation *g)
{
    check_hot(!b->running);
    b->running = g->vm;
    bool more = vm_run(g->vm);
    ctx_let_go(g->vm);
    b->running = NULL;
    return more;
}

static void stop(struct bridge *b, struct generation *g)
{
    b->running = g->vm;
    generation_stop(g);
    b->running = NULL;
}

/* After a large generation free memory is returned to the system: the next one is unlikely to need
 * so much. */
static void close_generation(struct bridge *b, struct generation *g)
{
    enum { LARGE = 1 << 20 };
    bool large = g->vm->memory > LARGE;
    generation_free(g);
    if (large)
        mem_trim();
    check(b->live > 1);
    b->live--;
    log_event(LOG_DEBUG, "generation closed", log_int("live", b->live));
}

static bool run_old(struct bridge *b)
{
    bool more = false;
    for (struct list *node = b->old.next, *next; node != &b->old; node = next) {
        struct generation *g = container_of(node, struct generation, link);
        next = node->next;
        more |= run(b, g);
        if (generation_wind_up(g))
            close_generation(b, g);
        else
            more |= !list_empty(&g->vm->ready);
    }
    return more;
}

/* The aborted tasks run, and end, in the next turn. */
static void bound_generations(struct bridge *b)
{
    unsigned max = b->source.options.max_generations, live = b->live;
    struct list *node = b->old.next;
    for (; max && live > max && node != &b->old; node = node->next, live--) {
        struct generation *g = container_of(node, struct generation, link);
        if (g->aborted)
            continue;
        log_event(LOG_WARN, "generation aborted", log_str("limit", "max-generations"),
            log_int("live", b->live), log_int("requests", (int64_t)g->vm->requests.used));
        generation_abort(g);
    }
}

/* A new generation takes over. If it does not load, the old one stays. */
static enum rc renew(struct bridge *b, char why[SCRIPT_WHY])
{
    struct generation *fresh;
    enum rc rc = generation_new(&b->source, &fresh, why);
    if (rc)
        return rc;
    generation_set_state(b->current, GENERATION_OLD);
    list_append(&b->old, &b->current->link);
    b->current = fresh;
    b->live++;
    b->loaded++;
    bound_generations(b);
    if (b->draining)
        generation_drain(b->current);
    log_event(
        LOG_DEBUG, "generation loaded", log_int("number", b->loaded), log_int("live", b->live));
    return RC_OK;
}

/* Turns the text into a field value: ASCII, and short enough to read. */
static void set_fault(struct bridge *b, const char *why)
{
    snprintf(b->fault, sizeof b->fault, "%s", why);
    for (char *c = b->fault; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}

/* Loads scripts that have filled their memory anew, so that they begin without garbage; but not if
 * those on disk are known not to load. */
static void retire(struct bridge *b)
{
    char why[SCRIPT_WHY];
    if (b->fault[0])
        return;
    log_event(LOG_WARN, "scripts retired", log_str("limit", "max-vm-memory"),
        log_int("bytes", (int64_t)b->current->vm->memory));
    if (!renew(b, why))
        return;
    log_event(LOG_ERROR, "scripts not loaded", log_str("reason", why));
    set_fault(b, why);
}

/* The generation after g: the old ones in order, then the current one, then NULL. NULL for g gives
 * the first. */
static struct generation *next_generation(const struct bridge *b, const struct generation *g)
{
    if (g == b->current)
        return NULL;
    const struct list *next = g ? g->link.next : b->old.next;
    return next == &b->old ? b->current : container_of(next, struct generation, link);
}

/* The limit is for the whole process: each generation may take what the others leave. The current
 * one gets at least a little, so that it can answer while old ones end. */
static void share_memory(struct bridge *b)
{
    enum { ANYWAY = 8 };
    size_t all = 0, most = b->source.options.max_memory;
    if (!most || (list_empty(&b->old) && b->current->vm->memory_limit == most))
        return;
    for (struct generation *g = NULL; (g = next_generation(b, g));)
        all += g->vm->memory;
    for (struct generation *g = NULL; (g = next_generation(b, g));) {
        size_t others = all - g->vm->memory;
        size_t least = g == b->current ? g->vm->memory_floor + most / ANYWAY : 1;
        size_t left = others < most ? most - others : 0;
        vm_set_memory_limit(g->vm, left > least ? left : least);
    }
}

/* Ends the requests that hold the most memory, in any generation, if that frees enough. So no
 * client can force the scripts to be reloaded by sending bodies that never end. */
static bool relieve(struct bridge *b)
{
    enum { PART = 4, MATTERS = 64 };
    size_t heaviest = 0, ended = 0, most = b->source.options.max_memory / PART;
    for (struct generation *g = NULL; (g = next_generation(b, g));) {
        size_t held = generation_heaviest(g);
        heaviest = held > heaviest ? held : heaviest;
    }
    for (struct generation *g = NULL; ended < most && (g = next_generation(b, g));)
        ended += generation_relieve(g, heaviest / 2, most - ended);
    if (ended)
        log_peer_event(LOG_WARN, "requests ended", log_str("limit", "max-vm-memory"),
            log_int("bytes", (int64_t)ended));
    return ended >= most / MATTERS && ended;
}

static bool is_bloated(const struct bridge *b)
{
    for (struct generation *g = NULL; (g = next_generation(b, g));)
        if (generation_is_bloated(g))
            return true;
    return false;
}

static bool on_run(struct part *p)
{
    struct bridge *b = container_of(p, struct bridge, part);
    share_memory(b);
    bool more = run(b, b->current);
    if (!list_empty(&b->old))
        more |= run_old(b);
    if (is_bloated(b)) {
        more = true;
        if (!relieve(b) && generation_is_bloated(b->current))
            retire(b);
    }
    return more;
}

static bool on_reload(struct part *p, char *why, size_t why_size)
{
    struct bridge *b = container_of(p, struct bridge, part);
    char reason[SCRIPT_WHY];
    if (!renew(b, reason)) {
        set_fault(b, "");
        return true;
    }
    snprintf(why, why_size, "%s", reason);
    return false;
}

static void on_drain(struct part *p)
{
    struct bridge *b = container_of(p, struct bridge, part);
    b->draining = true;
    for (struct generation *g = NULL; (g = next_generation(b, g));)
        generation_drain(g);
}

/* The functions of mt.on_reload may take a while, and so may other servers. */
static bool on_holds(struct part *p)
{
    const struct bridge *b = container_of(p, struct bridge, part);
    for (struct generation *g = NULL; (g = next_generation(b, g));)
        if (generation_is_telling(g) || generation_is_parting(g))
            return true;
    return false;
}

static void on_set_fault(struct part *p, const char *why)
{
    set_fault(container_of(p, struct bridge, part), why ? why : "");
}

static const struct handler_ops handler_ops = {
    .start = on_start,
    .on_readable = on_readable,
    .on_writable = on_writable,
    .on_abort = on_abort,
};

static const struct handler_ops missing_ops = {.start = on_missing};

static const struct part_ops part_ops = {
    .run = on_run,
    .tick = on_tick,
    .describe = on_describe,
    .log_cut = on_cut,
    .reload = on_reload,
    .drain = on_drain,
    .holds = on_holds,
    .set_fault = on_set_fault,
};

/* Life. */

static struct bridge *make(struct ev_loop *ev, const char *path, const struct vm_options *options)
{
    struct bridge *b = mem_get_zeroed(sizeof *b);
    if (!b)
        return NULL;
    b->handler = (struct handler){.ops = &handler_ops, .part = &b->part};
    b->missing = (struct handler){.ops = &missing_ops};
    b->part.ops = &part_ops;
    b->source = (struct generation_source){ev, path, *options, b->fault};
    list_init(&b->old);
    b->live = b->loaded = 1;
    return b;
}

static enum rc take(struct bridge *b, enum rc rc, struct bridge **out)
{
    if (rc)
        mem_put(b, sizeof *b);
    else
        *out = b;
    return rc;
}

enum rc bridge_new(struct ev_loop *ev, const char *path, const struct vm_options *options,
    struct bridge **out, char why[SCRIPT_WHY])
{
    struct bridge *b = make(ev, path, options);
    snprintf(why, SCRIPT_WHY, "%s", rc_text(RC_NOMEM));
    return b ? take(b, generation_new(&b->source, &b->current, why), out) : RC_NOMEM;
}

enum rc bridge_bare(struct ev_loop *ev, const char *path, const struct vm_options *options,
    const char *why, struct bridge **out)
{
    struct bridge *b = make(ev, path, options);
    if (!b)
        return RC_NOMEM;
    set_fault(b, why);
    return take(b, generation_bare(&b->source, &b->current), out);
}

enum rc bridge_prove(const char *path, const struct vm_options *options,
    void (*visit)(void *data, const char *file), void *data, char why[SCRIPT_WHY])
{
    const struct generation_source source = {NULL, path, *options, ""};
    return generation_prove(&source, visit, data, why);
}

void bridge_stop(struct bridge *b)
{
    stop(b, b->current);
    for (struct list *node = b->old.next; node != &b->old; node = node->next)
        stop(b, container_of(node, struct generation, link));
}

void bridge_free(struct bridge *b)
{
    bridge_stop(b);
    while (!list_empty(&b->old))
        generation_free(container_of(b->old.next, struct generation, link));
    generation_free(b->current);
    mem_put(b, sizeof *b);
}

struct handler *bridge_handler(struct bridge *b)
{
    return &b->handler;
}

struct handler *bridge_missing(struct bridge *b)
{
    return &b->missing;
}

struct part *bridge_part(struct bridge *b)
{
    return &b->part;
}

void bridge_print_routes(const struct bridge *b, FILE *out)
{
    scripts_print(b->current->scripts, out);
}

/* The module that makes the document is one of the program's own, written in Lua. */
static int l_openapi(lua_State *L)
{
    lua_getglobal(L, "require");
    lua_pushliteral(L, "moontrail.grpc.openapi");
    lua_call(L, 1, 1);
    lua_call(L, 0, 1);
    luaL_checkstring(L, -1);
    return 1;
}

bool bridge_print_openapi(const struct bridge *b, FILE *out, char why[SCRIPT_WHY])
{
    struct vm *vm = b->current->vm;
    bool made = vm_call(vm, l_openapi, NULL, 1);
    const char *text = lua_tostring(vm->L, -1);
    if (made)
        fputs(text, out);
    else
        snprintf(why, SCRIPT_WHY, "%s", text ? text : "the document cannot be made");
    lua_pop(vm->L, 1);
    return made;
}

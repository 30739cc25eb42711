#include "lua/scripts/scripts.h"

#include "core/activity.h"
#include "core/list.h"
#include "core/log.h"
#include "core/mem.h"
#include "http/dispatch.h"
#include "http/request.h"
#include "http/uri.h"
#include "lua/runtime/script_file.h"
#include "lua/runtime/vm.h"
#include "lua/scripts/around.h"
#include "lua/scripts/chunk.h"
#include "lua/scripts/methods.h"
#include "lua/scripts/route_files.h"

#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/stat.h>

/* Answers one route, or every path. */
struct script {
    struct script *next;
    struct script_file file; /* the target of its routes */
    char *path;              /* its route if __routes has given it; else NULL */
    char *note;              /* for the route table; may be NULL */
    bool gives_routes; /* has no handler, but its __routes made the routes before it in the list */
    struct methods methods;
};

struct scripts {
    struct vm *vm;
    struct router *router; /* NULL if one script answers every path */
    struct script *first;
    struct arounds arounds;
};

static struct script *of_target(void *target)
{
    return container_of((struct script_file *)target, struct script, file);
}

static void fail(char why[SCRIPT_WHY], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void fail(char why[SCRIPT_WHY], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, SCRIPT_WHY, format, args);
    va_end(args);
}

/* Loading one script. */

static void free_script(struct vm *vm, struct script *s)
{
    methods_fini(&s->methods, vm->L);
    mem_free(s->file.path);
    mem_free(s->path);
    mem_free(s->note);
    mem_free(s);
}

/* Adds a script without handlers at the front of the list. NULL if memory runs out. */
static struct script *add_script(struct scripts *all, const char *file)
{
    struct script *s = mem_calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->file.path = mem_strdup(file);
    if (!s->file.path) {
        mem_free(s);
        return NULL;
    }
    s->file.around = all->arounds.inside;
    s->next = all->first;
    all->first = s;
    return s;
}

struct load {
    struct scripts *all;
    struct script *script;
    const char *where; /* the script's file and the line at which it returns, for messages */
};

/* The note on a path in the table at the index, or NULL. It stays on the stack. */
static const char *push_note(lua_State *L, int notes, const char *path)
{
    if (!lua_istable(L, notes))
        return NULL;
    lua_getfield(L, notes, path);
    return lua_tostring(L, -1);
}

static bool set_route(struct script *route, const char *path, const char *note)
{
    route->path = mem_strdup(path);
    route->note = note ? mem_strdup(note) : NULL;
    return route->path && (route->note || !note);
}

/* Adds the route whose path and handler are on top of the stack. */
static void take_route(lua_State *L, const struct load *l, int notes)
{
    int top = lua_gettop(L);
    if (lua_type(L, top - 1) != LUA_TSTRING)
        luaL_error(L, "%s: gives routes with a %s as a key: the keys are paths", l->where,
            luaL_typename(L, top - 1));
    const char *path = lua_tostring(L, top - 1), *note = push_note(L, notes, path);
    struct script *route = add_script(l->all, l->script->file.path);
    if (!route || !set_route(route, path, note)) {
        luaL_error(L, "%s", rc_text(RC_NOMEM));
        return;
    }
    lua_pushvalue(L, top);
    methods_take(L, &route->methods, l->where);
    lua_settop(L, top);
}

/* Calls __routes, on top of the stack, with the value below it. It returns the routes, and notes on
 * them by path. */
static void take_routes(lua_State *L, struct load *l)
{
    if (!lua_isfunction(L, -1))
        luaL_error(L, "%s: its __routes is a %s, not a function", l->where, luaL_typename(L, -1));
    lua_pushvalue(L, -2);
    lua_call(L, 1, 2);
    if (!lua_istable(L, -2))
        luaL_error(L, "%s: its __routes returns a %s, not a table of handlers by path", l->where,
            luaL_typename(L, -2));
    int notes = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, notes - 1); lua_pop(L, 1))
        take_route(L, l, notes);
    l->script->gives_routes = true;
}

static int l_load(lua_State *L)
{
    struct load *l = lua_touserdata(L, 1);
    l->where = chunk_run(L, l->script->file.path);
    if (luaL_getmetafield(L, -1, "__routes") == LUA_TNIL)
        methods_take(L, &l->script->methods, l->where);
    else
        take_routes(L, l);
    return 0;
}

static enum rc load_script(struct scripts *all, const char *file, struct script **out, char *why)
{
    struct load load = {.all = all, .script = add_script(all, file)};
    if (!load.script)
        return RC_NOMEM;
    activity_load(file);
    if (!vm_call(all->vm, l_load, &load, 0)) {
        chunk_describe_error(all->vm->L, file, why);
        return RC_INVALID;
    }
    *out = load.script;
    return RC_OK;
}

/* Loading all. */

struct loading {
    struct scripts *all;
    char *why;
};

/* Two routes that scripts have made of one path become one. */
struct merge {
    struct script *first;
    const struct script *second;
    bool merged;
};

static bool join_notes(struct script *first, const struct script *second)
{
    char *joined;
    if (!second->note || (first->note && strcmp(first->note, second->note) == 0))
        return true;
    if (!first->note)
        return (first->note = mem_strdup(second->note)) != NULL;
    size_t size = strlen(first->note) + strlen(second->note) + sizeof "; ";
    joined = mem_calloc(1, size);
    if (!joined)
        return false;
    snprintf(joined, size, "%s; %s", first->note, second->note);
    mem_free(first->note);
    first->note = joined;
    return true;
}

static int l_merge(lua_State *L)
{
    struct merge *m = lua_touserdata(L, 1);
    m->merged = methods_merge(L, &m->first->methods, &m->second->methods, m->second->file.path);
    if (m->merged && !join_notes(m->first, m->second))
        luaL_error(L, "%s", rc_text(RC_NOMEM));
    return 0;
}

static enum rc merge_routes(
    struct scripts *all, struct script *first, const struct script *second, char *why)
{
    struct merge m = {first, second, false};
    if (methods_same(&first->methods, &second->methods, all->vm->L))
        return RC_OK;
    if (!vm_call(all->vm, l_merge, &m, 0)) {
        chunk_describe_error(all->vm->L, second->file.path, why);
        return RC_INVALID;
    }
    if (m.merged)
        return RC_OK;
    fail(why, "%s: serves \"%s\", as does %s: keep one of them", second->file.path, second->path,
        first->file.path);
    return RC_INVALID;
}

static enum rc add_route(struct scripts *all, struct script *s, const char *pattern, char *why)
{
    struct router_fault fault;
    enum rc rc = router_add(all->router, str_of(pattern), &s->file, &fault);
    struct script *other = rc == RC_INVALID && fault.taken_by ? of_target(fault.taken_by) : NULL;
    if (other && s->path && other->path)
        return merge_routes(all, other, s, why);
    if (other && s->path)
        fail(why, "%s: serves \"%s\", as does %s: keep one of them", s->file.path, s->path,
            other->file.path);
    else if (other)
        fail(why, "%s: serves the same paths as %s: keep one of them", s->file.path,
            other->file.path);
    else if (rc == RC_INVALID)
        fail(why, "%s: its route \"%s\" %s", s->file.path, pattern, fault.problem);
    return rc;
}

/* Adds the routes that a script has made: those before it in the list. */
static enum rc add_made_routes(struct scripts *all, const struct script *maker, char *why)
{
    enum rc rc = RC_OK;
    for (struct script *s = all->first; !rc && s != maker; s = s->next)
        rc = add_route(all, s, s->path, why);
    return rc;
}

static enum rc load_route(void *data, const char *file, const char *pattern)
{
    struct loading *l = data;
    struct script *s;
    enum rc rc = load_script(l->all, file, &s, l->why);
    if (rc)
        return rc;
    return s->gives_routes ? add_made_routes(l->all, s, l->why)
                           : add_route(l->all, s, pattern, l->why);
}

/* Warns only while the scripts are proved, so that the workers do not repeat it. */
static void log_left_out(void *data, const char *path, const char *reason)
{
    const struct loading *l = data;
    if (!l->all->vm->ev)
        log_event(LOG_WARN, "folder left out", log_str("path", path), log_str("reason", reason));
}

static enum rc enter_folder(void *data, const char *folder, const char *pattern)
{
    struct loading *l = data;
    return arounds_enter(&l->all->arounds, folder, pattern, l->why);
}

static void leave_folder(void *data)
{
    struct loading *l = data;
    arounds_leave(&l->all->arounds);
}

static enum rc load_folder(struct scripts *all, const char *path, char why[SCRIPT_WHY])
{
    static const struct route_visitor visitor = {
        enter_folder, leave_folder, load_route, log_left_out};
    struct loading loading = {all, why};
    all->router = router_new();
    if (!all->router)
        return RC_NOMEM;
    enum rc rc = route_files_walk(path, &visitor, &loading, why, SCRIPT_WHY);
    if (!rc && !all->first) {
        fail(why, "%s: holds no script: put a .lua file there that returns a handler", path);
        rc = RC_INVALID;
    }
    return rc;
}

/* Loads one file. It answers every path, or those that its __routes names. */
static enum rc load_file(struct scripts *all, const char *path, char why[SCRIPT_WHY])
{
    struct script *s;
    char folder[PATH_MAX];
    route_files_folder(path, folder, sizeof folder);
    enum rc rc = arounds_enter(&all->arounds, folder, "/", why);
    if (!rc)
        rc = load_script(all, path, &s, why);
    if (rc || !s->gives_routes)
        return rc;
    all->router = router_new();
    return all->router ? add_made_routes(all, s, why) : RC_NOMEM;
}

static enum rc load_any(struct scripts *all, const char *path, char why[SCRIPT_WHY])
{
    struct stat st;
    if (stat(path, &st)) {
        fail(why, "%s: cannot be read: %s: there is to be a script, or a folder of scripts", path,
            strerror(errno));
        return RC_INVALID;
    }
    return S_ISDIR(st.st_mode) ? load_folder(all, path, why) : load_file(all, path, why);
}

/* Scripts that no request reaches. */

struct reach {
    const struct dispatch *dispatch;
    const struct script *of; /* the script whose file's routes are examined */
    bool reached;
    struct str route; /* the first route that is not reached, and the prefix that takes it */
    const struct dispatch_prefix *taken_by;
};

static void look_at_route(void *data, struct str pattern, void *target)
{
    struct reach *r = data;
    const struct script *s = of_target(target);
    if (r->reached || strcmp(s->file.path, r->of->file.path) != 0)
        return;
    const struct dispatch_prefix *p = dispatch_covering(r->dispatch, pattern);
    r->reached = !p;
    if (!r->taken_by) {
        r->route = pattern;
        r->taken_by = p;
    }
}

/* A script gets no requests if each of its routes lies below a prefix of another handler. */
static enum rc check_reach(const struct scripts *all, char why[SCRIPT_WHY])
{
    const struct dispatch *d = all->vm->options.dispatch;
    for (const struct script *s = d && d->first && all->router ? all->first : NULL; s;
         s = s->next) {
        struct reach r = {.dispatch = d, .of = s};
        router_walk(all->router, look_at_route, &r);
        if (r.reached || !r.taken_by)
            continue;
        fail(why,
            "%s: gets no request: its route \"%.*s\" lies below the upstream prefix \"%.*s\", "
            "which takes it",
            s->file.path, (int)r.route.n, r.route.p, (int)r.taken_by->prefix.n,
            r.taken_by->prefix.p);
        return RC_INVALID;
    }
    return RC_OK;
}

/* Where nothing goes around a handler, a request pays nothing. */
static void note_wrapped(struct scripts *all)
{
    for (struct script *s = all->first; s; s = s->next)
        s->file.wrapped = around_is_any(s->file.around) || methods_have_outer(&s->methods);
}

enum rc scripts_load(struct vm *vm, const char *path, struct scripts **out, char why[SCRIPT_WHY])
{
    struct scripts *s = mem_get_zeroed(sizeof *s);
    fail(why, "%s: %s", path, rc_text(RC_NOMEM));
    if (!s)
        return RC_NOMEM;
    s->vm = vm;
    arounds_init(&s->arounds, vm);
    enum rc rc = load_any(s, path, why);
    if (!rc)
        rc = arounds_settle(&s->arounds, why);
    if (!rc)
        rc = check_reach(s, why);
    note_wrapped(s);
    if (rc)
        scripts_free(s);
    else
        *out = s;
    return rc;
}

void scripts_free(struct scripts *s)
{
    while (s->first) {
        struct script *next = s->first->next;
        free_script(s->vm, s->first);
        s->first = next;
    }
    router_free(s->router);
    arounds_fini(&s->arounds);
    mem_put(s, sizeof *s);
}

/* Routing. */

static struct script_answer answer_method(const struct script *s, struct str method)
{
    const struct methods *m = &s->methods;
    int handler = methods_find(m, method);
    if (handler != LUA_NOREF)
        return (struct script_answer){.handler = handler};
    return (struct script_answer){
        .status = str_eq(method, STR("OPTIONS")) ? 204 : 405, .allow = m->allow};
}

struct script_answer scripts_route(
    const struct scripts *s, const struct request *r, struct arena *arena, struct match *match)
{
    match->count = 0;
    match->target = s->router ? NULL : &s->first->file;
    if (!s->router && uri_has_dots(r->path))
        return (struct script_answer){.status = 400};
    if (!s->router)
        return answer_method(s->first, r->method);
    switch (router_match(s->router, r->path, arena, match)) {
    case ROUTER_FOUND:
        return answer_method(of_target(match->target), r->method);
    case ROUTER_NOT_FOUND:
        return (struct script_answer){.status = 404};
    case ROUTER_BAD_PATH:
        return (struct script_answer){.status = 400};
    case ROUTER_NOMEM:
        break;
    }
    return (struct script_answer){.status = 503};
}

struct script_wrap scripts_wrap(const struct script_file *file, struct str method)
{
    const struct script *s = container_of(file, struct script, file);
    return methods_wrap(&s->methods, method);
}

const struct around *scripts_around(
    const struct scripts *s, const struct request *r, struct arena *arena, struct match *match)
{
    return arounds_find(&s->arounds, r->path, arena, match);
}

/* Printing. */

static void print_route(void *data, struct str pattern, void *target)
{
    const struct script *s = of_target(target);
    fprintf(data, "%-32.*s %-24s %s%s%s\n", (int)pattern.n, pattern.p, methods_text(&s->methods),
        s->file.path, s->note ? "  " : "", s->note ? s->note : "");
}

void scripts_print(const struct scripts *s, FILE *out)
{
    if (s->router)
        router_walk(s->router, print_route, out);
    else
        print_route(out, STR("every path"), &s->first->file);
    arounds_print(&s->arounds, out);
}

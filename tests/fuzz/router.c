/*
 * libFuzzer: routes, prefixes and the paths that clients ask for. Each line of the input is one of
 * them: "+/users/[id]" a pattern, "=/api" a prefix, anything else a path. What is found is to be
 * what a matcher finds that tries each pattern by itself.
 */
#include "http/router.h"
#include "core/arena.h"
#include "core/mem.h"
#include "http/dispatch.h"
#include "http/prefix.h"
#include "http/uri.h"
#include "support/cost.h"
#include "support/paths.h"
#include "support/support.h"

#include <stdlib.h>
#include <string.h>

enum {
    ROUTES = 24,
    PREFIXES = 8,
    EACH = 100, /* steps for each byte of a path and of all patterns */
    FIXED = 2000,
    ARENA = 1 << 20,
};

struct prefix {
    struct dispatch_prefix at;
    struct handler handler;
};

static struct {
    struct router *router;
    struct str patterns[ROUTES]; /* those that were added */
    struct segments segments[ROUTES];
    size_t routes, bytes; /* how many, and how many bytes they have */
    struct dispatch dispatch;
    struct prefix prefixes[PREFIXES];
    size_t count;
} f;

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void add_route(struct str pattern)
{
    struct router_fault fault;
    struct segments *s = &f.segments[f.routes];
    struct segments *taken_by = NULL;
    if (f.routes == ROUTES || pattern.n > PATHS_BYTES)
        return;
    bool good = pattern.n && pattern.p[0] == '/';
    if (good && !paths_split(pattern, s))
        return;
    good = good && paths_is_pattern(s);
    for (size_t i = 0; good && i < f.routes; i++)
        if (paths_same(&f.segments[i], s))
            taken_by = &f.segments[i];
    enum rc rc = router_add(f.router, pattern, s, &fault);
    require(rc == (good && !taken_by ? RC_OK : RC_INVALID));
    require(!rc || (fault.problem && fault.taken_by == taken_by));
    if (rc)
        return;
    f.patterns[f.routes++] = pattern;
    f.bytes += pattern.n;
}

/* Prefixes begin with a slash and have no escapes. */
static void add_prefix(struct str prefix)
{
    if (f.count == PREFIXES || prefix.n == 0 || prefix.p[0] != '/' ||
        memchr(prefix.p, '%', prefix.n))
        return;
    struct prefix *p = &f.prefixes[f.count++];
    *p = (struct prefix){.at = {.prefix = prefix, .handler = &p->handler}};
    dispatch_add_prefix(&f.dispatch, &p->at);
}

static void check_prefixes(struct str path)
{
    struct handler *best = NULL;
    size_t length = 0;
    for (size_t i = 0; i < f.count; i++) {
        struct prefix *p = &f.prefixes[i];
        size_t n = paths_prefix(p->at.prefix, path);
        require(prefix_match(p->at.prefix, path) == n);
        bool takes = n || (str_eq(p->at.prefix, STR("/")) && str_eq(path, STR("*")));
        if (!takes || p->at.prefix.n <= length)
            continue;
        length = p->at.prefix.n;
        best = &p->handler;
    }
    require(dispatch_find(&f.dispatch, path) == best);
}

/* The route that counts, by trying all; NULL. */
static const struct segments *best_route(const struct segments *path, struct str *values)
{
    struct str others[PATHS_SEGMENTS];
    const struct segments *best = NULL;
    for (size_t i = 0; i < f.routes; i++)
        if (paths_match(&f.segments[i], path, others) &&
            (!best || paths_is_better(&f.segments[i], best)))
            best = &f.segments[i];
    if (best)
        paths_match(best, path, values);
    return best;
}

/* A rest's value goes on to the path's end, of which the naive value is the first segment. */
static void check_values(const struct match *m, const struct str *values)
{
    for (size_t i = 0; i < m->count; i++) {
        struct str value = m->params[i].value;
        bool is_rest = value.n > values[i].n;
        require(value.n >= values[i].n);
        require(values[i].n == 0 || memcmp(value.p, values[i].p, values[i].n) == 0);
        require(!is_rest || (i + 1 == m->count && value.p[values[i].n] == '/'));
    }
}

/* What a prefix that covers the pattern takes of paths is all that the pattern takes. */
static void check_covers(struct str pattern, struct str path)
{
    for (size_t i = 0; i < f.count; i++)
        if (prefix_covers(f.prefixes[i].at.prefix, pattern))
            require(prefix_match(f.prefixes[i].at.prefix, path));
}

static void check_routes(struct str path, struct arena *arena)
{
    static struct segments decoded;
    struct str values[PATHS_SEGMENTS];
    struct match m = {0};
    const struct segments *best = NULL;
    enum router_result wanted = ROUTER_BAD_PATH;
    if (str_eq(path, STR("*"))) {
        wanted = ROUTER_NOT_FOUND;
    } else if (path.n && path.p[0] == '/' && paths_decode(path, &decoded)) {
        best = best_route(&decoded, values);
        wanted = best ? ROUTER_FOUND : ROUTER_NOT_FOUND;
    }
    cost_begin();
    cost_resume();
    enum router_result result = router_match(f.router, path, arena, &m);
    cost_pause();
    cost_check(FIXED, EACH, path.n + f.bytes);
    require(result == wanted);
    if (!best)
        return;
    require(m.target == best);
    check_values(&m, values);
    check_covers(f.patterns[best - f.segments], path);
}

static void try_path(struct str path)
{
    struct arena arena;
    char first[64];
    size_t slashes = 0;
    for (size_t i = 0; i < path.n; i++)
        slashes += path.p[i] == '/';
    if (path.n > PATHS_BYTES || slashes > PATHS_SEGMENTS)
        return;
    require(uri_has_dots(path) == paths_have_dots(path, false));
    require(uri_may_have_dots(path) == paths_have_dots(path, true));
    arena_init(&arena, first, sizeof first, ARENA);
    check_prefixes(path);
    check_routes(path, &arena);
    arena_fini(&arena);
}

static void try_line(struct str line)
{
    if (line.n && line.p[0] == '+')
        add_route((struct str){line.p + 1, line.n - 1});
    else if (line.n && line.p[0] == '=')
        add_prefix((struct str){line.p + 1, line.n - 1});
    else
        try_path(line);
}

/* Each is visited with its own pattern. */
static void visit(void *data, struct str pattern, void *target)
{
    size_t *n = data;
    const struct segments *s = target;
    require(str_eq(f.patterns[s - f.segments], pattern));
    ++*n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str left = {(const char *)data, size};
    uint64_t blocks = mem_stats()->blocks;
    size_t walked = 0;
    f.routes = f.bytes = f.count = 0;
    dispatch_init(&f.dispatch);
    f.router = router_new();
    require(f.router != NULL);
    while (left.n) {
        const char *end = memchr(left.p, '\n', left.n);
        struct str line = {left.p, end ? (size_t)(end - left.p) : left.n};
        left = (struct str){line.p + line.n + !!end, left.n - line.n - !!end};
        try_line(line);
    }
    router_walk(f.router, visit, &walked);
    require(walked == f.routes);
    router_free(f.router);
    require(mem_stats()->blocks == blocks);
    return 0;
}

#include "lua/scripts/around.h"

#include "core/activity.h"
#include "core/mem.h"
#include "http/uri.h"
#include "http/urlencoded.h"
#include "lua/runtime/sources.h"
#include "lua/runtime/vm.h"
#include "lua/scripts/chunk.h"

#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <sys/stat.h>

/* The rest that follows a folder's pattern where paths are matched. No folder has such a name. */
#define REST "[...\x01?]"

void arounds_init(struct arounds *all, struct vm *vm)
{
    *all = (struct arounds){.vm = vm, .end = &all->first};
}

static void free_around(struct around *a, lua_State *L)
{
    for (size_t i = a->count - a->own; i < a->count; i++)
        luaL_unref(L, LUA_REGISTRYINDEX, a->functions[i]);
    if (a->error)
        luaL_unref(L, LUA_REGISTRYINDEX, a->page);
    mem_free(a->pattern);
    mem_free(a->middleware);
    mem_free(a->error);
    mem_free(a);
}

void arounds_fini(struct arounds *all)
{
    while (all->first) {
        struct around *next = all->first->next;
        free_around(all->first, all->vm->L);
        all->first = next;
    }
    router_free(all->by_path);
}

bool around_is_any(const struct around *a)
{
    return a->count || a->page != LUA_NOREF;
}

/* Loading. */

/* A folder without files of its own has what the one above it has. */
static struct around *add(struct arounds *all, const char *pattern)
{
    const struct around *above = all->inside;
    struct around *a = mem_calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->pattern = mem_strdup(pattern);
    if (!a->pattern) {
        mem_free(a);
        return NULL;
    }
    a->page = above ? above->page : LUA_NOREF;
    if (above) {
        a->file = above->file;
        a->count = above->count;
        memcpy(a->functions, above->functions, sizeof a->functions);
    }
    a->above = all->inside;
    *all->end = a;
    all->end = &a->next;
    return a;
}

struct load {
    struct around *around;
    const char *file;
};

/* Takes the function on top of the stack. [-1, +0, may longjmp] */
static void take_function(lua_State *L, struct around *a, const char *where)
{
    if (!lua_isfunction(L, -1))
        luaL_error(L, "%s: returns a list with a %s in it: it holds functions alone", where,
            luaL_typename(L, -1));
    if (a->count == AROUND_MAX)
        luaL_error(L, "%s: more than %d functions go around the scripts here", where, AROUND_MAX);
    a->functions[a->count] = luaL_ref(L, LUA_REGISTRYINDEX);
    a->count++;
    a->own++;
}

static size_t count_keys(lua_State *L)
{
    size_t keys = 0;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        keys++;
    return keys;
}

static int l_load_middleware(lua_State *L)
{
    const struct load *l = lua_touserdata(L, 1);
    const char *where = chunk_run(L, l->file);
    if (lua_isfunction(L, -1)) {
        take_function(L, l->around, where);
        return 0;
    }
    if (!lua_istable(L, -1))
        luaL_error(L, "%s: returns a %s, not a function of ctx and next, or a list of such", where,
            luaL_typename(L, -1));
    size_t n = lua_rawlen(L, -1);
    if (n == 0 || count_keys(L) != n)
        luaL_error(L, "%s: returns a table that is no list of functions", where);
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i);
        take_function(L, l->around, where);
    }
    return 0;
}

static int l_load_error(lua_State *L)
{
    const struct load *l = lua_touserdata(L, 1);
    const char *where = chunk_run(L, l->file);
    if (!lua_isfunction(L, -1))
        luaL_error(L, "%s: returns a %s, not a function of ctx, status and problem", where,
            luaL_typename(L, -1));
    l->around->page = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

/* Loads a file of the folder, if it is there, by the given function. Its path is the folder's from
 * then on. A file that comes into being, in a folder of scripts, is seen without being noted. */
static enum rc load_file(struct arounds *all, const char *folder, const char *name,
    lua_CFunction how, char **path, char why[SCRIPT_WHY])
{
    struct stat st;
    char file[PATH_MAX];
    struct load load = {all->inside, file};
    int n = snprintf(file, sizeof file, "%s/%s", folder, name);
    if (n >= (int)sizeof file || (lstat(file, &st) && errno == ENOENT))
        return RC_OK;
    activity_load(file);
    bool loaded = vm_call(all->vm, how, &load, 0);
    if (!loaded)
        chunk_describe_error(all->vm->L, file, why);
    *path = mem_strdup(file);
    all->inside->file = (struct script_file){.path = *path};
    if (!*path)
        return RC_NOMEM;
    return loaded ? RC_OK : RC_INVALID;
}

enum rc arounds_enter(
    struct arounds *all, const char *folder, const char *pattern, char why[SCRIPT_WHY])
{
    struct around *a = add(all, pattern);
    if (!a)
        return RC_NOMEM;
    all->inside = a;
    enum rc rc = load_file(all, folder, "_middleware.lua", l_load_middleware, &a->middleware, why);
    if (!rc)
        rc = load_file(all, folder, "_error.lua", l_load_error, &a->error, why);
    return rc;
}

void arounds_leave(struct arounds *all)
{
    if (all->inside)
        all->inside = all->inside->above;
}

/* By path. */

/* Whether nothing can follow what the pattern matches: its rest takes all. */
static bool ends_in_rest(const char *pattern)
{
    const char *last = strrchr(pattern, '/');
    return strncmp(last, "/[...", 5) == 0 && last[strlen(last) - 1] == ']';
}

/* A folder that can be no route matches nothing: only what has files of its own is told of that. Of
 * two that match alike the first counts. */
static enum rc add_path(struct arounds *all, struct around *a, char why[SCRIPT_WHY])
{
    struct router_fault fault;
    char pattern[PATH_MAX];
    bool is_root = strcmp(a->pattern, "/") == 0;
    a->has_rest = !ends_in_rest(a->pattern);
    snprintf(
        pattern, sizeof pattern, "%s%s", is_root ? "" : a->pattern, a->has_rest ? "/" REST : "");
    enum rc rc = router_add(all->by_path, str_of(pattern), a, &fault);
    if (rc != RC_INVALID)
        return rc;
    if (fault.taken_by || !(a->middleware || a->error))
        return RC_OK;
    snprintf(why, SCRIPT_WHY, "%s: its folder \"%s\" %s", a->file.path, a->pattern, fault.problem);
    return RC_INVALID;
}

enum rc arounds_settle(struct arounds *all, char why[SCRIPT_WHY])
{
    const struct around *any = all->first;
    while (any && !around_is_any(any))
        any = any->next;
    if (!any)
        return RC_OK;
    all->by_path = router_new();
    enum rc rc = all->by_path ? RC_OK : RC_NOMEM;
    for (struct around *a = all->first; !rc && a; a = a->next)
        rc = add_path(all, a, why);
    return rc;
}

/* Whether a segment can be matched with those of folders. */
static bool is_readable(struct str segment)
{
    for (size_t i = 0; i < segment.n; i++)
        if (segment.p[i] == '%' && urlencoded_byte((struct str){segment.p + i, segment.n - i}) < 0)
            return false;
    return segment.n && !uri_has_dots(segment);
}

/* The front of a path up to the first segment that is not readable; without a slash at its end. */
static struct str readable(struct str path)
{
    size_t n = 0;
    while (n < path.n && path.p[n] == '/') {
        const char *from = path.p + n + 1, *slash = memchr(from, '/', path.n - n - 1);
        size_t len = slash ? (size_t)(slash - from) : path.n - n - 1;
        if (!is_readable((struct str){from, len}))
            break;
        n += 1 + len;
    }
    return n ? (struct str){path.p, n} : STR("/");
}

const struct around *arounds_find(
    const struct arounds *all, struct str path, struct arena *arena, struct match *match)
{
    if (!all->by_path)
        return NULL;
    const struct around *found = all->first;
    match->count = 0;
    if (router_match(all->by_path, readable(path), arena, match) == ROUTER_FOUND) {
        found = match->target;
        match->count -= found->has_rest;
    }
    return around_is_any(found) ? found : NULL;
}

/* Printing. */

static void print(const struct around *a, const char *kind, const char *file, FILE *out)
{
    char pattern[PATH_MAX];
    bool is_root = strcmp(a->pattern, "/") == 0;
    snprintf(pattern, sizeof pattern, "%s/*", is_root ? "" : a->pattern);
    fprintf(out, "%-32s %-24s %s\n", pattern, kind, file);
}

void arounds_print(const struct arounds *all, FILE *out)
{
    for (const struct around *a = all->first; a; a = a->next) {
        if (a->middleware)
            print(a, "middleware", a->middleware, out);
        if (a->error)
            print(a, "error page", a->error, out);
    }
}

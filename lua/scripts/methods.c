#include "lua/scripts/methods.h"

#include "core/log.h"
#include "http/field.h"
#include "lua/runtime/vm.h"
#include "lua/scripts/method_names.h"
#include "lua/scripts/wrap.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct method *)a)->name, ((const struct method *)b)->name);
}

static const struct method *find(const struct methods *m, struct str name)
{
    for (size_t i = 0; i < m->count; i++)
        if (str_eq(str_of(m->list[i].name), name))
            return &m->list[i];
    return NULL;
}

static bool answers_rest(const struct methods *m)
{
    return find(m, STR("*"));
}

/* Where a function answers all the rest, it is the one to know what is allowed. */
static void list_allowed(struct methods *m)
{
    size_t len = 0;
    bool adds = !answers_rest(m);
    m->allow[0] = '\0';
    for (size_t i = 0; i < m->count; i++)
        len += (size_t)snprintf(m->allow + len, METHODS_ALLOW - len, "%s, ", m->list[i].name);
    if (adds && find(m, STR("GET")) && !find(m, STR("HEAD")))
        len += (size_t)snprintf(m->allow + len, METHODS_ALLOW - len, "HEAD, ");
    if (adds && !find(m, STR("OPTIONS")))
        len += (size_t)snprintf(m->allow + len, METHODS_ALLOW - len, "OPTIONS, ");
    m->allow[len - 2] = '\0';
}

/* Adds the function on top of the stack as that of a method. [-1, +0, may longjmp] */
static void add(lua_State *L, struct methods *m, const char *name, const char *where)
{
    if (m->count == METHODS_MAX)
        luaL_error(L, "%s: has more than %d methods", where, METHODS_MAX);
    struct method *added = &m->list[m->count];
    snprintf(added->name, sizeof added->name, "%s", name);
    added->wrap = wrap_take(L, -1);
    added->handler = luaL_ref(L, LUA_REGISTRYINDEX);
    m->count++;
}

/* Warns only while the scripts are proved, so that the workers do not repeat it. */
static void warn(lua_State *L, const char *name, const char *where)
{
    struct method_doubt doubt = method_names_doubt(name);
    if (!doubt.reason || vm_of(L)->ev)
        return;
    const struct log_field fields[] = {log_str("script", where), log_str("method", name),
        log_str("reason", doubt.reason), log_str("nearest", doubt.nearest)};
    if (log_enabled(LOG_WARN))
        log_write(LOG_WARN, "method unknown", fields, doubt.nearest[0] ? 4 : 3);
}

static void check_entry(lua_State *L, const char *where)
{
    if (lua_type(L, -2) != LUA_TSTRING)
        luaL_error(L, "%s: returns a table with a %s as a key: the keys are methods, such as GET",
            where, luaL_typename(L, -2));
    const char *name = lua_tostring(L, -2);
    if (field_name_problem(str_of(name)) || strlen(name) >= METHODS_NAME)
        luaL_error(L, "%s: returns a table with the key \"%s\", which is no method", where, name);
    if (!lua_isfunction(L, -1))
        luaL_error(
            L, "%s: has a %s for the method %s, not a function", where, luaL_typename(L, -1), name);
    warn(L, name, where);
}

void methods_take(lua_State *L, struct methods *m, const char *where)
{
    if (lua_isfunction(L, -1)) {
        lua_pushvalue(L, -1);
        add(L, m, "", where);
        return;
    }
    if (!lua_istable(L, -1))
        luaL_error(L,
            "%s: returns a %s, not a handler: a function, a table of functions by method, or a "
            "service of gRPC",
            where, luaL_typename(L, -1));
    for (lua_pushnil(L); lua_next(L, -2);) {
        check_entry(L, where);
        add(L, m, lua_tostring(L, -2), where);
    }
    if (m->count == 0)
        luaL_error(L, "%s: returns an empty table: no method has a handler", where);
    qsort(m->list, m->count, sizeof *m->list, by_name);
    list_allowed(m);
}

void methods_fini(struct methods *m, lua_State *L)
{
    for (size_t i = 0; i < m->count; i++) {
        luaL_unref(L, LUA_REGISTRYINDEX, m->list[i].handler);
        luaL_unref(L, LUA_REGISTRYINDEX, m->list[i].wrap.outer);
        luaL_unref(L, LUA_REGISTRYINDEX, m->list[i].wrap.failed);
    }
}

static bool answers_all(const struct methods *m)
{
    return m->list[0].name[0] == '\0';
}

static const struct method *find_for(const struct methods *m, struct str name)
{
    const struct method *found = answers_all(m) ? &m->list[0] : find(m, name);
    if (!found && str_eq(name, STR("HEAD")))
        found = find(m, STR("GET"));
    return found ? found : find(m, STR("*"));
}

int methods_find(const struct methods *m, struct str name)
{
    const struct method *found = find_for(m, name);
    return found ? found->handler : LUA_NOREF;
}

struct script_wrap methods_wrap(const struct methods *m, struct str name)
{
    const struct method *found = find_for(m, name);
    return found ? found->wrap : (struct script_wrap){LUA_NOREF, LUA_NOREF};
}

bool methods_have_outer(const struct methods *m)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->list[i].wrap.outer != LUA_NOREF)
            return true;
    return false;
}

static bool same_function(lua_State *L, const struct method *a, const struct method *b)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, a->handler);
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->handler);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

bool methods_merge(lua_State *L, struct methods *m, const struct methods *other, const char *where)
{
    bool goes = !answers_all(m) && !answers_all(other);
    for (size_t i = 0; goes && i < other->count; i++) {
        const struct method *own = find(m, str_of(other->list[i].name));
        goes = !own || same_function(L, own, &other->list[i]);
    }
    for (size_t i = 0; goes && i < other->count; i++) {
        if (find(m, str_of(other->list[i].name)))
            continue;
        lua_rawgeti(L, LUA_REGISTRYINDEX, other->list[i].handler);
        add(L, m, other->list[i].name, where);
    }
    if (goes) {
        qsort(m->list, m->count, sizeof *m->list, by_name);
        list_allowed(m);
    }
    return goes;
}

bool methods_same(const struct methods *a, const struct methods *b, lua_State *L)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = by_name(&a->list[i], &b->list[i]) == 0 && same_function(L, &a->list[i], &b->list[i]);
    return same;
}

const char *methods_text(const struct methods *m)
{
    return answers_all(m) ? "*" : m->allow;
}

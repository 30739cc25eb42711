#include "lua/process/options.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TIMEOUT_MAX = 100000000 }; /* seconds: three years */

/* Where there is no PATH. */
static const char standard_path[] = "/usr/local/bin:/usr/bin:/bin";

static int refuse(lua_State *L, const char *name, const char *wanted)
{
    return luaL_error(L, "%s is %s, not a %s", name, wanted, luaL_typename(L, -1));
}

/* The string or number on top, which becomes a string that has no NUL. */
static const char *take_text(lua_State *L, const char *name)
{
    size_t n;
    if (!lua_isstring(L, -1))
        refuse(L, name, "a string");
    const char *text = lua_tolstring(L, -1, &n);
    if (strlen(text) != n)
        luaL_error(L, "%s has a NUL in it", name);
    return text;
}

/* Room for count pointers and a NULL behind them, on top. */
static const char **push_list(lua_State *L, size_t count)
{
    const char **list = lua_newuserdatauv(L, (count + 1) * sizeof *list, 0);
    list[count] = NULL;
    return list;
}

/* The arguments; each string stays on the stack. */
static void take_arguments(lua_State *L, int index, struct process_options *o)
{
    char name[32];
    luaL_checktype(L, index, LUA_TTABLE);
    size_t count = lua_rawlen(L, index);
    luaL_argcheck(L, count > 0, index, "no program is named");
    luaL_checkstack(
        L, count < INT32_MAX / 2 ? (int)count + 8 : INT32_MAX / 2, "too many arguments");
    const char **list = push_list(L, count);
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "argument %zu", i);
        lua_rawgeti(L, index, (lua_Integer)i + 1);
        list[i] = take_text(L, i ? name : "the program");
    }
    luaL_argcheck(L, list[0][0], index, "the program has no name");
    o->order.argv = list;
}

/* The environment: a table from each name to "name=value". */

static void push_our_environment(lua_State *L)
{
    lua_newtable(L);
    for (char **entry = environ; *entry; entry++) {
        const char *equals = strchr(*entry, '=');
        if (!equals)
            continue;
        lua_pushlstring(L, *entry, (size_t)(equals - *entry));
        lua_pushstring(L, *entry);
        lua_rawset(L, -3);
    }
}

/* The name and the value on top, for the table at the index; they stay. */
static void change_environment(lua_State *L, int table)
{
    if (lua_type(L, -2) != LUA_TSTRING)
        luaL_error(L, "the name of a variable is a string, not a %s", luaL_typename(L, -2));
    lua_pushvalue(L, -2);
    const char *name = take_text(L, "the name of a variable");
    if (!name[0] || strchr(name, '='))
        luaL_error(L, "\"%s\" is no name of a variable", name);
    lua_pushvalue(L, -2);
    if (lua_isboolean(L, -1) && !lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        lua_pushnil(L);
    } else {
        const char *value = take_text(L, name);
        lua_pushfstring(L, "%s=%s", name, value);
        lua_remove(L, -2);
    }
    lua_rawset(L, table);
}

/* The table of changes is on top; the merged one stays there. */
static void take_environment(lua_State *L, struct process_options *o)
{
    size_t count = 0;
    if (!lua_istable(L, -1))
        refuse(L, "env", "a table");
    push_our_environment(L);
    int merged = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, merged - 1); lua_pop(L, 1))
        change_environment(L, merged);
    for (lua_pushnil(L); lua_next(L, merged); lua_pop(L, 1))
        count++;
    const char **list = push_list(L, count);
    count = 0;
    for (lua_pushnil(L); lua_next(L, merged); lua_pop(L, 1))
        list[count++] = lua_tostring(L, -1);
    o->order.envp = list;
}

static const char *find_variable(const char *const *envp, const char *name)
{
    size_t n = strlen(name);
    for (; *envp; envp++)
        if (strncmp(*envp, name, n) == 0 && (*envp)[n] == '=')
            return *envp + n + 1;
    return NULL;
}

/* Where the program may lie: in the folders of PATH, unless its name has a slash. A folder without
 * a name, which is the one that we happen to be in, is left out. */
static void find_files(lua_State *L, struct process_options *o)
{
    const char *name = o->order.argv[0], *path = find_variable(o->order.envp, "PATH");
    size_t count = 0, room = 1;
    path = path ? path : standard_path;
    for (const char *at = path; (at = strchr(at, ':')); at++)
        room++;
    luaL_checkstack(L, (int)room + 4, "PATH is too long");
    const char **list = push_list(L, room);
    if (strchr(name, '/')) {
        list[count++] = name;
        path = "";
    }
    while (*path) {
        size_t n = strcspn(path, ":");
        if (n) {
            lua_pushlstring(L, path, n);
            list[count++] = lua_pushfstring(L, "%s/%s", lua_tostring(L, -1), name);
            lua_remove(L, -2);
        }
        path += n + (path[n] == ':');
    }
    list[count] = NULL;
    o->order.files = list;
}

/* The other options: each has its value on top, which stays. */

static void take_folder(lua_State *L, struct process_options *o)
{
    o->order.folder = take_text(L, "cwd");
}

static void take_timeout(lua_State *L, struct process_options *o)
{
    if (lua_type(L, -1) != LUA_TNUMBER)
        refuse(L, "timeout", "a number of seconds");
    o->timeout = lua_tonumber(L, -1);
    if (!(o->timeout > 0 && o->timeout <= TIMEOUT_MAX))
        luaL_error(L, "timeout is not above 0, or over 1e8 seconds");
}

static void take_limit(lua_State *L, struct process_options *o)
{
    int exact;
    lua_Integer limit = lua_tointegerx(L, -1, &exact);
    if (!exact || lua_type(L, -1) != LUA_TNUMBER)
        refuse(L, "limit", "a whole number of bytes");
    if (limit < 0)
        luaL_error(L, "limit is below 0");
    o->limit = (uint64_t)limit;
}

static void take_input(lua_State *L, struct process_options *o)
{
    if (lua_type(L, -1) != LUA_TSTRING)
        refuse(L, "stdin", "a string");
    o->input.p = lua_tolstring(L, -1, &o->input.n);
    o->has_input = true;
}

static const struct option {
    const char *name;
    void (*take)(lua_State *L, struct process_options *o);
} known_options[] = {
    {"stdin", take_input},
    {"timeout", take_timeout},
    {"env", take_environment},
    {"cwd", take_folder},
    {"limit", take_limit},
};

enum { OPTIONS = sizeof known_options / sizeof *known_options };

/* A misspelled option would go unnoticed. */
static void check_name(lua_State *L, int index)
{
    const char *name = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : NULL;
    for (size_t i = 0; name && i < OPTIONS; i++)
        if (strcmp(known_options[i].name, name) == 0)
            return;
    luaL_error(L, "a program has no option %s", name ? name : luaL_typename(L, index));
}

static void take_options(lua_State *L, int index, struct process_options *o)
{
    luaL_checktype(L, index, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        check_name(L, -2);
    for (size_t i = 0; i < OPTIONS; i++)
        if (lua_getfield(L, index, known_options[i].name) != LUA_TNIL)
            known_options[i].take(L, o);
}

void process_options_read(lua_State *L, int argv, int options,
    const struct process_defaults *defaults, struct process_options *o)
{
    *o = (struct process_options){.order.envp = (const char *const *)environ,
        .limit = defaults->limit,
        .has_input = defaults->has_input,
        .input = STR("")};
    luaL_checkstack(L, 32, "too many options");
    take_arguments(L, argv, o);
    luaL_checkstack(L, 32, "too many options");
    if (!lua_isnoneornil(L, options))
        take_options(L, options, o);
    find_files(L, o);
}

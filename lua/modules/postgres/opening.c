#include "lua/modules/postgres/opening.h"

#include "core/list.h"
#include "lua/modules/postgres/failure.h"
#include "lua/modules/postgres/link.h"
#include "lua/runtime/error_value.h"
#include "lua/runtime/vm.h"
#include "net/names.h"

#include <netdb.h>
#include <string.h>

/* URLs. */

static int l_free_options(lua_State *L)
{
    PQconninfoOption **box = lua_touserdata(L, 1);
    PQconninfoFree(*box);
    *box = NULL;
    return 0;
}

static void push_options(lua_State *L, const PQconninfoOption *o)
{
    lua_newtable(L);
    for (; o->keyword; o++) {
        if (!o->val)
            continue;
        lua_pushstring(L, o->val);
        lua_setfield(L, -2, o->keyword);
    }
}

static int raise_parse_error(lua_State *L, char *why)
{
    lua_pushlstring(L, why ? why : "no memory", why ? strcspn(why, "\n") : 9);
    PQfreemem(why);
    return lua_error(L);
}

/* parse(url) → options by libpq's names. Raises for a URL that is none. */
static int l_parse(lua_State *L)
{
    char *why = NULL;
    const char *url = luaL_checkstring(L, 1);
    PQconninfoOption **box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = NULL;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_free_options);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    *box = PQconninfoParse(url, &why);
    if (!*box)
        return raise_parse_error(L, why);
    push_options(L, *box);
    return 1;
}

/* Names. A userdata on the stack of the task that waits. */

struct asking {
    struct lookup lookup;
    struct task *task;
    const char *why;
};

static int l_stop_asking(lua_State *L)
{
    struct asking *a = lua_touserdata(L, 1);
    lookup_cancel(&a->lookup);
    return 0;
}

static void on_found(struct lookup *l, const char *why)
{
    struct asking *a = container_of(l, struct asking, lookup);
    a->why = why;
    task_wake(a->task);
}

static void on_cancel(struct task *t)
{
    struct asking *a = t->data;
    timer_stop(&t->timer);
    lookup_cancel(&a->lookup);
}

static socklen_t size_of(const struct sockaddr_storage *s)
{
    return s->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

static void push_addresses(lua_State *L, const struct lookup *l)
{
    char text[NI_MAXHOST];
    int n = 0;
    lua_createtable(L, (int)l->count, 0);
    for (size_t i = 0; i < l->count; i++) {
        const struct sockaddr *address = (const struct sockaddr *)&l->list[i];
        if (getnameinfo(address, size_of(&l->list[i]), text, sizeof text, NULL, 0, NI_NUMERICHOST))
            continue;
        lua_pushstring(L, text);
        lua_rawseti(L, -2, ++n);
    }
}

/* The stack of a lookup. */
enum { AT_NAME = 1, AT_SECONDS, AT_ASKING };

static int raise_unknown(lua_State *L, const char *why)
{
    error_value_push(
        L, KIND_UNREACHABLE, "no connection to PostgreSQL: %s: %s", lua_tostring(L, AT_NAME), why);
    error_value_set_script(L);
    return lua_error(L);
}

static int k_found(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    struct asking *a = lua_touserdata(L, AT_ASKING);
    timer_stop(&a->task->timer);
    bool is_late = a->lookup.query;
    lookup_cancel(&a->lookup);
    task_resumed(L);
    if (is_late)
        return failure_raise_timeout(L, "no name server has told the server's address in time");
    if (!a->lookup.count)
        return raise_unknown(L, a->why ? a->why : "the name has no address");
    push_addresses(L, &a->lookup);
    return 1;
}

/* libpq has ports of its own; the resolver takes none of 0. */
static const char any_port[] = "1";

static struct asking *new_asking(lua_State *L, struct task *t)
{
    struct asking *a = lua_newuserdatauv(L, sizeof *a, 0);
    *a = (struct asking){.lookup = {.done = on_found}, .task = t};
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_stop_asking);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    return a;
}

/* addresses(name, seconds) → an array of addresses in numbers */
static int l_addresses(lua_State *L)
{
    const char *name = luaL_checkstring(L, AT_NAME);
    double seconds = luaL_checknumber(L, AT_SECONDS);
    struct task *t = task_waiter(L);
    struct names *names = t->vm->options.names;
    lua_settop(L, AT_SECONDS);
    if (!names)
        return luaL_error(L, "no other server can be reached from here");
    struct asking *a = new_asking(L, t);
    enum rc rc = names_look_up(names, &a->lookup, name, any_port);
    if (rc)
        return raise_unknown(L, rc_text(rc));
    timer_start(&t->timer, seconds);
    return task_wait(L, t, on_cancel, a, 0, k_found);
}

/* Connections. */

/* Of notices that one counts which an idle connection gets last. */
static void on_notice(void *data, const PGresult *notice)
{
    struct link *k = data;
    k->is_ending |= failure_is_fatal(notice);
}

static int raise_unopened(lua_State *L, struct link *k)
{
    failure_push_unopened(L, k->pg);
    link_close(k);
    return lua_error(L);
}

static int finish(lua_State *L, struct link *k)
{
    key_reader_stop(&k->reader, k->pg);
    PQsetErrorVerbosity(k->pg, PQERRORS_DEFAULT);
    if (PQsetnonblocking(k->pg, 1))
        return raise_unopened(L, k);
    k->state = LINK_IDLE;
    link_disown(k);
    lua_pushvalue(L, 1);
    return 1;
}

static int step_open(lua_State *L, struct link *k, unsigned *events)
{
    switch (PQconnectPoll(k->pg)) {
    case PGRES_POLLING_OK:
        return finish(L, k);
    case PGRES_POLLING_READING:
        *events = DESCRIPTOR_READABLE;
        return LINK_WAITS;
    case PGRES_POLLING_WRITING:
        *events = DESCRIPTOR_WRITABLE;
        return LINK_WAITS;
    default:
        return raise_unopened(L, k);
    }
}

/* What PQconnectStart wants first is the socket to be writable. */
static int step_first(lua_State *L, struct link *k, unsigned *events)
{
    (void)L;
    k->step = step_open;
    *events = DESCRIPTOR_WRITABLE;
    return LINK_WAITS;
}

enum { OPTIONS_MAX = 64 }; /* libpq has some 45 */

static void start(lua_State *L, struct link *k, int options)
{
    const char *names[OPTIONS_MAX + 1], *values[OPTIONS_MAX + 1];
    int n = 0;
    for (lua_pushnil(L); lua_next(L, options) && n < OPTIONS_MAX; n++, lua_pop(L, 1)) {
        names[n] = luaL_checkstring(L, -2);
        values[n] = luaL_checkstring(L, -1);
    }
    names[n] = values[n] = NULL;
    k->pg = PQconnectStartParams(names, values, 0);
    if (!k->pg)
        luaL_error(L, "%s", rc_text(RC_NOMEM));
    k->state = LINK_OPENING;
}

/* The values of the options, which are strings, are held by their table. Nothing is sent in the
 * clear where the option sslmode says so. */
static bool is_secret(lua_State *L, int options)
{
    lua_getfield(L, options, "sslmode");
    const char *mode = lua_tostring(L, -1);
    bool secret = mode && (strcmp(mode, "require") == 0 || strncmp(mode, "verify", 6) == 0);
    lua_pop(L, 1);
    return secret;
}

/* connect(options, seconds) → link. No host may be a name that has to be looked up. */
static int l_connect(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checknumber(L, 2);
    lua_settop(L, 2);
    struct link *k = link_new(L);
    lua_insert(L, 1);
    link_begin(L, k, 3);
    start(L, k, 2);
    link_own(L, k);
    k->is_secret = is_secret(L, 2);
    if (PQstatus(k->pg) == CONNECTION_BAD)
        return raise_unopened(L, k);
    PQsetErrorVerbosity(k->pg, PQERRORS_VERBOSE);
    PQsetNoticeReceiver(k->pg, on_notice, k);
    key_reader_start(&k->reader, k->pg);
    return link_run(L, k, step_first);
}

const luaL_Reg opening_functions[] = {
    {"parse", l_parse}, {"addresses", l_addresses}, {"connect", l_connect}, {NULL, NULL}};

#include "lua/modules/postgres/link.h"

#include "core/clock.h"
#include "core/mem.h"
#include "lua/modules/postgres/failure.h"
#include "lua/modules/postgres/value.h"
#include "lua/runtime/error_value.h"
#include "lua/runtime/vm.h"

#include <lauxlib.h>
#include <poll.h>

enum { KIB = 24 }; /* about what a link holds outside of the collector's sight */

static const char metatable_key;

/* Life. */

static void on_task_end(struct task_bond *b)
{
    link_close(container_of(b, struct link, bond));
}

struct link *link_new(lua_State *L)
{
    struct vm *vm = vm_of(L);
    if (lua_gc(L, LUA_GCISRUNNING))
        lua_gc(L, LUA_GCSTEP, KIB);
    struct link *k = lua_newuserdatauv(L, sizeof *k, LINK_VALUES);
    *k = (struct link){.vm = vm, .state = LINK_CLOSED, .until = -1};
    k->bond = (struct task_bond){.end = on_task_end, .stays = true};
    list_init(&k->bond.link);
    waiting_init(&k->waiting, vm);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
    lua_setmetatable(L, -2);
    return k;
}

static void clear(PGresult **result)
{
    PQclear(*result);
    *result = NULL;
}

void link_close(struct link *k)
{
    if (k->state == LINK_CLOSED)
        return;
    bool goes_on = k->state == LINK_BUSY && PQstatus(k->pg) == CONNECTION_OK;
    if (goes_on && !k->is_secret)
        cancel_start(k->vm->ev, &k->reader, PQsocket(k->pg));
    k->state = LINK_CLOSED;
    list_remove(&k->bond.link);
    descriptor_stop(&k->waiting.descriptor);
    task_wake(k->waiting.task);
    clear(&k->result);
    clear(&k->failure);
    key_reader_stop(&k->reader, k->pg);
    PQfinish(k->pg);
    k->pg = NULL;
    mem_put(k->arguments, k->arguments_size);
    k->arguments = NULL;
    k->arguments_size = 0;
}

/* From the script's value to the link. */

static struct link *check_link(lua_State *L)
{
    struct link *k = lua_touserdata(L, 1);
    bool is_link = false;
    if (k && lua_getmetatable(L, 1)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
        is_link = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    luaL_argexpected(L, is_link, 1, "connection");
    return k;
}

struct link *link_live(lua_State *L)
{
    struct link *k = check_link(L);
    if (k->state == LINK_CLOSED)
        value_blame(L, "the connection is closed");
    return k;
}

struct link *link_idle(lua_State *L)
{
    struct link *k = link_live(L);
    if (k->state != LINK_IDLE)
        value_blame(L, "the connection is in use: its rows are not read to their end");
    return k;
}

void link_own(lua_State *L, struct link *k)
{
    struct task *t = task_waiter(L);
    list_remove(&k->bond.link);
    task_bind(t, &k->bond);
}

void link_disown(struct link *k)
{
    list_remove(&k->bond.link);
}

/* Operations. */

void link_renew(lua_State *L, struct link *k, int seconds)
{
    task_waiter(L);
    if (k->waiting.task)
        value_blame(L, "another task waits for this connection");
    double most = luaL_optnumber(L, seconds, -1);
    k->until = most < 0 ? -1 : clock_monotonic() + most;
}

void link_begin(lua_State *L, struct link *k, int seconds)
{
    link_renew(L, k, seconds);
    lua_pushnil(L);
    lua_setiuservalue(L, 1, LINK_TEXT);
    k->rows = 0;
    k->may_be_stale = false;
    clear(&k->result);
    clear(&k->failure);
}

int link_raise_lost(lua_State *L, struct link *k)
{
    failure_push_lost(L, k->pg);
    return lua_error(L);
}

void link_set_text(lua_State *L, int index)
{
    lua_pushvalue(L, index);
    lua_setiuservalue(L, 1, LINK_TEXT);
}

bool link_flush(lua_State *L, struct link *k, unsigned *events)
{
    int left = PQflush(k->pg);
    if (left < 0)
        link_raise_lost(L, k);
    /* What the server says meanwhile is read, or else neither goes on. */
    *events = DESCRIPTOR_READABLE | (left ? DESCRIPTOR_WRITABLE : 0);
    return left == 0;
}

bool link_take(struct link *k, unsigned *events)
{
    clear(&k->result);
    int left = PQflush(k->pg);
    *events = DESCRIPTOR_READABLE | (left > 0 ? DESCRIPTOR_WRITABLE : 0);
    /* A connection that is lost may have said why before; PQgetResult does not wait for it. */
    if (PQstatus(k->pg) == CONNECTION_OK && PQisBusy(k->pg))
        return false;
    k->result = PQgetResult(k->pg);
    return true;
}

void link_keep_failure(struct link *k)
{
    if (k->failure)
        return;
    k->failure = k->result;
    k->result = NULL;
}

void link_end(lua_State *L, struct link *k)
{
    if (PQstatus(k->pg) == CONNECTION_OK && !failure_is_fatal(k->failure))
        k->state = LINK_IDLE;
    if (!k->failure)
        return;
    lua_getiuservalue(L, 1, LINK_TEXT);
    failure_push(L, k->pg, k->failure, lua_tostring(L, -1));
    clear(&k->failure);
    lua_error(L);
}

static int k_ready(lua_State *L, int status, lua_KContext unused);

static int await(lua_State *L, struct link *k, unsigned events)
{
    double left = k->until < 0 ? -1 : k->until - clock_monotonic();
    if (k->until >= 0 && left < 0)
        left = 0;
    struct task *t = task_waiter(L);
    return waiting_start(L, &k->waiting, t, PQsocket(k->pg), events, left, 0, k_ready);
}

static int go_on(lua_State *L, struct link *k)
{
    unsigned events;
    int outcome = k->step(L, k, &events);
    return outcome == LINK_WAITS ? await(L, k, events) : outcome;
}

static int raise_late(lua_State *L, struct link *k)
{
    bool is_opening = k->state == LINK_OPENING;
    if (is_opening)
        link_close(k);
    return failure_raise_timeout(
        L, is_opening ? "PostgreSQL has not answered in time" : "the statement has taken too long");
}

static int k_ready(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    struct link *k = lua_touserdata(L, 1);
    unsigned events = waiting_over(L, &k->waiting);
    if (k->state == LINK_CLOSED)
        return value_blame(L, "the connection was closed meanwhile");
    if (!events)
        return raise_late(L, k);
    /* An error is told by the result that PQgetResult makes of it. */
    if (k->state != LINK_OPENING && (events & DESCRIPTOR_READABLE))
        PQconsumeInput(k->pg);
    return go_on(L, k);
}

int link_run(lua_State *L, struct link *k, link_step *step)
{
    k->step = step;
    if (k->state == LINK_IDLE)
        k->state = LINK_BUSY;
    return go_on(L, k);
}

/* What scripts see of its life. */

/* link:close() */
static int l_close(lua_State *L)
{
    link_close(check_link(L));
    return 0;
}

static const char *state_name(const struct link *k)
{
    if (k->state != LINK_IDLE || PQstatus(k->pg) != CONNECTION_OK)
        return k->state == LINK_BUSY && PQstatus(k->pg) == CONNECTION_OK ? "busy" : "closed";
    switch (PQtransactionStatus(k->pg)) {
    case PQTRANS_IDLE:
        return "idle";
    case PQTRANS_INTRANS:
        return "transaction";
    case PQTRANS_INERROR:
        return "failed";
    default:
        return "busy";
    }
}

/* link:state() → "idle", "transaction", "failed" (a transaction that can only be rolled back),
 * "busy" or "closed" */
static int l_state(lua_State *L)
{
    lua_pushstring(L, state_name(check_link(L)));
    return 1;
}

/* What an idle connection is told is read: it may be the end. */
static void hear(const struct link *k)
{
    enum { MOST = 8 };
    struct pollfd p = {.fd = PQsocket(k->pg), .events = POLLIN};
    for (int i = 0; i < MOST && PQstatus(k->pg) == CONNECTION_OK && poll(&p, 1, 0) > 0; i++)
        if (PQconsumeInput(k->pg))
            PQisBusy(k->pg); /* on_notice is told */
}

/* link:alive() → whether an idle one is connected still, as far as the system knows */
static int l_alive(lua_State *L)
{
    const struct link *k = check_link(L);
    if (k->state == LINK_IDLE)
        hear(k);
    bool is_open = PQstatus(k->pg) == CONNECTION_OK && !k->is_ending;
    lua_pushboolean(L, k->state == LINK_IDLE && is_open);
    return 1;
}

/* link:own(): it ends with the running task. */
static int l_own(lua_State *L)
{
    link_own(L, link_live(L));
    return 0;
}

/* link:elements(types): of types that the server's users have made, the array of which element.
 * The table is looked into, by number. */
static int l_elements(lua_State *L)
{
    link_live(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    lua_setiuservalue(L, 1, LINK_ELEMENTS);
    return 0;
}

void link_open(lua_State *L, const luaL_Reg *const *methods)
{
    static const luaL_Reg life[] = {{"close", l_close}, {"state", l_state}, {"alive", l_alive},
        {"own", l_own}, {"elements", l_elements}, {NULL, NULL}};
    static const luaL_Reg ends[] = {{"__gc", l_close}, {"__close", l_close}, {NULL, NULL}};
    lua_newtable(L);
    luaL_setfuncs(L, ends, 0);
    luaL_newlib(L, life);
    for (; *methods; methods++)
        luaL_setfuncs(L, *methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "connection");
    lua_setfield(L, -2, "__name");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
}

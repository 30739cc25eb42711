#include "lua/modules/store/door.h"

#include "core/mem.h"
#include "lua/modules/store/remote.h"
#include "lua/modules/store/store.h"
#include "lua/runtime/error_value.h"
#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"

#include <lauxlib.h>
#include <math.h>

/* Arguments. */

struct str door_text(lua_State *L, int index, size_t most, const char *what)
{
    struct str s;
    s.p = luaL_checklstring(L, index, &s.n);
    if (s.n == 0 || s.n > most)
        luaL_argerror(
            L, index, lua_pushfstring(L, "%s is 1 to %d bytes, not %d", what, (int)most, (int)s.n));
    return s;
}

struct str door_path(lua_State *L, const struct door_map *m, char room[STORE_PATH])
{
    struct str key = door_text(L, 2, STORE_KEY, "a key");
    return (struct str){room, store_path(m->space, (struct str){m->name, m->n}, key, room)};
}

struct store_value door_value(lua_State *L, int index)
{
    struct store_value v = {STORE_ABSENT};
    if (lua_isinteger(L, index))
        return (struct store_value){.kind = STORE_INTEGER, .integer = lua_tointeger(L, index)};
    if (lua_type(L, index) != LUA_TSTRING) {
        const char *what = lua_type(L, index) == LUA_TNUMBER ? "float" : luaL_typename(L, index);
        luaL_argerror(
            L, index, lua_pushfstring(L, "a value is a string or an integer, not a %s", what));
    }
    v.kind = STORE_STRING;
    v.text.p = lua_tolstring(L, index, &v.text.n);
    if (v.text.n > STORE_VALUE)
        luaL_argerror(L, index,
            lua_pushfstring(L, "a value is up to %d bytes, not %d", STORE_VALUE, (int)v.text.n));
    return v;
}

double door_seconds(lua_State *L, int index)
{
    double seconds = luaL_checknumber(L, index);
    luaL_argcheck(L, seconds > 0 && !isnan(seconds), index, "seconds are above 0");
    return seconds;
}

double door_ttl(lua_State *L, int options)
{
    if (lua_isnoneornil(L, options) || lua_getfield(L, options, "ttl") == LUA_TNIL)
        return 0;
    if (lua_type(L, -1) != LUA_TNUMBER || !(lua_tonumber(L, -1) > 0))
        luaL_argerror(L, options, "ttl is a number of seconds above 0");
    return lua_tonumber(L, -1);
}

void door_check_options(lua_State *L, int index, const char *const *known)
{
    if (lua_isnoneornil(L, index))
        return;
    luaL_checktype(L, index, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        const char *const *k = known;
        while (*k && strcmp(*k, name) != 0)
            k++;
        if (!*k)
            luaL_argerror(L, index, lua_pushfstring(L, "there is no option \"%s\"", name));
    }
}

/* Results. */

void door_push_value(lua_State *L, const struct store_value *v)
{
    if (v->kind == STORE_INTEGER)
        lua_pushinteger(L, v->integer);
    else if (v->kind == STORE_STRING)
        lua_pushlstring(L, v->text.p, v->text.n);
    else
        lua_pushnil(L);
}

void door_check_result(lua_State *L, const struct store_op *op)
{
    switch (op->result) {
    case STORE_YES:
    case STORE_NO:
        return;
    case STORE_FULL:
        error_value_push_here(L, KIND_LIMIT, "the store is full: see --store-size");
        error_value_set(L, "limit", "store-size");
        break;
    case STORE_NO_INTEGER:
        luaL_error(L, "the value is a string, to which nothing can be added");
        break;
    case STORE_OVERFLOW:
        luaL_error(L, "the sum is beyond 64 bits");
        break;
    case STORE_FAILED:
        error_value_push_here(L, KIND_SYSTEM, "the store failed: %s", op->problem);
        error_value_set(L, "code", strerrorname_np(op->code));
        break;
    }
    lua_error(L);
}

int door_push_done(lua_State *L, struct store_op *op)
{
    door_check_result(L, op);
    lua_pushboolean(L, op->result == STORE_YES);
    return 1;
}

/* Operations that are waited for. The script's side has a box, whose end lets go of what is under
 * way. */

struct pending {
    struct store_op op;
    size_t size;       /* of it with its bytes */
    struct box *box;   /* NULL: nobody waits any more */
    struct task *task; /* that waits; NULL where it was interrupted */
    bool is_done;
    door_then *then;
};

struct box {
    struct pending *pending;
};

static const char box_key;

static void let_go(struct box *b)
{
    struct pending *p = b->pending;
    b->pending = NULL;
    if (!p)
        return;
    p->box = NULL;
    if (p->is_done)
        mem_put(p, p->size);
}

static int l_box_gc(lua_State *L)
{
    let_go(lua_touserdata(L, 1));
    return 0;
}

static void on_done(struct store_op *op)
{
    struct pending *p = op->data;
    p->is_done = true;
    if (p->box)
        task_wake(p->task);
    else
        mem_put(p, p->size);
}

static void on_cancel(struct task *t)
{
    struct pending *p = t->data;
    p->task = NULL;
}

static int k_done(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    task_resumed(L);
    struct box *b = lua_touserdata(L, -1);
    struct store_op op = b->pending->op;
    door_then *then = b->pending->then;
    let_go(b);
    lua_pop(L, 1);
    return then(L, &op);
}

static char *keep(char *to, struct str *s)
{
    if (!s->n)
        return to;
    memcpy(to, s->p, s->n);
    s->p = to;
    return to + s->n;
}

/* Takes the bytes along. */
static struct pending *copy(const struct store_op *op)
{
    size_t size =
        sizeof(struct pending) + op->key.n + op->value.text.n + op->equal.text.n + op->after.n;
    struct pending *p = mem_get_zeroed(size);
    if (!p)
        return NULL;
    p->size = size;
    p->op = *op;
    p->op.done = on_done;
    p->op.data = p;
    list_init(&p->op.link);
    char *to = keep((char *)(p + 1), &p->op.key);
    to = keep(to, &p->op.value.text);
    to = keep(to, &p->op.equal.text);
    keep(to, &p->op.after);
    return p;
}

static int wait_for(lua_State *L, struct store *s, const struct store_op *op, door_then *then)
{
    if (store_remote(s))
        return remote_run(L, op, then);
    struct task *t = task_waiter(L);
    luaL_checkstack(L, 3, NULL);
    struct box *b = lua_newuserdatauv(L, sizeof *b, 0);
    b->pending = NULL;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &box_key);
    lua_setmetatable(L, -2);
    struct pending *p = copy(op);
    if (!p)
        return luaL_error(L, "%s", rc_text(RC_NOMEM));
    b->pending = p;
    p->box = b;
    p->task = t;
    p->then = then;
    store_start(s, &p->op);
    return task_wait(L, t, on_cancel, p, 0, k_done);
}

struct task *door_enter(lua_State *L, struct store **out)
{
    char why[STORE_WHY] = "there is no store here";
    struct task *t = task_waiter(L);
    struct store *s = t->vm->options.store;
    if (!s || store_use(s, why)) {
        error_value_push_here(L, KIND_SYSTEM, "%s", why);
        error_value_set(L, "code", "EIO");
        lua_error(L);
    }
    *out = s;
    return t;
}

int door_run(lua_State *L, const struct store_op *op, door_then *then)
{
    struct store *s = vm_of(L)->options.store;
    struct store_op now = *op;
    if (store_carry_out(s, &now))
        return then(L, &now);
    return wait_for(L, s, op, then);
}

/* Maps. */

static const char map_key;

const struct door_map *door_map(lua_State *L)
{
    struct door_map *m = lua_touserdata(L, 1);
    bool is_map = false;
    if (m && lua_getmetatable(L, 1)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &map_key);
        is_map = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    luaL_argexpected(L, is_map, 1, "store");
    return m;
}

static int push_map(lua_State *L, enum store_space space)
{
    struct str name = door_text(L, 1, STORE_NAME, "the name of a store");
    struct door_map *m = lua_newuserdatauv(L, sizeof *m, 0);
    *m = (struct door_map){.space = space, .n = name.n};
    memcpy(m->name, name.p, name.n);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &map_key);
    lua_setmetatable(L, -2);
    return 1;
}

/* store.open(name) */
static int l_open(lua_State *L)
{
    const struct store *s = vm_of(L)->options.store;
    if (s && store_remote(s)) { /* what fails to load is to be told while scripts load */
        remote_push(L, "get");
        lua_pop(L, 1);
    }
    return push_map(L, SPACE_MAP);
}

/* fleeting.open(name): a map that ends with the processes. */
static int l_open_fleeting(lua_State *L)
{
    return push_map(L, SPACE_HEALTH);
}

/* fleeting.tell(s, key, value) → whether it was set and published under its key. It is no wait:
 * what is in memory takes none, and an aborted request may still tell. False where scripts load. */
static int l_tell(lua_State *L)
{
    char why[STORE_WHY], room[STORE_PATH];
    const struct door_map *m = door_map(L);
    struct store *s = vm_of(L)->options.store;
    struct store_op op = {
        .action = STORE_SET, .key = door_path(L, m, room), .value = door_value(L, 3)};
    bool told = vm_of(L)->running && s && !store_use(s, why);
    if (told) {
        store_carry_out(s, &op);
        door_check_result(L, &op);
        store_publish(s, op.key, op.value.text);
    }
    lua_pushboolean(L, told);
    return 1;
}

static int push_found(lua_State *L, struct store_op *op)
{
    door_check_result(L, op);
    door_push_value(L, &op->found);
    return 1;
}

/* s:get(key) → value or nil */
static int l_get(lua_State *L)
{
    struct store *s;
    char room[STORE_PATH];
    const struct door_map *m = door_map(L);
    door_enter(L, &s);
    return door_run(
        L, &(struct store_op){.action = STORE_GET, .key = door_path(L, m, room)}, push_found);
}

/* Sets the condition that the options name, and the value for it. */
static void read_condition(lua_State *L, int options, struct store_op *op)
{
    if (lua_isnoneornil(L, options))
        return;
    lua_getfield(L, options, "if_absent");
    if (lua_toboolean(L, -1))
        op->condition = STORE_IF_ABSENT;
    if (lua_getfield(L, options, "if_equal") == LUA_TNIL)
        return;
    if (op->condition == STORE_IF_ABSENT)
        luaL_argerror(L, options, "if_absent and if_equal exclude each other");
    bool fits = lua_isinteger(L, -1) || lua_type(L, -1) == LUA_TSTRING;
    luaL_argcheck(L, fits, options, "if_equal is a string or an integer");
    op->condition = STORE_IF_EQUAL;
    op->equal = door_value(L, lua_gettop(L)); /* the table holds it */
}

/* s:set(key, value [, { ttl=, if_absent=, if_equal= }]) → whether it was set */
static int l_set(lua_State *L)
{
    static const char *const known[] = {"ttl", "if_absent", "if_equal", NULL};
    struct store *s;
    char room[STORE_PATH];
    const struct door_map *m = door_map(L);
    door_enter(L, &s);
    struct store_op op = {
        .action = STORE_SET, .key = door_path(L, m, room), .value = door_value(L, 3)};
    lua_settop(L, 4);
    door_check_options(L, 4, known);
    op.ttl = door_ttl(L, 4);
    read_condition(L, 4, &op);
    return door_run(L, &op, door_push_done);
}

/* s:delete(key) → whether it was there */
static int l_delete(lua_State *L)
{
    struct store *s;
    char room[STORE_PATH];
    const struct door_map *m = door_map(L);
    door_enter(L, &s);
    return door_run(
        L, &(struct store_op){.action = STORE_SET, .key = door_path(L, m, room)}, door_push_done);
}

/* s:incr(key [, by [, { ttl= }]]) → the new integer */
static int l_incr(lua_State *L)
{
    static const char *const known[] = {"ttl", NULL};
    struct store *s;
    char room[STORE_PATH];
    const struct door_map *m = door_map(L);
    door_enter(L, &s);
    struct store_op op = {
        .action = STORE_INCR, .key = door_path(L, m, room), .by = luaL_optinteger(L, 3, 1)};
    door_check_options(L, 4, known);
    op.ttl = door_ttl(L, 4);
    return door_run(L, &op, push_found);
}

/* s:expire(key [, seconds]) → whether it was there */
static int l_expire(lua_State *L)
{
    struct store *s;
    char room[STORE_PATH];
    const struct door_map *m = door_map(L);
    door_enter(L, &s);
    struct store_op op = {.action = STORE_EXPIRE, .key = door_path(L, m, room)};
    op.ttl = lua_isnoneornil(L, 3) ? 0 : door_seconds(L, 3);
    return door_run(L, &op, door_push_done);
}

static int l_tostring(lua_State *L)
{
    const struct door_map *m = door_map(L);
    lua_pushliteral(L, "store: ");
    lua_pushlstring(L, m->name, m->n);
    lua_concat(L, 2);
    return 1;
}

static void open_map(lua_State *L)
{
    static const luaL_Reg methods[] = {{"get", l_get}, {"set", l_set}, {"delete", l_delete},
        {"incr", l_incr}, {"expire", l_expire}, {NULL, NULL}};
    lua_newtable(L);
    luaL_newlib(L, methods);
    door_open_keys(L);
    door_open_updates(L);
    door_open_locks(L);
    door_open_messages(L);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushliteral(L, "store");
    lua_setfield(L, -2, "__name");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &map_key);
}

static void open_box(lua_State *L)
{
    lua_newtable(L);
    lua_pushcfunction(L, l_box_gc);
    lua_setfield(L, -2, "__gc");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &box_key);
}

int luaopen_moontrail_store(lua_State *L)
{
    static const luaL_Reg functions[] = {{"open", l_open}, {NULL, NULL}};
    open_box(L);
    open_map(L);
    luaL_newlib(L, functions);
    return 1;
}

int luaopen_moontrail_store_fleeting(lua_State *L)
{
    static const luaL_Reg functions[] = {{"open", l_open_fleeting}, {"tell", l_tell}, {NULL, NULL}};
    luaL_requiref(L, "moontrail.store", luaopen_moontrail_store, 0);
    luaL_newlib(L, functions);
    return 1;
}

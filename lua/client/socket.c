#include "lua/client/socket.h"

#include "core/list.h"
#include "lua/client/option_value.h"
#include "lua/client/socket_options.h"
#include "lua/runtime/error_value.h"
#include "lua/runtime/vm.h"
#include "socket/socket_group.h"

#include <stdio.h>

enum { KIB = 8 }; /* about what a socket holds outside of the collector's sight */

static const char metatable_key;

/* What the socket reports. */

static void wake(struct socket_wait *w)
{
    if (!w->task || w->woken)
        return;
    w->woken = true;
    timer_stop(&w->task->timer);
    task_wake(w->task);
}

static void on_state(struct socket *c)
{
    struct script_socket *s = c->owner;
    wake(&s->reader);
    wake(&s->writer);
}

static void on_input(struct socket *c)
{
    wake(&((struct script_socket *)c->owner)->reader);
}

static void on_room(struct socket *c)
{
    wake(&((struct script_socket *)c->owner)->writer);
}

static const struct socket_ops ops = {
    .on_state = on_state,
    .on_input = on_input,
    .on_room = on_room,
};

/* Waits. */

static void cancel(struct task *t)
{
    ((struct socket_wait *)t->data)->woken = true;
    timer_stop(&t->timer);
}

int script_socket_wait(lua_State *L, struct script_socket *s, struct socket_wait *w, double seconds,
    lua_KContext context, lua_KFunction k)
{
    struct task *t = s->vm->running;
    w->task = t;
    w->woken = false;
    timer_start(&t->timer, seconds);
    return task_wait(L, t, cancel, w, context, k);
}

static int raise_late(lua_State *L, double seconds)
{
    char number[32];
    snprintf(number, sizeof number, "%g", seconds);
    lua_getiuservalue(L, 1, SOCKET_NAME);
    error_value_push_here(L, KIND_TIMEOUT, "%s: timed out after %s s", lua_tostring(L, -1), number);
    return lua_error(L);
}

static int raise_closed(lua_State *L)
{
    lua_getiuservalue(L, 1, SOCKET_NAME);
    return luaL_error(L, "%s: the socket is closed", lua_tostring(L, -1));
}

struct script_socket *script_socket_resumed(
    lua_State *L, struct script_socket *s, struct socket_wait *w)
{
    bool late = !w->woken;
    w->task = NULL;
    task_resumed(L);
    if (late)
        raise_late(L, s->timeout);
    if (!s->socket)
        raise_closed(L);
    return s;
}

/* Pushes the error of a socket that has failed, or takes no more. */
static void push_failure(lua_State *L, const struct socket *c, const char *name)
{
    const char *why = c->why[0] ? c->why : "closed by the other side";
    if (c->failure == SOCKET_NO_MEMORY)
        luaL_error(L, "%s: %s", name, rc_text(RC_NOMEM));
    else if (c->failure == SOCKET_UNREACHABLE)
        error_value_push_here(L, KIND_UNREACHABLE, "%s: no connection: %s", name, why);
    else
        error_value_push_here(L, KIND_LOST, "%s: connection lost: %s", name, why);
}

int script_socket_raise(lua_State *L, const struct script_socket *s)
{
    lua_getiuservalue(L, 1, SOCKET_NAME);
    push_failure(L, s->socket, lua_tostring(L, -1));
    return lua_error(L);
}

/* Life. */

/* The tasks that wait see that nothing is left. */
static void let_go(struct script_socket *s)
{
    s->socket = NULL;
    list_remove(&s->bond.link);
    wake(&s->reader);
    wake(&s->writer);
}

void script_socket_close(struct script_socket *s)
{
    struct socket *c = s->socket;
    if (!c)
        return;
    let_go(s);
    socket_close(c);
}

static void on_task_end(struct task_bond *b)
{
    script_socket_close(container_of(b, struct script_socket, bond));
}

/* A closed one; its URL is at index 1. */
static struct script_socket *new_socket(lua_State *L, const struct socket_options *o)
{
    struct script_socket *s = lua_newuserdatauv(L, sizeof *s, SOCKET_VALUES);
    *s = (struct script_socket){.vm = vm_of(L),
        .bond = {.end = on_task_end, .stays = true},
        .timeout = o->timeout,
        .pool_idle = o->pool_idle,
        .pool_size = (size_t)o->pool_size};
    list_init(&s->bond.link);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
    lua_setmetatable(L, -2);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, SOCKET_NAME);
    return s;
}

/* Connecting. */

static void add_part(luaL_Buffer *b, struct str part)
{
    lua_Unsigned n = part.n;
    luaL_addlstring(b, (const char *)&n, sizeof n);
    luaL_addlstring(b, part.p ? part.p : "", part.n);
}

static struct str text_of(const char *text)
{
    return text ? str_of(text) : STR("");
}

/* The key under which a socket is kept: its pool's name, its URL, and all that concerns TLS. */
static struct str make_key(
    luaL_Buffer *b, struct str pool, struct str url, const struct socket_tls *tls)
{
    add_part(b, pool);
    add_part(b, url);
    luaL_addchar(b, tls->verify ? 1 : 0);
    add_part(b, text_of(tls->ca));
    add_part(b, text_of(tls->cert));
    add_part(b, text_of(tls->key));
    add_part(b, text_of(tls->server_name));
    add_part(b, tls->alpn);
    return (struct str){luaL_buffaddr(b), luaL_bufflen(b)};
}

/* The task is ended while it waits for a connection: no script has it. */
static void cancel_connecting(struct task *t)
{
    struct script_socket *s = t->data;
    s->reader.woken = true;
    timer_stop(&t->timer);
    script_socket_close(s);
}

/* The stack: the URL, the options, the userdata. */
enum { URL = 1, OPTIONS, USERDATA };

/* Raises the error on top of a socket that no script has. */
static int fail_connecting(lua_State *L, struct script_socket *s)
{
    script_socket_close(s);
    return lua_error(L);
}

static int k_connected(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    struct script_socket *s = lua_touserdata(L, USERDATA);
    bool late = !s->reader.woken;
    s->reader.task = NULL;
    task_resumed(L);
    if (late) {
        error_value_push_here(
            L, KIND_TIMEOUT, "%s: no connection: connect-timeout", lua_tostring(L, URL));
        return fail_connecting(L, s);
    }
    if (s->socket->state == SOCKET_FAILED) {
        push_failure(L, s->socket, lua_tostring(L, URL));
        return fail_connecting(L, s);
    }
    lua_settop(L, USERDATA);
    return 1;
}

static int await_connection(lua_State *L, struct script_socket *s, struct task *t, double seconds)
{
    s->reader = (struct socket_wait){.task = t};
    timer_start(&t->timer, seconds);
    return task_wait(L, t, cancel_connecting, s, 0, k_connected);
}

static void adopt(struct script_socket *s, struct task *t, struct socket *c)
{
    s->socket = c;
    task_bind(t, &s->bond);
}

/* What start_tls needs to know later. */
static void remember(lua_State *L, const struct socket_options *o, struct str pool)
{
    lua_pushlstring(L, pool.p, pool.n);
    lua_setiuservalue(L, USERDATA, SOCKET_POOL);
    if (!o->speaks_of_tls)
        return;
    socket_options_push_tls(L, OPTIONS);
    lua_setiuservalue(L, USERDATA, SOCKET_SECRETS);
}

static struct socket_group *check_sockets(lua_State *L)
{
    struct socket_group *all = vm_of(L)->options.sockets;
    if (!all || !all->wire)
        luaL_error(L, "no other server can be reached from here");
    return all;
}

/* connect(url [, options]) → socket */
static int l_connect(lua_State *L)
{
    char why[SOCKET_WHY];
    luaL_Buffer b;
    struct socket_options o;
    struct socket_order order;
    struct str url;
    struct socket *c;
    struct task *t = task_waiter(L);
    struct socket_group *all = check_sockets(L);
    luaL_checktype(L, URL, LUA_TSTRING);
    url.p = lua_tolstring(L, URL, &url.n);
    lua_settop(L, OPTIONS);
    socket_options_init(&o);
    socket_options_read(L, OPTIONS, OPTIONS_TO_CONNECT, &o);
    if (socket_url_parse(url, &order.url, why))
        return luaL_error(L, "%s", why);
    struct script_socket *s = new_socket(L, &o);
    struct str pool = o.pool.p ? o.pool : url;
    remember(L, &o, pool);
    luaL_buffinit(L, &b);
    struct str key = make_key(&b, pool, url, &o.tls);
    if ((c = socket_group_take(all, key, &ops, s))) {
        adopt(s, t, c);
        s->reused = true;
        lua_settop(L, USERDATA);
        return 1;
    }
    order.tls = o.tls;
    if (socket_open(all, &order, &ops, s, &c, why))
        return luaL_error(L, "%s: %s", url.p, why);
    adopt(s, t, c);
    if (socket_set_key(c, key)) {
        script_socket_close(s);
        return luaL_error(L, "%s", rc_text(RC_NOMEM));
    }
    lua_settop(L, USERDATA);
    return await_connection(L, s, t, o.connect_timeout);
}

/* From the script's value to the socket. */

static struct script_socket *check_socket(lua_State *L)
{
    struct script_socket *s = lua_touserdata(L, 1);
    bool is_socket = false;
    if (s && lua_getmetatable(L, 1)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
        is_socket = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    luaL_argexpected(L, is_socket, 1, "socket");
    return s;
}

struct script_socket *script_socket_live(lua_State *L)
{
    struct script_socket *s = check_socket(L);
    if (!s->socket)
        raise_closed(L);
    return s;
}

/* TLS on a connection that there is. */

static int k_tls(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    struct script_socket *s = lua_touserdata(L, 1);
    struct socket_wait wait = s->reader;
    s->reader.task = s->writer.task = NULL;
    if (!wait.woken) /* neither plain nor secure, it is of no use any more */
        script_socket_close(s);
    script_socket_resumed(L, s, &wait);
    if (s->socket->state == SOCKET_FAILED)
        return script_socket_raise(L, s);
    return 0;
}

/* Nobody may have read or be reading: bytes in plain must not be taken for such that came with
 * TLS. */
static void check_quiet(lua_State *L, const struct script_socket *s)
{
    if (s->reader.task || s->writer.task)
        luaL_error(L, "another task is using this socket");
    if (s->socket->transport.ops)
        luaL_error(L, "this socket has TLS already");
    if (s->finished)
        luaL_error(L, "this direction of the socket has ended");
    if (s->socket->state == SOCKET_FAILED || s->socket->ended || s->socket->cut)
        script_socket_raise(L, s);
    if (inbox_content(&s->socket->in).n == 0)
        return;
    lua_getiuservalue(L, 1, SOCKET_NAME);
    error_value_push_here(
        L, KIND_PROTOCOL, "%s: bytes came before TLS had begun", lua_tostring(L, -1));
    lua_error(L);
}

/* socket:start_tls([options]) */
static int l_start_tls(lua_State *L)
{
    enum { TLS_OPTIONS = 2, NAME, POOL, SECRETS };
    char why[SOCKET_WHY];
    luaL_Buffer b;
    struct socket_options o;
    struct socket_url parsed;
    struct str url, pool;
    struct script_socket *s = script_socket_live(L);
    (void)task_waiter(L);
    lua_settop(L, TLS_OPTIONS);
    lua_getiuservalue(L, 1, SOCKET_NAME);
    lua_getiuservalue(L, 1, SOCKET_POOL);
    lua_getiuservalue(L, 1, SOCKET_SECRETS);
    check_quiet(L, s);
    socket_options_init(&o);
    socket_options_read(L, SECRETS, OPTIONS_OF_TLS, &o);
    socket_options_read(L, TLS_OPTIONS, OPTIONS_OF_TLS, &o);
    url.p = lua_tolstring(L, NAME, &url.n);
    pool.p = lua_tolstring(L, POOL, &pool.n);
    if (socket_url_parse(url, &parsed, why))
        return luaL_error(L, "%s", why);
    if (parsed.scheme == SOCKET_UNIX && !o.tls.server_name && o.tls.verify)
        return luaL_error(
            L, "start_tls needs server_name: the name that the certificate must have");
    const char *host = parsed.scheme == SOCKET_UNIX ? "localhost" : parsed.host;
    luaL_buffinit(L, &b);
    if (socket_set_key(s->socket, make_key(&b, pool, url, &o.tls)))
        return luaL_error(L, "%s", rc_text(RC_NOMEM));
    if (socket_start_tls(s->socket, &o.tls, host, why))
        return luaL_error(L, "%s: %s", url.p, why);
    lua_settop(L, 1);
    s->writer.task = s->vm->running;
    s->writer.woken = true;
    return script_socket_wait(L, s, &s->reader, s->timeout, 0, k_tls);
}

/* The end. */

/* socket:set_timeout(seconds) */
static int l_set_timeout(lua_State *L)
{
    struct script_socket *s = script_socket_live(L);
    lua_settop(L, 2);
    s->timeout = option_seconds(L, "timeout");
    return 0;
}

/* socket:keep([options]) → whether it was kept */
static int l_keep(lua_State *L)
{
    struct socket_options o;
    struct script_socket *s = script_socket_live(L);
    socket_options_init(&o);
    o.pool_size = (lua_Integer)s->pool_size;
    o.pool_idle = s->pool_idle;
    lua_settop(L, 2);
    socket_options_read(L, 2, OPTIONS_TO_KEEP, &o);
    bool used = s->reader.task || s->writer.task;
    struct socket *c = s->socket;
    let_go(s);
    if (used)
        socket_close(c);
    lua_pushboolean(L, !used && socket_group_keep(c, (size_t)o.pool_size, o.pool_idle));
    return 1;
}

static int l_close(lua_State *L)
{
    script_socket_close(check_socket(L));
    return 0;
}

/* The metatable. Its __index has one upvalue: a table that maps each name to its method, or to the
 * light userdata of its struct field. */

struct field {
    const char *name;
    void (*push)(lua_State *L, const struct script_socket *s);
};

static void push_reused(lua_State *L, const struct script_socket *s)
{
    lua_pushboolean(L, s->reused);
}

static void push_remote(lua_State *L, const struct script_socket *s)
{
    lua_pushstring(L, s->socket ? s->socket->remote : NULL);
}

static void push_tls(lua_State *L, const struct script_socket *s)
{
    const struct socket *c = s->socket;
    if (!c || !c->has_tls || c->state != SOCKET_OPEN) {
        lua_pushnil(L);
        return;
    }
    struct tls_info info = tls_info(&c->transport);
    struct str alpn = tls_alpn(&c->transport);
    lua_createtable(L, 0, 3);
    lua_pushstring(L, info.version);
    lua_setfield(L, -2, "version");
    lua_pushstring(L, info.cipher);
    lua_setfield(L, -2, "cipher");
    if (alpn.n) {
        lua_pushlstring(L, alpn.p, alpn.n);
        lua_setfield(L, -2, "alpn");
    }
}

static const struct field fields[] = {
    {"reused", push_reused}, {"remote", push_remote}, {"tls", push_tls}, {NULL, NULL}};

static int l_index(lua_State *L)
{
    const struct script_socket *s = check_socket(L);
    lua_settop(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TLIGHTUSERDATA)
        ((const struct field *)lua_touserdata(L, -1))->push(L, s);
    return 1;
}

void socket_open_module(lua_State *L)
{
    static const luaL_Reg functions[] = {{"connect", l_connect}, {NULL, NULL}};
    static const luaL_Reg life[] = {{"start_tls", l_start_tls}, {"set_timeout", l_set_timeout},
        {"keep", l_keep}, {"close", l_close}, {NULL, NULL}};
    static const luaL_Reg ends[] = {{"__gc", l_close}, {"__close", l_close}, {NULL, NULL}};
    lua_newtable(L);
    luaL_setfuncs(L, ends, 0);
    luaL_newlib(L, life);
    luaL_setfuncs(L, script_socket_reads, 0);
    luaL_setfuncs(L, script_socket_writes, 0);
    for (const struct field *f = fields; f->name; f++) {
        lua_pushlightuserdata(L, (void *)f);
        lua_setfield(L, -2, f->name);
    }
    lua_pushcclosure(L, l_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "socket");
    lua_setfield(L, -2, "__name");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
    luaL_newlib(L, functions);
}

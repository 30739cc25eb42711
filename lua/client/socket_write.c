/* How a script writes to a socket. */
#include "lua/client/socket.h"
#include "lua/ctx/args.h"

static enum rc sink(void *of, const char *data, size_t n, size_t *taken)
{
    return socket_write(of, data, n, taken);
}

static int k_write(lua_State *L, int status, lua_KContext unused);

static int go_on(lua_State *L, struct script_socket *s)
{
    struct socket *c = s->socket;
    if (c->state == SOCKET_FAILED || c->cut)
        return script_socket_raise(L, s);
    enum rc rc = arguments_write(L, &s->write, sink, c);
    if (rc == RC_AGAIN)
        return script_socket_wait(L, s, &s->writer, s->timeout, 0, k_write);
    if (rc)
        return luaL_error(L, "%s", rc_text(rc));
    return 0;
}

static int k_write(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    struct script_socket *s = lua_touserdata(L, 1);
    return go_on(L, script_socket_resumed(L, s, &s->writer));
}

static struct script_socket *check_writable(lua_State *L)
{
    struct script_socket *s = script_socket_live(L);
    if (s->writer.task)
        luaL_error(L, "another task is writing to this socket");
    if (s->finished)
        luaL_error(L, "this direction of the socket has ended");
    return s;
}

/* socket:write(...) */
static int l_write(lua_State *L)
{
    struct script_socket *s = check_writable(L);
    for (int i = 2; i <= lua_gettop(L); i++)
        ctx_check_str(L, i);
    (void)task_waiter(L);
    s->write = (struct arguments_left){.next = 2};
    return go_on(L, s);
}

/* socket:finish() */
static int l_finish(lua_State *L)
{
    struct script_socket *s = check_writable(L);
    if (s->socket->state == SOCKET_FAILED || s->socket->cut)
        return script_socket_raise(L, s);
    s->finished = true;
    socket_finish(s->socket);
    return 0;
}

const luaL_Reg script_socket_writes[] = {
    {"write", l_write},
    {"finish", l_finish},
    {NULL, NULL},
};

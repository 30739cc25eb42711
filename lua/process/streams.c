/* What a script writes to a program, and reads of it. */
#include "lua/ctx/args.h"
#include "lua/process/process.h"

#include <lauxlib.h>

/* Reading. */

static int k_read(lua_State *L, int status, lua_KContext which);

/* The next piece, of at most the bytes that the integer at index 2 says. */
static int read_piece(lua_State *L, struct process *s, enum program_output which)
{
    size_t n, max = (size_t)lua_tointeger(L, 2);
    struct task *t = task_waiter(L);
    const char *piece = program_peek(s->program, which, &n);
    if (n) {
        n = n < max ? n : max;
        lua_pushlstring(L, piece, n);
        program_consume(s->program, which, n);
        return 1;
    }
    if (program_output_ended(s->program, which)) {
        lua_pushnil(L);
        return 1;
    }
    s->readers[which] = t;
    return task_wait(L, t, process_cancel, s, which, k_read);
}

static int k_read(lua_State *L, int status, lua_KContext which)
{
    (void)status;
    return read_piece(L, process_resumed(L), (enum program_output)which);
}

static int start_read(lua_State *L, enum program_output which)
{
    struct process *s = process_live(L);
    lua_Integer max = luaL_optinteger(L, 2, LUA_MAXINTEGER);
    luaL_argcheck(L, max > 0, 2, "not above 0");
    if (s->readers[which])
        return luaL_error(L, "another task is reading this output");
    lua_settop(L, 1);
    lua_pushinteger(L, max);
    return read_piece(L, s, which);
}

/* process:read([max]) → the next piece of its output; nil at the end */
static int l_read(lua_State *L)
{
    return start_read(L, PROGRAM_OUT);
}

/* process:read_error([max]) */
static int l_read_error(lua_State *L)
{
    return start_read(L, PROGRAM_ERR);
}

/* Writing. */

static int k_write(lua_State *L, int status, lua_KContext finishes);

/* Queues what there is room for of the arguments, and waits for more room. */
static int write_pieces(lua_State *L, struct process *s, bool finishes)
{
    struct task *t = task_waiter(L);
    for (; s->write_next <= lua_gettop(L); s->write_next++, s->write_offset = 0) {
        size_t len, taken;
        const char *piece = lua_tolstring(L, s->write_next, &len);
        enum rc rc =
            program_write(s->program, piece + s->write_offset, len - s->write_offset, &taken);
        if (rc == RC_NOMEM)
            return luaL_error(L, "%s", rc_text(rc));
        if (rc)
            break;
        s->write_offset += taken;
        if (s->write_offset < len) {
            s->writer = t;
            return task_wait(L, t, process_cancel, s, finishes, k_write);
        }
    }
    lua_pushboolean(L, program_takes(s->program));
    if (finishes)
        program_finish(s->program);
    return 1;
}

static int k_write(lua_State *L, int status, lua_KContext finishes)
{
    (void)status;
    return write_pieces(L, process_resumed(L), finishes);
}

static int start_write(lua_State *L, bool finishes)
{
    struct process *s = process_live(L);
    for (int i = 2; i <= lua_gettop(L); i++)
        ctx_check_str(L, i);
    if (s->writer)
        return luaL_error(L, "another task is writing to this process");
    if (s->finished)
        return luaL_error(L, "the input of this process has ended");
    s->finished = finishes;
    s->write_next = 2;
    s->write_offset = 0;
    return write_pieces(L, s, finishes);
}

/* process:write(...) → whether it still takes input */
static int l_write(lua_State *L)
{
    return start_write(L, false);
}

/* process:finish(...): the same with the last pieces */
static int l_finish(lua_State *L)
{
    return start_write(L, true);
}

const luaL_Reg process_methods[] = {
    {"read", l_read},
    {"read_error", l_read_error},
    {"write", l_write},
    {"finish", l_finish},
    {NULL, NULL},
};

/* mt.exec: a program from its start to its end, in one call. */
#include "lua/process/process.h"
#include "lua/runtime/pieces.h"
#include "program/signal_name.h"

#include <lauxlib.h>

enum { EXEC_LIMIT = 16 << 20 }; /* bytes of each output, unless the script says otherwise */

/* The stack: the arguments and the options, and then these. */
enum { PROCESS = 3, PIECES };

/* Moves what there is of an output to its table of pieces. */
static void collect(lua_State *L, const struct process *s, enum program_output which)
{
    size_t n;
    const char *piece;
    while ((piece = program_peek(s->program, which, &n)) && n) {
        lua_pushlstring(L, piece, n);
        pieces_keep(L, PIECES + (int)which);
        program_consume(s->program, which, n);
    }
}

/* The pieces may go before those of the other output are joined. */
static void set_output(lua_State *L, enum program_output which, const char *name)
{
    pieces_push_joined(L, PIECES + (int)which);
    lua_setfield(L, -2, name);
    lua_pushnil(L);
    lua_replace(L, PIECES + (int)which);
}

/* The process is over, and closed: it holds nothing any more. */
static int push_result(lua_State *L, struct process *s)
{
    char name[SIGNAL_NAME];
    process_close(s);
    lua_createtable(L, 0, 3);
    if (s->signal)
        lua_pushstring(L, signal_name(s->signal, name));
    else
        lua_pushinteger(L, s->code);
    lua_setfield(L, -2, s->signal ? "signal" : "code");
    set_output(L, PROGRAM_OUT, "stdout");
    set_output(L, PROGRAM_ERR, "stderr");
    return 1;
}

static int k_exec(lua_State *L, int status, lua_KContext unused);

static int go_on(lua_State *L, struct process *s)
{
    struct task *t = task_waiter(L);
    if (!s->program)
        return process_raise(L, PROCESS, s);
    bool over = s->over;
    for (int i = 0; i < PROGRAM_OUTPUTS; i++) {
        collect(L, s, (enum program_output)i);
        over = over && program_output_ended(s->program, (enum program_output)i);
    }
    if (over)
        return push_result(L, s);
    for (int i = 0; i < PROGRAM_OUTPUTS; i++)
        s->readers[i] = t;
    return task_wait(L, t, process_cancel, s, 0, k_exec);
}

static int l_resumed(lua_State *L)
{
    task_resumed(L);
    return 0;
}

/* What ends the wait ends the program: nobody has its process. */
static int k_exec(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    struct process *s = lua_touserdata(L, PROCESS);
    process_leave(s);
    lua_pushcfunction(L, l_resumed);
    if (lua_pcall(L, 0, 0, 0)) {
        process_close(s);
        return lua_error(L);
    }
    return go_on(L, s);
}

/* exec(argv [, options]) → { code=, signal=, stdout=, stderr= } */
static int l_exec(lua_State *L)
{
    static const struct process_defaults defaults = {.limit = EXEC_LIMIT, .has_input = true};
    lua_settop(L, PROCESS - 1);
    struct process *s = process_start(L, 1, 2, &defaults);
    for (int i = 0; i < PROGRAM_OUTPUTS; i++)
        lua_newtable(L);
    return go_on(L, s);
}

void exec_add_function(lua_State *L)
{
    lua_pushcfunction(L, l_exec);
    lua_setfield(L, -2, "exec");
}

/* Waits on descriptors of others: as a library with sockets of its own would have them. */
#include "support/wire.h"

#include "lua/ctx/spawn.h"
#include "lua/runtime/task.h"
#include "lua/runtime/vm.h"
#include "lua/runtime/waiting.h"
#include "lua/scripts/libraries.h"

#include <ev.h>
#include <lauxlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
    struct ev_loop *ev;
    struct vm *vm;
    struct waiting waiting;
    int ours, theirs;
    char notes[512];
} world;

static int l_note(lua_State *L)
{
    size_t n = strlen(world.notes);
    for (int i = 1; i <= lua_gettop(L); i++, lua_pop(L, 1))
        n += (size_t)snprintf(world.notes + n, sizeof world.notes - n, "%s%s", i > 1 ? " " : "",
            luaL_tolstring(L, i, NULL));
    snprintf(world.notes + n, sizeof world.notes - n, "\n");
    return 0;
}

static int k_ready(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    assert_int_equal(context, 7);
    lua_pushinteger(L, waiting_over(L, &world.waiting));
    return 1;
}

/* await(events, seconds) → events */
static int l_await(lua_State *L)
{
    unsigned events = (unsigned)luaL_checkinteger(L, 1);
    struct task *t = task_waiter(L);
    return waiting_start(
        L, &world.waiting, t, world.ours, events, luaL_optnumber(L, 2, -1), 7, k_ready);
}

static int l_open(lua_State *L)
{
    libraries_open(L);
    lua_register(L, "note", l_note);
    lua_register(L, "await", l_await);
    return 0;
}

static int l_load(lua_State *L)
{
    if (luaL_loadstring(L, lua_touserdata(L, 1)))
        return lua_error(L);
    lua_call(L, 0, 0);
    return 0;
}

static void load(const char *script)
{
    static const struct vm_options options = {.dev = false};
    int pair[2];
    memset(&world, 0, sizeof world);
    world.ev = ev_loop_new(EVFLAG_AUTO);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    world.ours = pair[0];
    world.theirs = pair[1];
    assert_int_equal(vm_new(world.ev, &options, l_open, NULL, &world.vm), RC_OK);
    waiting_init(&world.waiting, world.vm);
    assert_true(vm_call(world.vm, l_load, (void *)script, 0));
    while (vm_run(world.vm))
        ;
}

static void turn(void)
{
    ev_run(world.ev, EVRUN_ONCE);
    while (vm_run(world.vm))
        ;
}

static void expect_notes(const char *notes)
{
    assert_string_equal(world.notes, notes);
    world.notes[0] = '\0';
}

static void end(void)
{
    assert_int_equal(live.tasks, 0);
    assert_false(descriptor_is_watched(&world.waiting.descriptor));
    vm_free(world.vm);
    close(world.ours);
    close(world.theirs);
    ev_loop_destroy(world.ev);
}

#define TASK(body) "require('moontrail').spawn(function() " body " end)"

static void Waiting_Readable_GoesOn(void **state)
{
    (void)state;
    load(TASK("note('waits') note(await(1)) note('and again') note(await(1, 1000))"));
    expect_notes("waits\n");
    assert_int_equal(live.waits, 1);
    assert_int_equal(write(world.theirs, "x", 1), 1);
    turn();
    turn();
    expect_notes("1\nand again\n1\n");
    end();
}

static void Waiting_Writable_GoesOn(void **state)
{
    (void)state;
    load(TASK("note(await(2)) note(await(3))"));
    turn();
    turn();
    expect_notes("2\n2\n");
    end();
}

static void Waiting_OtherSideGone_Both(void **state)
{
    (void)state;
    load(TASK("note(await(3))"));
    shutdown(world.theirs, SHUT_RDWR);
    turn();
    expect_notes("3\n");
    end();
}

static void Waiting_TimeOver_NoEvent(void **state)
{
    (void)state;
    load(TASK("note(await(1, 0.001)) note(await(1, 0))"));
    turn();
    turn();
    expect_notes("0\n0\n");
    end();
}

static void Waiting_ReadyInTime_TimeIsNoMore(void **state)
{
    (void)state;
    load(TASK("note(await(2, 0.001)) note(await(1))"));
    turn();
    usleep(2000);
    ev_run(world.ev, EVRUN_NOWAIT);
    expect_notes("2\n");
    assert_int_equal(live.waits, 1);
    spawn_cancel_all(world.vm, SPAWN_SHUTDOWN);
    vm_run(world.vm);
    end();
}

static void Waiting_TaskCancelled_Raises(void **state)
{
    (void)state;
    load(TASK("local _, e = pcall(await, 1, 1000) note(e.kind, e.reason)"));
    assert_true(descriptor_is_watched(&world.waiting.descriptor));
    spawn_cancel_all(world.vm, SPAWN_RELOAD);
    assert_false(descriptor_is_watched(&world.waiting.descriptor));
    vm_run(world.vm);
    expect_notes("abort reload\n");
    end();
}

/* The events have come, and the task has not run yet. */
static void Waiting_CancelledOnceReady_Raises(void **state)
{
    (void)state;
    load(TASK("local _, e = pcall(await, 2) note(e.kind, e.reason)"));
    ev_run(world.ev, EVRUN_ONCE);
    spawn_cancel_all(world.vm, SPAWN_SHUTDOWN);
    vm_run(world.vm);
    expect_notes("abort shutdown\n");
    end();
}

static void Waiting_WhileLoading_Raises(void **state)
{
    (void)state;
    load("note(pcall(await, 1))");
    expect_notes("false cannot wait while a script loads\n");
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Waiting_Readable_GoesOn),
        wire_test(Waiting_Writable_GoesOn),
        wire_test(Waiting_OtherSideGone_Both),
        wire_test(Waiting_TimeOver_NoEvent),
        wire_test(Waiting_ReadyInTime_TimeIsNoMore),
        wire_test(Waiting_TaskCancelled_Raises),
        wire_test(Waiting_CancelledOnceReady_Raises),
        wire_test(Waiting_WhileLoading_Raises),
    };
    return cmocka_run_group_tests_name("session/waiting", tests, NULL, NULL);
}

#include "program/program.h"

#include "tests/unit/check.h"

#include "core/live.h"

#include <dirent.h>
#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct {
    struct ev_loop *ev;
    struct programs all;
    struct program *p;
    enum launch_step step;
    int outputs, rooms, ends;
} world;

static void on_output(struct program *p, enum program_output which)
{
    (void)p, (void)which;
    world.outputs++;
}

static void on_room(struct program *p)
{
    (void)p;
    world.rooms++;
}

static void on_end(struct program *p)
{
    (void)p;
    world.ends++;
}

static const struct program_ops ops = {on_output, on_room, on_end};

static int start(const char *script)
{
    static const char *const files[] = {"/bin/sh", NULL}, *const envp[] = {
                                                              "PATH=/bin:/usr/bin", NULL};
    const char *const argv[] = {"sh", "-c", script, NULL};
    const struct launch_order order = {.files = files, .argv = argv, .envp = envp};
    return program_start(&world.all, &order, &ops, &world, &world.p, &world.step);
}

static void begin(void)
{
    memset(&world, 0, sizeof world);
    signal(SIGPIPE, SIG_IGN);
    world.ev = ev_loop_new(EVFLAG_AUTO);
    programs_init(&world.all, world.ev);
}

static void turn(void)
{
    ev_run(world.ev, EVRUN_ONCE);
}

static void end(void)
{
    programs_fini(&world.all);
    assert_int_equal(live.programs, 0);
    ev_loop_destroy(world.ev);
}

static void expect_output(enum program_output which, const char *text)
{
    size_t n;
    while (!world.p->outputs[which].ended)
        turn();
    const char *piece = program_peek(world.p, which, &n);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(piece, text, n);
    program_consume(world.p, which, n);
    assert_true(program_output_ended(world.p, which));
}

static int count_descriptors(void)
{
    int count = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        count++;
    closedir(d);
    return count;
}

static void Run_ToItsEnd_AllIsTold(void **state)
{
    (void)state;
    size_t taken;
    begin();
    assert_int_equal(start("read a; echo $a; echo $a >&2; exit 3"), 0);
    assert_int_equal(program_write(world.p, "word\n", 5, &taken), RC_OK);
    assert_int_equal(taken, 5);
    program_finish(world.p);
    assert_int_equal(program_write(world.p, "x", 1, &taken), RC_CLOSED);
    expect_output(PROGRAM_OUT, "word\n");
    expect_output(PROGRAM_ERR, "word\n");
    while (!world.ends)
        turn();
    assert_int_equal(world.p->code, 3);
    assert_int_equal(world.p->signal, 0);
    assert_true(program_is_over(world.p));
    program_end(world.p);
    end();
}

/* It is read no further than there is room. */
static void Output_NobodyTakesIt_ProgramWaits(void **state)
{
    (void)state;
    begin();
    assert_int_equal(start("exec yes"), 0);
    while (descriptor_is_watched(&world.p->outputs[PROGRAM_OUT].descriptor))
        turn();
    assert_int_equal(world.p->outputs[PROGRAM_OUT].moved, PROGRAM_QUEUE);
    ev_run(world.ev, EVRUN_NOWAIT);
    assert_int_equal(world.p->outputs[PROGRAM_OUT].moved, PROGRAM_QUEUE);
    program_consume(world.p, PROGRAM_OUT, 1);
    turn();
    assert_int_equal(world.p->outputs[PROGRAM_OUT].moved, PROGRAM_QUEUE + 1);
    program_end(world.p);
    end();
}

static void Input_ProgramReadsNothing_NoMoreThanTheQueueIsTaken(void **state)
{
    (void)state;
    static char much[1 << 20];
    size_t taken;
    begin();
    assert_int_equal(start("exec sleep 1000"), 0);
    assert_int_equal(program_write(world.p, much, sizeof much, &taken), RC_OK);
    assert_int_equal(taken, PROGRAM_QUEUE);
    assert_int_equal(program_write(world.p, much, sizeof much, &taken), RC_OK);
    assert_int_equal(taken, 0);
    program_end(world.p);
    end();
}

static void Input_ProgramHasClosedIt_IsTold(void **state)
{
    (void)state;
    size_t taken;
    begin();
    assert_int_equal(start("exec <&-; echo; exec sleep 1000"), 0);
    while (!world.outputs)
        turn();
    assert_int_equal(program_write(world.p, "x", 1, &taken), RC_OK);
    while (!world.rooms)
        turn();
    assert_false(program_takes(world.p));
    assert_int_equal(program_write(world.p, "x", 1, &taken), RC_CLOSED);
    program_end(world.p);
    end();
}

/* It is gone without a turn of the loop. */
static void End_IgnoresTheRequest_KilledByFini(void **state)
{
    (void)state;
    begin();
    assert_int_equal(start("trap '' TERM; echo; while :; do sleep 1000; done"), 0);
    while (!world.outputs)
        turn();
    pid_t pid = world.p->pid;
    program_end(world.p);
    assert_int_equal(kill(pid, 0), 0);
    end();
    assert_int_equal(kill(pid, 0), -1);
}

static void End_IgnoresTheRequest_KilledByTheLoop(void **state)
{
    (void)state;
    begin();
    assert_int_equal(start("trap '' TERM; echo; while :; do sleep 1000; done"), 0);
    while (!world.outputs)
        turn();
    program_end(world.p);
    while (!list_empty(&world.all.all))
        turn();
    end();
}

static void End_StatusTakenBySomebodyElse_IsSeen(void **state)
{
    (void)state;
    begin();
    signal(SIGCHLD, SIG_IGN);
    assert_int_equal(start("read a; exit 3"), 0);
    program_finish(world.p);
    while (!world.ends)
        turn();
    assert_int_equal(world.p->code, -1);
    assert_int_equal(world.p->signal, 0);
    program_end(world.p);
    end();
    signal(SIGCHLD, SIG_DFL);
}

static void Start_Fails_NothingIsLeft(void **state)
{
    (void)state;
    static const char *const files[] = {"/no/such", "/etc/passwd/x", NULL}, *const none[] = {NULL};
    static const char *const argv[] = {"none", NULL};
    begin();
    int before = count_descriptors();
    struct launch_order order = {.files = files, .argv = argv, .envp = none};
    assert_int_equal(
        program_start(&world.all, &order, &ops, &world, &world.p, &world.step), ENOENT);
    assert_int_equal(world.step, LAUNCH_FILE);
    order.folder = "/no/such";
    assert_int_equal(
        program_start(&world.all, &order, &ops, &world, &world.p, &world.step), ENOENT);
    assert_int_equal(world.step, LAUNCH_FOLDER);
    order.files = none;
    order.folder = NULL;
    assert_int_equal(
        program_start(&world.all, &order, &ops, &world, &world.p, &world.step), ENOENT);
    assert_int_equal(count_descriptors(), before);
    end();
}

/* Each number of descriptors that there may be, up to where there are enough. */
static void Start_NoDescriptorsLeft_NothingIsLeft(void **state)
{
    (void)state;
    struct rlimit was, few;
    begin();
    int before = count_descriptors(), error = EMFILE;
    getrlimit(RLIMIT_NOFILE, &was);
    few = was;
    for (few.rlim_cur = 3; error; few.rlim_cur++) {
        setrlimit(RLIMIT_NOFILE, &few);
        error = start("true");
        setrlimit(RLIMIT_NOFILE, &was);
        if (!error)
            break;
        assert_int_equal(error, EMFILE);
        assert_int_equal(world.step, LAUNCH_PREPARING);
        assert_int_equal(count_descriptors(), before);
    }
    program_end(world.p);
    end();
    assert_true(before >= count_descriptors());
}

/* The pipes must not take its place. */
static void Start_OurInputIsClosed_StreamsAreItsOwn(void **state)
{
    (void)state;
    size_t taken;
    int kept = dup(STDIN_FILENO);
    begin();
    close(STDIN_FILENO);
    assert_int_equal(start("cat; echo err >&2"), 0);
    assert_int_equal(program_write(world.p, "in", 2, &taken), RC_OK);
    program_finish(world.p);
    expect_output(PROGRAM_OUT, "in");
    expect_output(PROGRAM_ERR, "err\n");
    program_end(world.p);
    end();
    dup2(kept, STDIN_FILENO);
    close(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Run_ToItsEnd_AllIsTold),
        checked(Output_NobodyTakesIt_ProgramWaits),
        checked(Input_ProgramReadsNothing_NoMoreThanTheQueueIsTaken),
        checked(Input_ProgramHasClosedIt_IsTold),
        checked(End_IgnoresTheRequest_KilledByFini),
        checked(End_IgnoresTheRequest_KilledByTheLoop),
        checked(End_StatusTakenBySomebodyElse_IsSeen),
        checked(Start_Fails_NothingIsLeft),
        checked(Start_NoDescriptorsLeft_NothingIsLeft),
        checked(Start_OurInputIsClosed_StreamsAreItsOwn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

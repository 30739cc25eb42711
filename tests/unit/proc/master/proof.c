/* Proofs: of what succeeds, fails, crashes, hangs. */
#include "proc/master/proof.h"
#include "tests/unit/check.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static struct ev_loop *loop;
static struct proof proof;
static int calls;
static bool proved;
static char why[256], notes[1 << 20];

static void on_done(struct proof *p, bool is_proved, const char *its_why, const char *its_notes)
{
    assert_ptr_equal(p, &proof);
    assert_false(proof_runs(p));
    calls++;
    proved = is_proved;
    strcpy(why, its_why);
    strcpy(notes, its_notes);
    ev_break(loop, EVBREAK_ALL);
}

static int set_up(void **state)
{
    check_start(state);
    calls = 0;
    loop = ev_loop_new(EVFLAG_AUTO);
    proof_init(&proof, loop, on_done);
    return 0;
}

static int tear_down(void **state)
{
    ev_loop_destroy(loop);
    return check_end(state);
}

/* Runs a proof to its end. */
static void try(double seconds, void (*act)(int fd))
{
    int fd;
    assert_int_equal(proof_start(&proof, seconds, &fd), RC_OK);
    if (fd >= 0) {
        act(fd);
        _exit(0);
    }
    assert_true(proof_runs(&proof));
    ev_run(loop, 0);
    assert_int_equal(calls, 1);
}

static void succeed(int fd)
{
    proof_answer(fd, true, "", "one.lua\ntwo.lua\n");
}

static void Proof_Succeeds_Proved(void **state)
{
    (void)state;
    try(0, succeed);
    assert_true(proved);
    assert_string_equal(why, "");
    assert_string_equal(notes, "one.lua\ntwo.lua\n");
}

static void refute(int fd)
{
    proof_answer(fd, false, "one.lua:1: not today", "one.lua\n");
}

static void Proof_Fails_SaysWhy(void **state)
{
    (void)state;
    try(10, refute);
    assert_false(proved);
    assert_string_equal(why, "one.lua:1: not today");
    assert_string_equal(notes, "one.lua\n");
}

static void say_much(int fd)
{
    static char text[(1 << 20) - 1];
    memset(text, 'x', sizeof text - 1);
    proof_answer(fd, true, "", text);
}

static void Proof_LongNotes_Whole(void **state)
{
    (void)state;
    try(0, say_much);
    assert_true(proved);
    assert_int_equal(strlen(notes), (1 << 20) - 2);
}

static void crash(int fd)
{
    (void)fd;
    raise(SIGKILL);
}

static void Proof_Crashes_Named(void **state)
{
    (void)state;
    try(0, crash);
    assert_false(proved);
    assert_non_null(strstr(why, "signal KILL"));
}

static void break_off(int fd)
{
    if (write(fd, "+half", 5) != 5)
        _exit(1);
}

static void Proof_HalfAnAnswer_None(void **state)
{
    (void)state;
    try(0, break_off);
    assert_false(proved);
    assert_non_null(strstr(why, "status 0"));
}

static void hang(int fd)
{
    (void)fd;
    pause();
}

static void Proof_Hangs_Ended(void **state)
{
    (void)state;
    try(0.1, hang);
    assert_false(proved);
    assert_non_null(strstr(why, "more than 0.1 seconds"));
}

static void Proof_Cancelled_NotTold(void **state)
{
    int fd;
    (void)state;
    assert_int_equal(proof_start(&proof, 0, &fd), RC_OK);
    if (fd >= 0)
        pause();
    proof_cancel(&proof);
    assert_false(proof_runs(&proof));
    assert_int_equal(calls, 0);
    try(0, succeed);
    assert_true(proved);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(Proof_Succeeds_Proved),
        TEST(Proof_Fails_SaysWhy),
        TEST(Proof_LongNotes_Whole),
        TEST(Proof_Crashes_Named),
        TEST(Proof_HalfAnAnswer_None),
        TEST(Proof_Hangs_Ended),
        TEST(Proof_Cancelled_NotTold),
    };
    return cmocka_run_group_tests_name("proc/proof", tests, NULL, NULL);
}

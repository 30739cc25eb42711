/*
 * A test that something aborts over a condition that core/check.h guards:
 *
 *     static void drop_too_much(void *b)
 *     {
 *         bytes_drop(b, 1);
 *     }
 *
 *     assert_aborts(drop_too_much, &b, "n <= b->len");
 *
 * The function is run in a forked process. It asserts nothing by cmocka's means: those would go on
 * with the next test there.
 */
#ifndef UNIT_DEATH_H
#define UNIT_DEATH_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/check.h"

/* The forked process: its standard error is the pipe, and it leaves no core file. */
static inline _Noreturn void death_run(void (*run)(void *), void *argument, int pipe_end)
{
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    dup2(pipe_end, STDERR_FILENO);
    run(argument);
    _exit(0);
}

/* What is written to fd until it ends, cut to size - 1 bytes. */
static inline void death_read(int fd, char *text, size_t size)
{
    size_t filled = 0;
    ssize_t n;
    while (filled < size - 1 && (n = read(fd, text + filled, size - 1 - filled)) > 0)
        filled += (size_t)n;
    text[filled] = 0;
}

/* For tables: what is run, with NULL, and the condition that it breaks. */
struct death {
    void (*run)(void *unused);
    const char *condition;
};

/* run(argument) aborts, and the condition that did not hold is the one given. */
static inline void assert_aborts(void (*run)(void *), void *argument, const char *condition)
{
    int fds[2], status;
    char text[4096], expected[512];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        death_run(run, argument, fds[1]);
    close(fds[1]);
    death_read(fds[0], text, sizeof text);
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    snprintf(expected, sizeof expected, ": does not hold: %s\n", condition);
    if (!strstr(text, expected))
        fail_msg("expected \"%s\", got: %s", condition, text);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

#endif

/*
 * Assertions. A condition that fails is a bug of this program, never the fault of a peer, a script
 * or an operator: those get an error. The process writes file, line and condition to standard error
 * and aborts; the master starts another worker.
 *
 * check(x)      in every build. For what is off the way of a usual request or costs next to
 *               nothing there: life and death of connections, tasks and processes, rare turns.
 * check_hot(x)  in the builds for tests and fuzzing alone, which define CHECK_HOT: for what each
 *               request, frame or field passes, and for conditions that walk a list. A release
 *               build compiles the condition and never evaluates it.
 *
 * A condition has no side effects. `make instructions` decides which of the two a place gets: no
 * count may rise for a check.
 */
#ifndef CORE_CHECK_H
#define CORE_CHECK_H

#include <stdbool.h>

/* Writes what did not hold, and aborts. For the macros only. */
_Noreturn void check_failed(const char *file, int line, const char *condition)
    __attribute__((cold));

#define check(x) (__builtin_expect(!(x), 0) ? check_failed(__FILE__, __LINE__, #x) : (void)0)

#ifdef CHECK_HOT
#define check_hot(x) check(x)
#else
#define check_hot(x) ((void)sizeof(!(x)))
#endif

#endif

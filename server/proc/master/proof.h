/*
 * A proof: a forked process tries something that might hang or crash, such as to load scripts, and
 * reports through a pipe how it went. One at a time.
 */
#ifndef PROC_MASTER_PROOF_H
#define PROC_MASTER_PROOF_H

#include "core/rc.h"
#include "net/timer.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { PROOF_LATE = 128 };

struct proof {
    struct ev_loop *loop;
    pid_t pid; /* 0 while none runs */
    double seconds;
    double began;          /* of clock_monotonic */
    const char *ended;     /* why it was killed; NULL if it was not */
    char late[PROOF_LATE]; /* that it took longer than its seconds, in words */
    ev_io readable;
    struct timer limit;
    char *text; /* what it has written so far */
    size_t len;
    /* why says what is against it, else it is ""; notes are the process's own. Both are borrowed
     * for the call, in which another proof may start. */
    void (*done)(struct proof *p, bool proved, const char *why, const char *notes);
};

void proof_init(struct proof *p, struct ev_loop *loop,
    void (*done)(struct proof *p, bool proved, const char *why, const char *notes));
/* Forks. Returns twice: in the new process with *fd for proof_answer, else with -1. The caller has
 * blocked signals. RC_SYSTEM. */
enum rc proof_start(struct proof *p, double seconds, int *fd) MUST_CHECK;
/* In the new process, which then ends. */
void proof_answer(int fd, bool proved, const char *why, const char *notes);
bool proof_runs(const struct proof *p);
/* Seconds since the last one began. */
double proof_age(const struct proof *p);
/* Ends a proof that runs, for a reason that stays: done is called with it, later in the loop. */
void proof_give_up(struct proof *p, const char *why);
/* Ends a proof that runs, without a call to done. */
void proof_cancel(struct proof *p);

#endif

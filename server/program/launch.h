/*
 * Starts a program: with three pipes in place of its standard streams and no other descriptor, in a
 * session of its own without a terminal, with default signals, and with its life tied to this
 * process's: however this one ends, it is killed.
 *
 * By vfork: the new process shares our memory until it has become the program, and nothing is
 * copied however large we are.
 */
#ifndef PROGRAM_LAUNCH_H
#define PROGRAM_LAUNCH_H

#include <sys/types.h>

struct launch_order {
    const char *const *files; /* where the program may lie: the first that there is */
    const char *const *argv;  /* this and all others end with NULL */
    const char *const *envp;
    const char *folder; /* to work in; NULL for ours */
};

struct launched {
    pid_t pid; /* of the process and its group; to be reaped by the caller */
    int pidfd;
    int in, out, err; /* our ends of the pipes, which do not block */
};

/* What failed. */
enum launch_step {
    LAUNCH_PREPARING, /* no descriptors or processes are left */
    LAUNCH_FOLDER,
    LAUNCH_FILE,
};

/* 0, or an errno, with step set: nothing is left of it then. */
int launch(const struct launch_order *order, struct launched *out, enum launch_step *step);

#endif

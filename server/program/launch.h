/*
 * Starts a program: with three pipes in place of its standard streams and no other descriptor, in a
 * session of its own without a terminal, with default signals, and with its life tied to this
 * process: when this one ends, in whatever way, it is killed.
 *
 * It uses vfork: the new process shares the memory of this one until it executes the program, so
 * nothing is copied, however large this process is.
 */
#ifndef PROGRAM_LAUNCH_H
#define PROGRAM_LAUNCH_H

#include <sys/types.h>

struct launch_order {
    const char *const *files; /* paths of the program: the first that exists */
    const char *const *argv;  /* like all lists here it ends with NULL */
    const char *const *envp;
    const char *folder; /* working directory; NULL for that of this process */
};

struct launched {
    pid_t pid; /* of the process and its group; to be reaped by the caller */
    int pidfd;
    int in, out, err; /* this process's ends of the pipes, non-blocking */
};

/* What failed. */
enum launch_step {
    LAUNCH_PREPARING, /* no descriptors or processes are left */
    LAUNCH_FOLDER,
    LAUNCH_FILE,
};

/* Returns 0, or an errno with step set; on failure nothing is left to free. */
int launch(const struct launch_order *order, struct launched *out, enum launch_step *step);

#endif

/*
 * Children that the master did not start: what another process left behind, where this one is the
 * first of its container, or was there before the program. They are waited for, so that none of
 * them stays as a zombie.
 */
#ifndef PROC_MASTER_ORPHANS_H
#define PROC_MASTER_ORPHANS_H

#include <stdbool.h>
#include <sys/types.h>

/* Reaps those that have ended; the exit status of a child for which is_ours is true is left to the
 * code that waits for it. False if such a child hides others: call it again later. */
bool orphans_reap(bool (*is_ours)(void *data, pid_t pid), void *data);

#endif

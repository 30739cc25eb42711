/*
 * The watch: tells when something changes in a folder, in the folders below it, or in single files
 * that lie elsewhere. It looks at directories and the names in them rather than at files, so that a
 * file that is replaced, made, moved or removed is seen as one that is written to.
 *
 * Changes that come close together are told as one. After a change the owner reads the files anew,
 * in these steps, so that no change is lost between watching and reading:
 *
 *     watch_begin, then reads; watch_file for each file that was read; watch_end, or watch_keep
 */
#ifndef PROC_MASTER_WATCH_H
#define PROC_MASTER_WATCH_H

#include "core/rc.h"

#include <stdbool.h>

struct ev_loop;
struct watch;

/*
 * Watches root, a file or a folder, of which only files whose names end with suffix count, once
 * watch_begin was called; changed is called from the loop. suffix and data are borrowed.
 * RC_SYSTEM, RC_NOMEM.
 */
enum rc watch_new(struct ev_loop *ev, const char *root, const char *suffix,
    void (*changed)(void *data), void *data, struct watch **out) MUST_CHECK;
void watch_free(struct watch *w);
/* Looks at root anew. */
void watch_begin(struct watch *w);
/* A file that was read, in root or elsewhere; it need not exist. */
void watch_file(struct watch *w, const char *path);
/* Forgets what was not named since watch_begin. Reports a change if a file changed before it was
 * watched. */
void watch_end(struct watch *w);
/* Instead of watch_end after a failed read: the list may be incomplete, so nothing is forgotten. */
void watch_keep(struct watch *w);
/* Whether there was a change that was not told yet. */
bool watch_has_change(struct watch *w);

#endif

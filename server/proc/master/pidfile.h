/* The file that holds the master's process id, for scripts that send it signals. */
#ifndef PROC_MASTER_PIDFILE_H
#define PROC_MASTER_PIDFILE_H

#include "core/rc.h"

#include <sys/types.h>

enum { PIDFILE_WHY = 512 };

/* Writes the file anew; a reader sees the old content or the new, never a part. A file that a crash
 * has left is replaced; that of a running server is not, unless its process id is heir_of, whose
 * place this one takes. RC_SYSTEM; why then names the file and the cure. */
enum rc pidfile_write(const char *path, pid_t heir_of, char why[PIDFILE_WHY]) MUST_CHECK;
/* Removes the file, unless another process has written it since. */
void pidfile_remove(const char *path);

#endif

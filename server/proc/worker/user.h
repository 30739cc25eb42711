/* The user that workers run as, if the master has the privileges to choose one. */
#ifndef PROC_WORKER_USER_H
#define PROC_WORKER_USER_H

#include "core/rc.h"

#include <sys/types.h>

enum { USER_WHY = 512 };

/* Whether the process may become that user, and its id. RC_SYSTEM; why then names the user and the
 * cure. */
enum rc user_check(const char *name, uid_t *id, char why[USER_WHY]) MUST_CHECK;
/* Becomes the user for good, with the groups that it is in. RC_SYSTEM, as above. */
enum rc user_become(const char *name, char why[USER_WHY]) MUST_CHECK;

#endif

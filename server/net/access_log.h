/*
 * The access log: a line for each exchange that is over, combined or JSON; docs/configuration.md
 * describes both. Lines gather in a buffer, which is flushed once each round of the loop.
 *
 * Only whole lines are written, appended, so that several processes may write one file. When
 * writing fails, lines are dropped; the server's log says so once, and once more when writing works
 * again. Nothing ever waits for the file.
 */
#ifndef NET_ACCESS_LOG_H
#define NET_ACCESS_LOG_H

#include "core/rc.h"

#include <stdbool.h>
#include <sys/types.h>

struct access_log;
struct exchange_observer;

enum access_log_format { ACCESS_LOG_COMBINED, ACCESS_LOG_JSON };
enum { ACCESS_LOG_WHY = 512 };

/* path is borrowed; "-" is stdout, as in log_file.h. A new file belongs to owner, so that owner can
 * open it again; an existing one keeps its own. RC_SYSTEM, RC_NOMEM; why then holds one line. */
enum rc access_log_open(const char *path, enum access_log_format format, uid_t owner,
    struct access_log **out, char why[ACCESS_LOG_WHY]) MUST_CHECK;
/* Writes what is left, and frees the log. */
void access_log_close(struct access_log *a);
/* Opens the path anew, for a file that was renamed. If that fails, the failure is logged and the
 * open file stays in use. */
bool access_log_reopen(struct access_log *a);
/* Writes the lines that wait. */
void access_log_flush(struct access_log *a);
/* The observer that logs exchanges. */
struct exchange_observer *access_log_observer(struct access_log *a);

#endif

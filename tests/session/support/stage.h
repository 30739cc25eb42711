/*
 * Where a test's script plays: a folder of its own for the script's files, what the script notes
 * down, and what the server logs. stderr goes to the stage's log while it stands.
 */
#ifndef SESSION_STAGE_H
#define SESSION_STAGE_H

#include "text.h"

/* Makes the folder and takes stderr. One stage at a time. */
void stage_open(void);
/* Removes the folder and gives stderr back. */
void stage_close(void);
/* Fails the test, with a message on the real stderr: fail_msg() would speak to the log. */
__attribute__((format(printf, 1, 2), noreturn)) void stage_fail(const char *format, ...);
/*
 * Writes a script at a path within the folder, with this in front of it, on its first line:
 *
 *     local mt, note = require "moontrail", require "_note"
 *
 * note(...) writes its arguments, as tostring gives them, as a line of the notes.
 */
void stage_write(const char *path, const char *script);
/* The path of the folder, or of what is in it; overwritten by the next call. */
const char *stage_path(const char *inner);
/* What was noted, and what was logged, since the last call; paths are told from the folder. The
 * caller clears it. */
struct text stage_take_notes(void);
struct text stage_take_log(void);

#endif
